#include "work/event_stream.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"

#include "base/clock.h"
#include "base/status.h"
#include "edit/log_pages.h"
#include "edit/safe_time.h"

namespace cleave::work {

using edit::EventRef;
using edit::OperationRecord;

namespace {

// Stands still at a time that has been given out: then closing times up to it writes nothing.
class StandingClock final : public Clock {
 public:
  explicit StandingClock(absl::Time now) : now_(now) {}
  absl::Time Now() override { return now_; }

 private:
  const absl::Time now_;
};

}  // namespace

absl::StatusOr<absl::Time> SafeTimeOf(graph::Dataset& dataset, const std::vector<EventRef>& events) {
  if (events.empty()) {
    return absl::InfinitePast();
  }
  StandingClock clock(events.back().time);
  CLEAVE_ASSIGN_OR_RETURN(const edit::SafeTime safe,
                          edit::FindSafeTime(dataset.table(), clock, dataset.meta().ingested));
  return safe.time;
}

absl::StatusOr<std::vector<OperationRecord>> ReadEventRecords(graph::Dataset& dataset,
                                                              const std::vector<EventRef>& events) {
  std::vector<graph::OperationId> ids;
  ids.reserve(events.size());
  for (const EventRef& event : events) {
    ids.push_back(event.operation);
  }
  CLEAVE_ASSIGN_OR_RETURN(std::vector<OperationRecord> records, edit::ReadOperations(dataset.table(), ids));
  absl::flat_hash_map<graph::OperationId, OperationRecord*> record_of;
  for (OperationRecord& record : records) {
    record_of[record.id] = &record;
  }
  std::vector<OperationRecord> ordered;
  ordered.reserve(events.size());
  for (const EventRef& event : events) {
    const auto record = record_of.find(event.operation);
    if (record == record_of.end()) {
      return absl::DataLossError(absl::StrCat("operation ", Value(event.operation),
                                              " has an event but no row in the log; look with `cleave fsck`"));
    }
    ordered.push_back(*record->second);
  }
  return ordered;
}

absl::StatusOr<EventPage> ReadEvents(graph::Dataset& dataset, EventOffset offset, int64_t limit) {
  CLEAVE_RETURN_IF_ERROR(edit::EnsureEventIndex(dataset.table()));
  CLEAVE_ASSIGN_OR_RETURN(std::vector<EventRef> events, edit::ListEvents(dataset.table(), offset.after, limit));
  CLEAVE_ASSIGN_OR_RETURN(const absl::Time safe, SafeTimeOf(dataset, events));
  // Listed again: an operation with an earlier time that was in flight at the first look may have ended before the
  // second.
  CLEAVE_ASSIGN_OR_RETURN(events, edit::ListEvents(dataset.table(), offset.after, limit));
  std::erase_if(events, [&](const EventRef& event) { return event.time > safe; });
  EventPage page{{}, offset};
  CLEAVE_ASSIGN_OR_RETURN(page.events, ReadEventRecords(dataset, events));
  if (!events.empty()) {
    page.next.after = events.back().time;
  }
  return page;
}

}  // namespace cleave::work
