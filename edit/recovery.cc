#include "edit/recovery.h"

#include "absl/strings/str_cat.h"

#include "base/crash_point.h"
#include "base/status.h"
#include "edit/apply.h"
#include "edit/intent.h"
#include "edit/operation_log.h"
#include "store/store.h"

namespace cleave::edit {
namespace {

absl::StatusOr<Intent> ReadIntent(graph::Dataset& dataset, graph::OperationId operation) {
  const std::string key = IntentKey(operation);
  CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, dataset.intents().Read(key));
  if (!read.value.has_value()) {
    return absl::DataLossError(absl::StrCat("operation ", Value(operation), " is committed, but its intent ",
                                            dataset.intents().Describe(key), " is missing"));
  }
  absl::StatusOr<Intent> intent = DecodeIntent(*read.value);
  if (!intent.ok()) {
    return Annotate(intent.status(), dataset.intents().Describe(key));
  }
  return intent;
}

absl::Status Abandon(OperationLog& log, OperationRecord record) {
  record.status = OperationStatus::kException;
  record.failure = OperationFailure::kAbandoned;
  record.exception = "abandoned: the process ended before the operation's commit point";
  record.chunk_scope.clear();
  return log.Write(record);
}

// A table without atomic batches may hold rows of followers, though that of their leader, which is written last and
// commits them all, is not there.
absl::Status AbandonFollowers(OperationLog& log, const InFlight& operation) {
  for (const graph::OperationId follower : operation.followers) {
    absl::StatusOr<OperationRecord> record = log.Read(follower);
    if (record.ok() && record->status == OperationStatus::kWriteStarted) {
      CLEAVE_RETURN_IF_ERROR(Abandon(log, *std::move(record)));
    } else if (!record.ok() && !absl::IsNotFound(record.status())) {
      return record.status();
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<RecoveredOperation> RecoverOne(graph::Dataset& dataset, Clock& clock, const InFlight& operation) {
  OperationLog log(dataset.table());
  RecoveredOperation recovered{operation.id, false};
  const absl::StatusOr<OperationRecord> record = log.Read(operation.id);
  if (record.ok() && record->status == OperationStatus::kWriteStarted) {
    CLEAVE_ASSIGN_OR_RETURN(const Intent intent, ReadIntent(dataset, operation.id));
    Stages stages;
    CLEAVE_RETURN_IF_ERROR(ApplyIntent(dataset, intent, stages).status());
    recovered.rolled_forward = true;
  } else if (record.ok() && record->status == OperationStatus::kCreated) {
    CLEAVE_RETURN_IF_ERROR(AbandonFollowers(log, operation));
    CLEAVE_RETURN_IF_ERROR(Abandon(log, *record));
  } else if (record.ok()) {
    recovered.rolled_forward = record->status == OperationStatus::kSuccess;
  } else if (!absl::IsNotFound(record.status())) {
    return record.status();
  }
  CrashPoint("edit.recovered");
  CLEAVE_RETURN_IF_ERROR(FinishOperation(dataset, clock, operation));
  return recovered;
}

}  // namespace

absl::StatusOr<std::vector<RecoveredOperation>> RecoverOperations(graph::Dataset& dataset, Clock& clock) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<InFlight> operations, OperationLog(dataset.table()).ListInFlight());
  std::vector<RecoveredOperation> recovered;
  for (const InFlight& operation : operations) {
    CLEAVE_ASSIGN_OR_RETURN(const RecoveredOperation one, RecoverOne(dataset, clock, operation));
    recovered.push_back(one);
  }
  return recovered;
}

}  // namespace cleave::edit
