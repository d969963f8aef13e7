// Invariant 9: the rows of events against the log, both ways.
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "edit/event_index.h"
#include "edit/fsck_checks.h"

namespace cleave::edit {

absl::StatusOr<EventDifference> CompareEvents(const table::TableReader& table, std::span<const OperationRecord> log,
                                              const std::set<graph::OperationId>& unreadable) {
  CLEAVE_ASSIGN_OR_RETURN(const bool is_whole, EventIndexIsWhole(table));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<EventRef> listed, ListEvents(table, absl::InfinitePast(), 0));
  const std::set<EventRef> events(listed.begin(), listed.end());
  EventDifference difference;
  std::set<EventRef> expected;
  for (const OperationRecord& record : log) {
    if (record.status == OperationStatus::kSuccess) {
      const EventRef event{record.time, record.id};
      expected.insert(event);
      if (is_whole && !events.contains(event)) {
        difference.missing.push_back(event);
      }
    }
  }
  for (const EventRef& event : listed) {
    if (!expected.contains(event) && !unreadable.contains(event.operation)) {
      difference.invented.push_back(event);
    }
  }
  return difference;
}

absl::Status FsckRun::CheckEvents() {
  constexpr absl::string_view kAdvice = "run `cleave fsck PROJECT --repair`: events are put back from the log";
  progress_.Begin("events", 0, "");
  CLEAVE_ASSIGN_OR_RETURN(const EventDifference difference, CompareEvents(table_, log_, unreadable_));
  findings_.Count(9, std::ssize(log_));
  const auto tell = [&](const EventRef& event, absl::string_view what) {
    findings_.Add({9,
                   absl::StrCat("operation ", Value(event.operation), " at ", absl::FormatTime(event.time), " ", what),
                   {Value(event.operation)},
                   std::nullopt,
                   std::string(kAdvice)});
  };
  for (const EventRef& event : difference.missing) {
    tell(event, "succeeded but is no event");
  }
  for (const EventRef& event : difference.invented) {
    tell(event, "is an event but did not succeed then");
  }
  progress_.End();
  return absl::OkStatus();
}

}  // namespace cleave::edit
