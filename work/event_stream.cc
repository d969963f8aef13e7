#include "work/event_stream.h"

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace cleave::work {

using edit::OperationRecord;
using edit::OperationStatus;

absl::StatusOr<absl::Time> SafeTime(graph::Dataset& dataset, Clock& clock) {
  absl::Time safe = clock.Now();  // before the list is read: whoever begins later commits later
  const edit::OperationLog log(dataset.table());
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<edit::InFlight> in_flight, log.ListInFlight());
  for (const edit::InFlight& operation : in_flight) {
    const absl::StatusOr<OperationRecord> record = log.Read(operation.id);
    if (!record.ok()) {
      if (absl::IsNotFound(record.status())) {
        continue;  // it has not written its row, so it will commit after now
      }
      return record.status();
    }
    const bool may_commit =
        record->status == OperationStatus::kCreated || record->status == OperationStatus::kWriteStarted;
    if (may_commit) {
      safe = std::min(safe, record->time - absl::Milliseconds(1));
    }
  }
  return safe;
}

absl::StatusOr<EventPage> ReadEvents(graph::Dataset& dataset, Clock& clock, EventOffset offset, int64_t limit) {
  CLEAVE_ASSIGN_OR_RETURN(const absl::Time safe, SafeTime(dataset, clock));
  CLEAVE_ASSIGN_OR_RETURN(std::vector<OperationRecord> records, edit::OperationLog(dataset.table()).ReadAll());
  std::erase_if(records, [&](const OperationRecord& record) {
    return record.status != OperationStatus::kSuccess || record.time <= offset.after || record.time > safe;
  });
  std::ranges::sort(records, {}, &OperationRecord::time);
  if (limit > 0 && static_cast<int64_t>(records.size()) > limit) {
    records.resize(static_cast<size_t>(limit));
  }
  EventPage page{std::move(records), offset};
  if (!page.events.empty()) {
    page.next.after = page.events.back().time;
  }
  return page;
}

}  // namespace cleave::work
