// A piece of neuropil that never lived: labels for tests, demonstrations and benchmarks at any extent.
#pragma once

#include <cstdint>

#include "base/array.h"
#include "base/geometry.h"

namespace cleave::volume {

struct NeuropilOptions {
  uint64_t seed = 1;
  Extent3 extent{256, 256, 64};
  VoxelSizeNm voxel_size_nm{8, 8, 40};
  // Neurites that begin in a cubic micrometre, if there is room; this many fill it as mouse cortex is filled.
  double neurites_per_um3 = 6;
  // The share of voxels that get a label, reached or slightly passed; the rest, where fronts would have met last, is
  // background (0).
  double fill_fraction = 0.97;
  // The label of the first neurite; the others follow it.
  uint64_t first_label = 1;
};

// Grows branching neurites of varying calibre until they fill the extent: thick and thin processes that touch one
// another on irregular boundaries, as in a dense segmentation of electron micrographs. Every label is one 26-connected
// piece. The same options give the same array, on every machine. Time is linear in voxels. REQUIRES: a positive extent
// of fewer than 2^32 voxels, positive voxel size and density, 0 < fill_fraction <= 1.
[[nodiscard]] Array3<uint64_t> MakeNeuropil(const NeuropilOptions& options);

}  // namespace cleave::volume
