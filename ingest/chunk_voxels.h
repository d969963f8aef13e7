// Voxels whose labels are supervoxel ids already, on their way from a segmentation into the base.
#pragma once

#include <vector>

#include "absl/status/statusor.h"

#include "base/geometry.h"
#include "graph/ids.h"
#include "ingest/atomic_layer.h"
#include "ocdbt/write_batch.h"
#include "store/store.h"
#include "volume/label_source.h"

namespace cleave::ingest {

struct ChunkVoxels {
  std::vector<graph::NodeId> supervoxels;  // the distinct ids, ascending
  std::vector<store::KeyedWrite> writes;   // every storage chunk of the base in this chunk; none for an overlay
};

enum class Encode { kNo, kYes };

// Reads one chunk, and encodes it for the base if it is to go there; else there are no writes. `segmentation` has the
// extent of the dataset's volume. DATA_LOSS when a voxel holds what is no supervoxel of this chunk, and why.
[[nodiscard]] absl::StatusOr<ChunkVoxels> ReadChunkVoxels(const Workplace& workplace,
                                                          const volume::LabelSource& segmentation, ChunkPoint chunk,
                                                          Encode encode);

void AddWrites(std::vector<store::KeyedWrite> writes, ocdbt::WriteBatch& batch);

}  // namespace cleave::ingest
