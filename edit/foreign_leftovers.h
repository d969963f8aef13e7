// Rows that a supervoxel split of PyChunkedGraph wrote before it stopped, in a table that was loaded, and how they go.
//
//   1. Fresh supervoxels of the operation's chunks carry its number and what they came from. They must have no voxels,
//      and nobody may have built on them: a loaded table has no older voxels to put back.
//   2. Their rows go; what they came from is not replaced by them any more.
//   3. In every list of children that ever held what they came from, it takes their place again, at the list's own
//   time.
//   4. Cells of edges that name one of them go, with the affinities and areas of the same time.
#pragma once

#include <vector>

#include "absl/status/statusor.h"

#include "edit/operation_log.h"
#include "graph/dataset.h"
#include "table/table.h"

namespace cleave::edit {

// The changes that take them away; none when there are none. To be applied at once. FAILED_PRECONDITION when a fresh
// supervoxel has voxels, or was split or merged since; DATA_LOSS when a row cannot be decoded.
[[nodiscard]] absl::StatusOr<std::vector<table::RowMutation>> RemovalOfForeignRows(graph::Dataset& dataset,
                                                                                   const InFlight& operation);

}  // namespace cleave::edit
