// Makes every side one piece again.
#pragma once

#include <cstdint>
#include <span>

#include "cut/travel.h"

namespace cleave::cut {

// The side of each voxel, indexed like the grid; 0 outside the object and where nobody comes.
using Sides = LazyArray<uint8_t>;

// Of each side keeps the parts that hold a piece of `owned`; the rest falls to the kept parts, nearest (in steps)
// first. Afterwards a side has no more parts than its owned pieces have. Pieces without a side stay so.
void KeepWhole(const PieceGraph& pieces, std::span<const uint32_t> owned, PieceSides& sides);

// The same for voxels (26-connected).
void KeepWhole(const MaskGrid& grid, std::span<const uint32_t> owned, Sides& sides);

}  // namespace cleave::cut
