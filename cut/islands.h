// Voxels that growth cannot reach.
#pragma once

#include <cstdint>

#include "cut/growth.h"

namespace cleave::cut {

// Gives each piece of the object that has no side yet, as a whole, to the side that lies nearest to it (measured in nm
// along steps between neighbouring voxels, background among them). Returns how many voxels that were.
// REQUIRES: some voxel has a side.
int64_t GiveIslandsToNearest(const MaskGrid& grid, Sides& sides);

}  // namespace cleave::cut
