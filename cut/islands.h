// Voxels that growth cannot reach.
#pragma once

#include <cstdint>

#include "cut/whole_sides.h"

namespace cleave::cut {

// Gives each part of the object that has no side yet, as a whole, to the side that lies nearest to it: writes `sides`
// at the voxels of all pieces whose `piece_sides` are 0. Nearness is measured in nm between blocks of about eight
// voxels' edge, so it is right to about a block. Returns how many voxels that were. REQUIRES: some voxel has a side.
int64_t GiveIslandsToNearest(const MaskGrid& grid, const PieceGraph& pieces, PieceSides piece_sides, Sides& sides);

}  // namespace cleave::cut
