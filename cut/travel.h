// Cheapest ways through an object, from piece to piece.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "cut/piece_graph.h"

namespace cleave::cut {

// What it costs to travel through each piece, per nm: (nm_per_unit / depth) ^ exponent. A step between two pieces costs
// its length times the mean of both. Always above 0.
using TravelCost = std::vector<float>;

[[nodiscard]] TravelCost CostFromDepth(const PieceGraph& pieces, float unit_nm, float exponent);

// The side that owns a piece, 1, 2, ...; 0 while nobody does.
using PieceSides = std::vector<uint8_t>;

// The pieces of the cheapest ways from `start` to each target (both ends among them, each once, ascending), through
// pieces of nobody or of `owner`. When a target cannot be reached, that one instead.
struct Ways {
  std::vector<uint32_t> pieces;
  std::optional<uint32_t> unreachable;
};
[[nodiscard]] Ways FindWays(const PieceGraph& pieces, const TravelCost& cost, uint32_t start,
                            std::span<const uint32_t> targets, uint8_t owner, const PieceSides& sides);

}  // namespace cleave::cut
