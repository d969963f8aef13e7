// From sides of pieces to sides of voxels.
#pragma once

#include <cstdint>
#include <span>

#include "cut/whole_sides.h"

namespace cleave::cut {

// Gives each voxel the side of its piece, except near the surfaces: voxels of pieces that touch another side are given
// anew, by growth from the voxels around them that shuns shallow places, so that the surface settles in creases and
// necks to the voxel. Pieces of `owned` keep their side. Sides may come apart: see KeepWhole.
void RefineToVoxels(const MaskGrid& grid, const LazyArray<float>& depth_nm, const PieceGraph& pieces,
                    std::span<const uint32_t> owned, const PieceSides& piece_sides, Sides& sides);

}  // namespace cleave::cut
