// Moves the border between two sides to the neck between their points.
#pragma once

#include <span>

#include "cut/rim.h"
#include "cut/travel.h"

namespace cleave::cut {

// One cross-section of an object on the way from one side to another.
struct CrossSection {
  float place;  // -1 at the points of the one side, 0 where ways from both are equally long, 1 at the other's
  double area;  // in units of PieceGraph::Arc::area
  double fill;  // mean Rim::Fill of its contacts at the object's surface
};

// The place of the best neck: a cross-section that is small beside the largest ones before and behind it and lies in a
// furrow, where sections near the middle are preferred. `sections` in the order of their places; 0 when there is none.
[[nodiscard]] float FindNeck(std::span<const CrossSection> sections);

// For each two sides that touch, divides their pieces anew at the neck between them. `sides` is a growth from `owned`
// (see Grow); pieces of `owned` keep their side. Sides may come apart when there are more than two: see KeepWhole. Uses
// up to two threads.
void MoveToNecks(const PieceGraph& pieces, const Rim& rim, const TravelCost& cost, std::span<const uint32_t> owned,
                 PieceSides& sides);

}  // namespace cleave::cut
