#include "edit/safe_time.h"

#include <algorithm>
#include <vector>

#include "base/status.h"
#include "edit/operation_log.h"

namespace cleave::edit {
namespace {

// The newest time that the operation leaves safe; nullopt when it has ended.
absl::StatusOr<std::optional<absl::Time>> LeftSafeBy(const OperationLog& log, const InFlight& operation) {
  const absl::StatusOr<OperationRecord> record = log.Read(operation.id);
  if (absl::IsNotFound(record.status())) {
    return operation.later_than;
  }
  CLEAVE_RETURN_IF_ERROR(record.status());
  switch (record->status) {
    case OperationStatus::kSuccess:
    case OperationStatus::kException:
      return std::nullopt;
    case OperationStatus::kWriteStarted:
    case OperationStatus::kWriteFailed:
      return record->time - absl::Milliseconds(1);
    case OperationStatus::kCreated:
      break;
  }
  return operation.later_than;
}

}  // namespace

absl::StatusOr<SafeTime> FindSafeTime(table::Table& table, Clock& clock, absl::Time ingested) {
  OperationLog log(table);
  SafeTime safe;
  CLEAVE_ASSIGN_OR_RETURN(safe.time, log.CloseTimesUpTo(clock.Now()));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<InFlight> operations, log.ListInFlight());
  for (const InFlight& operation : operations) {
    CLEAVE_ASSIGN_OR_RETURN(const std::optional<absl::Time> left, LeftSafeBy(log, operation));
    if (left.has_value() && *left < safe.time) {
      safe = {*left, operation.id};
    }
  }
  safe.time = std::max(safe.time, ingested);
  return safe;
}

}  // namespace cleave::edit
