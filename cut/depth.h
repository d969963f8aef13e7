// How deep voxels lie inside an object.
#pragma once

#include "cut/mask_grid.h"

namespace cleave::cut {

// The Euclidean distance in nm from the centre of each voxel of the object to the centre of the nearest voxel outside
// it, exact for any voxel shape; 0 outside the object. Everything outside the mask's extent counts as outside.
// Indexed like the grid. Time: proportional to the voxels of the object. Uses several threads when the
// object is large; the result does not depend on them.
[[nodiscard]] LazyArray<float> DepthNm(const MaskGrid& grid);

}  // namespace cleave::cut
