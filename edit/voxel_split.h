// Plans a supervoxel split in voxels: cuts one family of supervoxels and gives its parts new ids.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"

#include "base/stages.h"
#include "edit/overlay_store.h"
#include "edit/plan.h"
#include "graph/edges.h"
#include "graph/id_allocator.h"
#include "graph/ids.h"
#include "volume/volume.h"

namespace cleave::edit {

// A cut of voxels that was made once, to be made again: the segmentation with it, and the sides of its fragments, by
// their place among VoxelSplitRequest::groups, from 1.
struct EarlierCut {
  std::shared_ptr<const volume::Volume> voxels;
  absl::flat_hash_map<uint64_t, uint8_t> side_of;
};

// A family: supervoxels that infinite edges hold together because chunk borders divide one thing.
struct VoxelSplitRequest {
  // The family's supervoxels in the region, ascending. Only voxels of these are looked at.
  std::vector<graph::NodeId> pieces;
  // Points of each side in voxels of scale 0: sources, sinks.
  std::vector<std::vector<VoxelPoint>> groups;
  // Borrowed. Not null: voxels that were on a side then go there again; pieces that were in no fragment keep whole.
  const EarlierCut* earlier = nullptr;
};

// A chunk of the graph in which voxels change, and the smallest box of them.
struct ChangedChunk {
  ChunkPoint chunk;
  Box box;
};

struct VoxelSplit {
  std::vector<Fragment> fragments;
  // 1-based side of every supervoxel of the family in the region as it is afterwards: fragments, and pieces that lie
  // wholly on one side and keep their ids.
  absl::flat_hash_map<graph::NodeId, int> side_of;
  std::vector<ChangedChunk> changed_chunks;  // ascending
  Box changed_box;
  int64_t mask_voxel_count = 0;
};

// The segmentation with a plan's writes over it; scale 0.
class PlannedVolume {
 public:
  // `stored` must outlive this.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<PlannedVolume>> Create(const volume::Volume& stored);

  [[nodiscard]] const volume::Volume& volume() const { return *volume_; }
  [[nodiscard]] OverlayStore& writes() { return *overlay_; }

 private:
  std::shared_ptr<OverlayStore> overlay_;
  std::unique_ptr<volume::Volume> volume_;
};

// Cuts the family and adds the changed chunks to `planned`. `must_part` lists pairs of pieces that infinite edges join
// across a chunk border: where the cut runs along that border, one of the two gets a new id, so that the edge goes
// stale.
//
//   1. The mask: voxels of the pieces, in the box of their chunks. Only chunks that hold a piece are read.
//   2. The cut of the mask (cut/voxel_cut.h), or an earlier one again, extended to what it did not touch
//      (cut/extend_sides.h).
//   3. Per chunk, which sides each piece has; a piece with one side keeps its id, unless must_part says otherwise.
//   4. Every other piece falls into fragments: one per side and per 26-connected component inside the chunk, each with
//   a
//      new id of that chunk.
//   5. Storage chunks that hold a changed voxel are encoded again, on condition that they are what was read.
//
// Errors: those of the cut, DATA_LOSS naming a damaged chunk, UNIMPLEMENTED when a storage chunk reaches over a border
// of the graph's chunks. Uses several threads.
[[nodiscard]] absl::StatusOr<VoxelSplit> PlanVoxelSplit(PlannedVolume& planned, const graph::IdLayout& layout,
                                                        graph::IdAllocator& ids, VoxelSizeNm voxel_size_nm,
                                                        const VoxelSplitRequest& request,
                                                        std::span<const graph::EdgeEnds> must_part, Stages& stages);

}  // namespace cleave::edit
