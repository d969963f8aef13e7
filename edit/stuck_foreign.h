// Operations that PyChunkedGraph left behind in a table that was loaded: a row with a chunk scope and without success,
// perhaps with locks, and no intent from which it could be carried out.
//
// They are cleaned up first: locks that carry the operation's number go. What of it stands in graph or voxels cannot be
// told from what others wrote there later, so an operation of which something does is refused, naming it. Then, to
// replay it, the edit is planned anew from what its row says was asked, and committed under its own number, at a new
// time. Stopped in between, it is an operation of ours that was begun, and recovery says so.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "base/clock.h"
#include "edit/requests.h"
#include "edit/stuck.h"
#include "graph/dataset.h"

namespace cleave::edit {

// REQUIRES of both: the state is kForeign. FAILED_PRECONDITION, without a change, when another operation has one of its
// locks, something of it is in the graph, or its row does not say what was asked. Replay also as Editor::RunAs: an edit
// that the present state refuses ends with that reason on its row.
[[nodiscard]] absl::StatusOr<StuckOutcome> ReplayForeign(graph::Dataset& dataset, Clock& clock,
                                                         const StuckOperation& operation);
[[nodiscard]] absl::StatusOr<StuckOutcome> RevertForeign(graph::Dataset& dataset, Clock& clock,
                                                         const StuckOperation& operation);

// What the row says was asked.
[[nodiscard]] absl::StatusOr<BatchItem> RequestOf(const OperationRecord& record);

}  // namespace cleave::edit
