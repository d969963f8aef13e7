// Makes every side one piece again.
#pragma once

#include <cstdint>
#include <span>

#include "cut/growth.h"

namespace cleave::cut {

// Of each side keeps the pieces (26-connected) that hold a voxel of `owned`, and lets the kept pieces grow over the
// rest. Afterwards a side has no more pieces than its owned voxels have. Voxels without a side stay so.
void KeepWhole(const MaskGrid& grid, const TravelCost& cost, std::span<const uint32_t> owned, Sides& sides);

}  // namespace cleave::cut
