// The safe time: the newest instant whose state will never change.
//
// An operation's time is given before its changes become visible. A read "as of now" may therefore be answered
// differently a moment later; a read as of the safe time may not. What must be repeatable (a table of annotations, a
// list of all objects) is read at this time.
//
// How it is found, and why no operation slips through:
//   1. No time up to T = now is given to anyone any more (OperationLog::CloseTimesUpTo). Whoever gets a time after this
//      step gets a later one.
//   2. The operations in flight are listed. Whoever got a time before step 1 had written his row in flight before that,
//      and takes it away only when his changes are visible: he is in the list, or visible.
//   3. Each operation of the list that has a commit time on its row holds the safe time below it. One that has none may
//      have been given it already: it holds the safe time at the newest time that was given when its row in flight was
//      written, since its own is later. One that has ended, well or not, holds nothing.
#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "graph/ids.h"
#include "table/table.h"

namespace cleave::edit {

struct SafeTime {
  absl::Time time;                            // whole ms; reads at this time or before are repeatable
  std::optional<graph::OperationId> held_by;  // an operation in flight that keeps it in the past
};

// `ingested`: the time of ingest, before which nothing is asked. Never earlier than that. Thread-safe.
[[nodiscard]] absl::StatusOr<SafeTime> FindSafeTime(table::Table& table, Clock& clock, absl::Time ingested);

}  // namespace cleave::edit
