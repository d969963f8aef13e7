// Where a person would click to part two labels that were made one: a point well inside each, near their contact.
//
// 1. All faces between the two labels are found. The section (plane of z) with the most of them is where a cut is seen
//    best; of its faces, that nearest to their mean is the middle of the contact.
// 2. In a window around it, each label's voxels that are joined to the middle inside the window are its piece there.
// 3. The seed of a label is the voxel of its piece in that section that lies deepest inside the label, where nearness
//    to the middle decides between voxels of nearly the same depth.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/array.h"
#include "base/geometry.h"
#include "ingest/label_map.h"

namespace cleave::ingest {

struct ContactSeeds {
  VoxelPoint source;  // inside label a
  VoxelPoint sink;    // inside label b, of the same z
  VoxelPoint middle;  // of the contact, a voxel of label a
  // The distance from each seed to the nearest voxel outside its label.
  double source_depth_nm = 0;
  double sink_depth_nm = 0;
};

// For each pair, in order; nothing where the two labels share no face along x or y. `labels` is indexed from zero, and
// so are the points. One pass over the voxels, whatever the number of pairs, and a window for each.
[[nodiscard]] std::vector<std::optional<ContactSeeds>> SuggestSeeds(ArrayView3<const uint64_t> labels,
                                                                    const std::vector<FusePair>& pairs,
                                                                    const VoxelSizeNm& voxel_size_nm);

}  // namespace cleave::ingest
