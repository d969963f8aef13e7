// The edits of a dataset as a stream of events, in commit order. What is told of an edit stands in the operation log
// alone; its place in the stream is written in one step with its success (edit/event_index.h). So nothing is missing
// and nothing is invented, and reading costs what is new, however long the log.
//
//   EventOffset offset;                                    // from the beginning
//   CLEAVE_ASSIGN_OR_RETURN(const EventPage page, ReadEvents(dataset, offset, 100));
//   ... handle page.events; keep page.next, and ask again from there ...
//
// Delivery is at least once: a consumer that dies before it has kept the offset sees events again, and tells them by
// their operation id. A group of consumers can keep its offset in the project's table: ReadAcknowledged and Acknowledge
// (edit/event_index.h).
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "edit/event_index.h"
#include "edit/operation_log.h"
#include "graph/dataset.h"

namespace cleave::work {

// Everything up to this commit time has been read. Commit times are unique.
struct EventOffset {
  absl::Time after = absl::InfinitePast();
};

struct EventPage {
  std::vector<edit::OperationRecord> events;  // successful operations, by commit time
  EventOffset next;                           // of the last event; what was asked for when there is none
};

// At most `limit` events (0: all) after `offset`, and none after which an operation could still commit with an earlier
// time: an operation in flight holds back the events later than itself. Of several events of one time, which a table of
// another program may hold, all come together.
[[nodiscard]] absl::StatusOr<EventPage> ReadEvents(graph::Dataset& dataset, EventOffset offset, int64_t limit);

// The newest time up to which nothing can be inserted before the last of these events any more; not earlier than any
// event may be told. InfinitePast for no events. Events may have been inserted since these were listed: whoever goes on
// behind them lists those up to this time again.
[[nodiscard]] absl::StatusOr<absl::Time> SafeTimeOf(graph::Dataset& dataset, const std::vector<edit::EventRef>& events);

// The records of these events, in their order.
[[nodiscard]] absl::StatusOr<std::vector<edit::OperationRecord>> ReadEventRecords(
    graph::Dataset& dataset, const std::vector<edit::EventRef>& events);

}  // namespace cleave::work
