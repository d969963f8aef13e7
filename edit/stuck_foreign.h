// Operations that PyChunkedGraph left behind in a table that was loaded: a row with a chunk scope and without success,
// perhaps with locks, and no intent from which it could be carried out.
//
// They are cleaned up first: what they wrote of a supervoxel split in the table goes (foreign_leftovers.h), then the
// locks that carry their number. Where that cannot be, because they wrote voxels or went further, they are refused.
// Then, to replay one, the edit is planned anew from what its row says was asked, and committed under its own number,
// at a new time. Stopped in between, it is still foreign, until the new edit begins: then it is an operation of ours
// that was begun, and recovery says so.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "base/clock.h"
#include "edit/requests.h"
#include "edit/stuck.h"
#include "graph/dataset.h"

namespace cleave::edit {

// REQUIRES of both: the state is kForeign. FAILED_PRECONDITION, without a change, when another operation has one of its
// locks, it cannot be cleaned up, or its row does not say what was asked (replay only). Replay also as Editor::RunAs.
[[nodiscard]] absl::StatusOr<StuckOutcome> ReplayForeign(graph::Dataset& dataset, Clock& clock,
                                                         const StuckOperation& operation);
[[nodiscard]] absl::StatusOr<StuckOutcome> RevertForeign(graph::Dataset& dataset, Clock& clock,
                                                         const StuckOperation& operation);

// What the row says was asked.
[[nodiscard]] absl::StatusOr<BatchItem> RequestOf(const OperationRecord& record);

}  // namespace cleave::edit
