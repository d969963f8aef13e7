// Cheapest ways through an object, from piece to piece.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "cut/piece_graph.h"
#include "cut/radix_heap.h"

namespace cleave::cut {

// What it costs to travel through each piece, per nm: (nm_per_unit / depth) ^ exponent. A step between two pieces costs
// its length times the mean of both. Always above 0.
using TravelCost = std::vector<float>;

[[nodiscard]] TravelCost CostFromDepth(const PieceGraph& pieces, float unit_nm, float exponent);

// The side that owns a piece, 1, 2, ...; 0 while nobody does.
using PieceSides = std::vector<uint8_t>;

// The cost of the cheapest way from any of `starts` to each piece, infinite where none leads. A way may step from one
// piece to the next when is_open(from, to).
template <typename IsOpen>
[[nodiscard]] std::vector<float> FindTimes(const PieceGraph& pieces, const TravelCost& cost,
                                           std::span<const uint32_t> starts, IsOpen is_open) {
  std::vector<float> time(pieces.size(), std::numeric_limits<float>::infinity());
  RadixHeap open;
  for (const uint32_t piece : starts) {
    time[piece] = 0;
    open.Push(0, piece);
  }
  while (!open.empty()) {
    const auto [now, piece] = open.Pop();
    if (now > time[piece]) {
      continue;
    }
    for (const PieceGraph::Arc& arc : pieces.arcs(piece)) {
      const float then = now + arc.length_nm * (cost[piece] + cost[arc.to]) / 2;
      if (then < time[arc.to] && is_open(piece, arc.to)) {
        time[arc.to] = then;
        open.Push(then, arc.to);
      }
    }
  }
  return time;
}

// Gives each piece to the side from whose pieces the cheapest way comes, and leaves those that none reaches at 0.
// `owned` are the pieces that have a side at first, and keep it. A piece's way runs through pieces of its own side, so
// a side is as connected as its owned pieces were.
void Grow(const PieceGraph& pieces, const TravelCost& cost, std::span<const uint32_t> owned, PieceSides& sides);

// The pieces of the cheapest ways from `start` to each target (both ends among them, each once, ascending), through
// pieces of nobody or of `owner`. When a target cannot be reached, that one instead.
struct Ways {
  std::vector<uint32_t> pieces;
  std::optional<uint32_t> unreachable;
};
[[nodiscard]] Ways FindWays(const PieceGraph& pieces, const TravelCost& cost, uint32_t start,
                            std::span<const uint32_t> targets, uint8_t owner, const PieceSides& sides);

}  // namespace cleave::cut
