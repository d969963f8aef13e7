// Moves points onto an object.
#pragma once

#include "base/array.h"
#include "base/geometry.h"
#include "cut/mask_grid.h"

namespace cleave::cut {

// The voxel of the object whose centre is nearest to that of `point`, in nm; of several the one with the smallest z,
// then y, then x. `point` may lie anywhere. Exact.
[[nodiscard]] VoxelPoint SnapToMask(const MaskGrid& grid, VoxelPoint point);

}  // namespace cleave::cut
