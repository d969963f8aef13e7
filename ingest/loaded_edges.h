// Cross-chunk edges of a loaded table, from PyChunkedGraph's form to Cleave's.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"

#include "ingest/atomic_layer.h"

namespace cleave::ingest {

// Gives every node of the table its AtomicCrossChunkEdge cells (supervoxel pairs, for edge layers from its own up), and
// removes the CrossChunkEdge cells. Edge files and all other rows must be there. Returns how many L2 nodes had none
// of their own. DATA_LOSS as LoadTable says.
[[nodiscard]] absl::StatusOr<int64_t> MakeSupervoxelPairs(const Workplace& workplace);

}  // namespace cleave::ingest
