#include "edit/recovery.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "base/crash_point.h"
#include "base/status.h"
#include "edit/apply.h"
#include "edit/lock_keys.h"
#include "edit/operation_turns.h"
#include "edit/scope_locks.h"
#include "edit/take_back.h"
#include "store/store.h"
#include "table/row_locks.h"

namespace cleave::edit {
namespace {

// How often the row is looked at again when another moves it on meanwhile: it moves on three times at most.
constexpr int kRecoveryTries = 5;

void GiveUp(OperationRecord& record, OperationFailure failure) {
  record.status = OperationStatus::kException;
  record.failure = failure;
  record.exception = failure == OperationFailure::kReverted
                         ? "taken back by an operator before its commit point"
                         : "abandoned: the process ended before the operation's commit point";
  record.chunk_scope.clear();
}

// An operation that did not come to write its row gets one: should its worker only sleep, it must find that.
absl::StatusOr<OperationRecord> RecordOf(const OperationLog& log, const InFlight& operation) {
  absl::StatusOr<OperationRecord> record = log.Read(operation.id);
  if (!absl::IsNotFound(record.status())) {
    return record;
  }
  OperationRecord unwritten;
  unwritten.id = operation.id;
  unwritten.kind = operation.kind;
  unwritten.time = operation.since == absl::InfinitePast() ? absl::UnixEpoch() : operation.since;
  return unwritten;
}

absl::Status RollForward(graph::Dataset& dataset, const InFlight& operation) {
  CLEAVE_RETURN_IF_ERROR(RequireNoForeignLock(dataset, operation));
  CLEAVE_ASSIGN_OR_RETURN(const Intent intent, ReadIntent(dataset, operation.id));
  Stages stages;
  return ApplyIntent(dataset, intent, stages).status();
}

absl::Status TakeBackOn(graph::Dataset& dataset, Clock& clock, const InFlight& operation) {
  CLEAVE_RETURN_IF_ERROR(RequireNoForeignLock(dataset, operation));
  CLEAVE_ASSIGN_OR_RETURN(const Intent intent, ReadIntent(dataset, operation.id));
  return TakeBack(dataset, clock, operation, intent);
}

// One look at the row and what follows from it. Nothing when the row moved on meanwhile.
absl::StatusOr<std::optional<RecoveredOperation>> RecoverAsItStands(graph::Dataset& dataset, Clock& clock,
                                                                    const InFlight& operation, OperationStatus status) {
  RecoveredOperation recovered{operation.id, false, {}};
  if (status == OperationStatus::kWriteStarted) {
    CLEAVE_RETURN_IF_ERROR(RollForward(dataset, operation));
    recovered.rolled_forward = true;
  } else if (status == OperationStatus::kWriteFailed) {
    CLEAVE_RETURN_IF_ERROR(TakeBackOn(dataset, clock, operation));
    return recovered;
  } else if (status == OperationStatus::kCreated) {
    CLEAVE_ASSIGN_OR_RETURN(const bool marked, MarkAbandoned(dataset, operation, OperationFailure::kAbandoned));
    if (!marked) {
      return std::nullopt;
    }
  } else if (status == OperationStatus::kException) {
    CLEAVE_RETURN_IF_ERROR(MarkFollowers(dataset, operation, OperationFailure::kAbandoned));
  } else {
    recovered.rolled_forward = status == OperationStatus::kSuccess;
  }
  CrashPoint("edit.recovered");
  CLEAVE_RETURN_IF_ERROR(FinishOperation(dataset, clock, operation));
  return recovered;
}

}  // namespace

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

absl::StatusOr<bool> MarkAbandoned(graph::Dataset& dataset, const InFlight& operation, OperationFailure failure) {
  CLEAVE_ASSIGN_OR_RETURN(OperationRecord record, RecordOf(OperationLog(dataset.table()), operation));
  GiveUp(record, failure);
  CLEAVE_ASSIGN_OR_RETURN(const bool marked, WriteUncommitted(dataset.table(), record));
  if (marked) {
    CLEAVE_RETURN_IF_ERROR(MarkFollowers(dataset, operation, failure));
  }
  return marked;
}

absl::Status MarkFollowers(graph::Dataset& dataset, const InFlight& operation, OperationFailure failure) {
  OperationLog log(dataset.table());
  for (const graph::OperationId follower : operation.followers) {
    absl::StatusOr<OperationRecord> record = log.Read(follower);
    if (record.ok() && record->status == OperationStatus::kWriteStarted) {
      GiveUp(*record, failure);
      CLEAVE_RETURN_IF_ERROR(log.Write(*record));
    } else if (!record.ok() && !absl::IsNotFound(record.status())) {
      return record.status();
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<RecoveredOperation> RecoverOperation(graph::Dataset& dataset, Clock& clock, const InFlight& operation) {
  const OperationLog log(dataset.table());
  for (int attempt = 0; attempt < kRecoveryTries; ++attempt) {
    CLEAVE_ASSIGN_OR_RETURN(const OperationRecord record, RecordOf(log, operation));
    absl::StatusOr<std::optional<RecoveredOperation>> recovered =
        RecoverAsItStands(dataset, clock, operation, record.status);
    if (recovered.ok() && recovered->has_value()) {
      return **std::move(recovered);
    }
    CLEAVE_ASSIGN_OR_RETURN(const OperationRecord now, RecordOf(log, operation));
    if (!recovered.ok() && now.status == record.status) {
      return recovered.status();
    }
  }
  return absl::UnavailableError(
      absl::StrCat("operation ", Value(operation.id), " is being finished by somebody else; try again"));
}

std::vector<InFlight> OrderForRecovery(table::Table& table, std::vector<InFlight> operations) {
  const OperationLog log(table);
  std::map<graph::OperationId, absl::Time> committed_at;
  for (const InFlight& operation : operations) {
    const absl::StatusOr<OperationRecord> record = log.Read(operation.id);
    const bool committed = record.ok() && record->status == OperationStatus::kWriteStarted;
    committed_at[operation.id] = committed ? record->time : absl::InfinitePast();
  }
  std::ranges::stable_sort(operations, {}, [&](const InFlight& operation) { return committed_at.at(operation.id); });
  return operations;
}

absl::StatusOr<std::vector<RecoveredOperation>> RecoverOperations(graph::Dataset& dataset, Clock& clock) {
  CLEAVE_ASSIGN_OR_RETURN(std::vector<InFlight> operations, OperationLog(dataset.table()).ListInFlight());
  std::vector<RecoveredOperation> recovered;
  for (const InFlight& operation : OrderForRecovery(dataset.table(), std::move(operations))) {
    absl::StatusOr<RecoveredOperation> one = RecoverOperation(dataset, clock, operation);
    if (absl::IsFailedPrecondition(one.status())) {
      one = RecoveredOperation{operation.id, false, one.status()};
    }
    CLEAVE_RETURN_IF_ERROR(one.status());
    recovered.push_back(*std::move(one));
  }
  CLEAVE_RETURN_IF_ERROR(RemoveLostIntents(dataset));
  return recovered;
}

absl::StatusOr<std::vector<LostIntent>> FindLostIntents(graph::Dataset& dataset) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> keys, dataset.intents().List({}));
  std::vector<LostIntent> found;
  for (const std::string& key : keys) {
    uint64_t id = 0;
    if (!absl::SimpleAtoi(key, &id) || IntentKey(graph::OperationId{id}) != key) {
      continue;  // not ours
    }
    CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, dataset.intents().Read(key, {.range = {.end = 0}}));
    if (read.value.has_value()) {
      found.push_back({graph::OperationId{id}, read.generation});
    }
  }
  if (found.empty()) {
    return found;
  }
  // Only now, after the objects.
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<InFlight> in_flight, OperationLog::ListInFlight(dataset.table()));
  std::vector<LostIntent> lost;
  for (LostIntent& intent : found) {
    if (std::ranges::any_of(in_flight, [&](const InFlight& one) { return one.id == intent.operation; })) {
      continue;
    }
    const absl::StatusOr<OperationRecord> record = OperationLog(dataset.table()).Read(intent.operation);
    const bool is_read = record.ok() || absl::IsNotFound(record.status());
    const bool committed = record.ok() && (record->status == OperationStatus::kWriteStarted ||
                                           record->status == OperationStatus::kWriteFailed);
    if (is_read && !committed) {  // what is committed, or cannot be read, is for a repair
      lost.push_back(std::move(intent));
    }
  }
  return lost;
}

absl::Status RemoveLostIntents(graph::Dataset& dataset) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<LostIntent> lost, FindLostIntents(dataset));
  for (const LostIntent& intent : lost) {
    const absl::Status status =
        dataset.intents().Delete(IntentKey(intent.operation), {.if_generation = intent.generation});
    if (!status.ok() && !absl::IsAborted(status)) {
      return status;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> IsSilent(const table::TableReader& table, absl::Time now, absl::Duration expiry,
                              const InFlight& operation) {
  if (operation.since + expiry > now) {
    return false;
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::RowLockState> locks, table::ReadLocks(table, LockKeys(operation)));
  return std::ranges::none_of(locks, [&](const table::RowLockState& lock) {
    return lock.temporal.has_value() && lock.temporal->operation_id == Value(operation.id) &&
           lock.temporal->since + expiry > now;
  });
}

}  // namespace cleave::edit
