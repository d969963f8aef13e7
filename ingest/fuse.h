// False merges to order: pairs of touching labels that can be made one before ingest, so that there is something to
// split whose true answer is known.
#pragma once

#include <cstdint>
#include <vector>

#include "base/array.h"
#include "base/geometry.h"

namespace cleave::ingest {

// Two labels that share voxel faces.
struct TouchingPair {
  uint64_t a = 0;  // the smaller label
  uint64_t b = 0;
  int64_t face_count = 0;
  double area_um2 = 0;
};

// Every pair of touching labels (faces only; background excluded), largest area first, then by labels: the same labels
// give the same list. One pass over the voxels.
[[nodiscard]] std::vector<TouchingPair> TouchingPairs(ArrayView3<const uint64_t> labels,
                                                      const VoxelSizeNm& voxel_size_nm);

}  // namespace cleave::ingest
