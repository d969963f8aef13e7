// Takes back an operation that is committed but not turned on: the way of an intent, backwards.
//
//   1. claim: the row says WRITE_FAILED, and whoever carries the operation out is refused from then on. The claim is
//      refused once the flip was claimed (operation_turns.h).
//   2. voxels: every chunk that the operation wrote gets what it held in the version before, in one commit of the
//      versioned store, on condition that it holds what the operation wrote; with a marker named after the operation,
//      so that it is done once. The markers of voxels that were not written come with it: a worker that slept finds
//      them, and writes none.
//   3. The rows of step 1 of apply.h go.
//   4. The rows say EXCEPTION and that it was reverted, the followers' first.
//   5. Locks, intent and in-flight row go, as after every operation.
//
// Each step may be repeated: an operation whose taking back was stopped anywhere is taken back by recovery.
#pragma once

#include "absl/status/status.h"

#include "base/clock.h"
#include "edit/intent.h"
#include "edit/operation_log.h"
#include "graph/dataset.h"

namespace cleave::edit {

// FAILED_PRECONDITION, without a change, when the operation has begun to turn its new state on, or a chunk holds
// neither what it wrote nor what was there before.
[[nodiscard]] absl::Status TakeBack(graph::Dataset& dataset, Clock& clock, const InFlight& operation,
                                    const Intent& intent);

// Whether step 2 is done.
[[nodiscard]] absl::StatusOr<bool> VoxelsAreBack(graph::Dataset& dataset, graph::OperationId operation);

}  // namespace cleave::edit
