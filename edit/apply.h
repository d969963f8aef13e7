// Carries out intents. Whoever finds an intent that is not carried out to its end can do it again, and reaches the same
// state, even while another process does the same.
//
//   1. prepare: rows that nothing points to yet. Their cells carry the operation's time, so writing them twice is
//      writing them once.
//   2. voxels: all chunks in one commit of the versioned store, together with a marker key named after the operation,
//      which must not exist before. So they are written once, however often this step is run, and never over newer
//      voxels.
//   3. flip: claimed on the operation's row, so that nobody takes it back any more; then rows that turn the new state
//   on,
//      with the operation's row set to success and its event (event_index.h), in one batch.
//
// The operations of one batch go through each step together: all rows of step 1, then one commit of voxels for each
// that has some (in order, so that each has a version of its own), then all rows of step 3 in one batch.
//
// An operation that gives voxels old ids back turns the graph first: the old id leads to where it led before its cut
// until the flip, while the ids that go lead on to where the old one does from then on. So whoever reads between the
// two steps sees the new state, by the ids that go. Its steps are 1, the claim, the rows of 3, then 2, then its row set
// to success. Before the claim it waits until no operation of an earlier time can write voxels any more: a version
// that belongs to an earlier time must not hold the old ids. In a batch with such an operation, those that stand next
// to each other and go in one order go through the steps together, and the batch is turned on in as many steps: a
// reader at now may see the first of them without the rest, one at the safe time (safe_time.h) all or none.
//
//   4. finish: locks released by value, the intent object and the in-flight row removed.
//
// Steps 2 and 3 are on disk when they return. Step 1 is only ordered before 3 in the table: until 3 is on disk, the
// intent stands, and all is done again.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "base/clock.h"
#include "base/stages.h"
#include "edit/intent.h"
#include "edit/operation_log.h"
#include "graph/dataset.h"

namespace cleave::ocdbt {
class Database;
}

namespace cleave::edit {

// The key of the marker that says that an operation's voxels are in the segmentation's store.
[[nodiscard]] std::string VoxelMarkerKey(graph::OperationId operation);

// The newest version of the segmentation's store.
[[nodiscard]] absl::StatusOr<uint64_t> VoxelGeneration(graph::Dataset& dataset);

// The first version with the operation's marker; nullopt when the newest has none.
[[nodiscard]] absl::StatusOr<std::optional<uint64_t>> FindVoxelGeneration(ocdbt::Database& database,
                                                                          graph::OperationId operation);

// Steps 1 to 3. Returns the records of the operation and its followers as they stand then; those of an operation that
// has been carried out by another, without a change. ABORTED, without a change, when it was taken back meanwhile.
// INTERNAL when a chunk is not what was read although the operation holds its lock. UNAVAILABLE when an operation that
// must come first does not end.
[[nodiscard]] absl::StatusOr<std::vector<OperationRecord>> ApplyIntent(graph::Dataset& dataset, const Intent& intent,
                                                                       Stages& stages);

// What step 1 wrote is taken away again: for operations that will never be turned on. Idempotent.
[[nodiscard]] absl::Status RemovePrepared(graph::Dataset& dataset, const Intent& intent);

// The operation and its followers, in order.
[[nodiscard]] std::vector<const Intent*> IntentParts(const Intent& intent);

// Step 4. Idempotent.
[[nodiscard]] absl::Status FinishOperation(graph::Dataset& dataset, Clock& clock, const InFlight& operation);

}  // namespace cleave::edit
