// The centre lines of generated neurites, before they grow thick. See neuropil.h.
#pragma once

#include <cstdint>
#include <vector>

#include "base/geometry.h"
#include "volume/neuropil.h"

namespace cleave::volume {

// One voxel of a centre line.
struct SkeletonVoxel {
  VoxelPoint point;
  uint32_t neurite = 0;  // counted from 0
  double calibre = 1;    // how fast the neurite grows thick from here; a thin axon is about 1
};

// Draws the centre lines of all neurites: random walks with a memory of their direction, that branch, swell, bear
// spines, bend away from one another, and end at the walls. No voxel is on two lines; the voxels of each neurite are
// one 26-connected piece; every neurite from 0 to the largest has at least one. Deterministic for given options.
[[nodiscard]] std::vector<SkeletonVoxel> DrawNeurites(const NeuropilOptions& options);

}  // namespace cleave::volume
