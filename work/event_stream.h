// The edits of a dataset as a stream of events, in commit order, read from the operation log: nothing is missing and
// nothing is invented, because there is no second record that could differ.
//
//   EventOffset offset;                                    // from the beginning
//   CLEAVE_ASSIGN_OR_RETURN(const EventPage page, ReadEvents(dataset, clock, offset, 100));
//   ... handle page.events; keep page.next, and ask again from there ...
//
// Delivery is at least once: a consumer that dies before it has kept the offset sees events again, and tells them by
// their operation id.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
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

// The newest time before which no operation can commit any more: earlier than every operation in flight, not later than
// now. What is read at this time never changes again.
[[nodiscard]] absl::StatusOr<absl::Time> SafeTime(graph::Dataset& dataset, Clock& clock);

// At most `limit` events (0: all) after `offset` and not after the safe time, so that an operation that commits later
// cannot slip in before an event already read.
[[nodiscard]] absl::StatusOr<EventPage> ReadEvents(graph::Dataset& dataset, Clock& clock, EventOffset offset,
                                                   int64_t limit);

}  // namespace cleave::work
