#include "edit/earlier_voxels.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "base/status.h"
#include "edit/operation_log.h"

namespace cleave::edit {
namespace {

constexpr absl::Duration kLookAgain = absl::Milliseconds(5);

absl::StatusOr<bool> MayWriteBefore(const OperationLog& log, const InFlight& operation, absl::Time time) {
  const absl::StatusOr<OperationRecord> record = log.Read(operation.id);
  if (absl::IsNotFound(record.status())) {
    return false;  // it has not begun to plan
  }
  CLEAVE_RETURN_IF_ERROR(record.status());
  switch (record->status) {
    case OperationStatus::kCreated:
      // Its time is later than any that was given before its row was written.
      return operation.is_committing && operation.later_than < time;
    case OperationStatus::kWriteStarted:
      return record->time < time && (record->changed_chunk_count > 0 || !operation.followers.empty());
    case OperationStatus::kWriteFailed:  // is being taken back: what it wrote belongs to no time
    case OperationStatus::kSuccess:
    case OperationStatus::kException:
      break;
  }
  return false;
}

absl::StatusOr<std::optional<graph::OperationId>> FindEarlier(const OperationLog& log, const Intent& intent) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<InFlight> operations, log.ListInFlight());
  for (const InFlight& operation : operations) {
    if (operation.id == intent.operation) {
      continue;
    }
    CLEAVE_ASSIGN_OR_RETURN(const bool may, MayWriteBefore(log, operation, intent.time));
    if (may) {
      return operation.id;
    }
  }
  return std::nullopt;
}

}  // namespace

absl::Status WaitForEarlierVoxels(table::Table& table, const Intent& intent, absl::Duration wait) {
  const OperationLog log(table);
  const absl::Time give_up = absl::Now() + wait;
  for (;;) {
    CLEAVE_ASSIGN_OR_RETURN(const std::optional<graph::OperationId> earlier, FindEarlier(log, intent));
    if (!earlier.has_value()) {
      return absl::OkStatus();
    }
    if (absl::Now() >= give_up) {
      return absl::UnavailableError(absl::StrCat("operation ", Value(intent.operation), " waits for operation ",
                                                 Value(*earlier),
                                                 ", which came before and does not end; it is "
                                                 "finished behind it, or settle that with `cleave stuck`"));
    }
    absl::SleepFor(kLookAgain);
  }
}

}  // namespace cleave::edit
