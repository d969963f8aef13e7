#include "cut/travel.h"

#include <algorithm>
#include <cmath>

namespace cleave::cut {

TravelCost CostFromDepth(const PieceGraph& pieces, float unit_nm, float exponent) {
  TravelCost cost(pieces.size());
  for (uint32_t piece = 0; piece < pieces.size(); ++piece) {
    cost[piece] = std::pow(unit_nm / pieces.depth_nm(piece), exponent);
  }
  return cost;
}

void Grow(const PieceGraph& pieces, const TravelCost& cost, std::span<const uint32_t> owned, PieceSides& sides) {
  std::vector<float> time(pieces.size(), std::numeric_limits<float>::infinity());
  RadixHeap open;
  for (const uint32_t piece : owned) {
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
      if (then < time[arc.to]) {
        time[arc.to] = then;
        sides[arc.to] = sides[piece];
        open.Push(then, arc.to);
      }
    }
  }
}

Ways FindWays(const PieceGraph& pieces, const TravelCost& cost, uint32_t start, std::span<const uint32_t> targets,
              uint8_t owner, const PieceSides& sides) {
  std::vector<float> time(pieces.size(), std::numeric_limits<float>::infinity());
  std::vector<uint32_t> previous(pieces.size());
  std::vector<uint32_t> missing(targets.begin(), targets.end());
  RadixHeap open;
  time[start] = 0;
  open.Push(0, start);
  while (!open.empty() && !missing.empty()) {
    const auto [now, piece] = open.Pop();
    if (now > time[piece]) {
      continue;
    }
    std::erase(missing, piece);
    for (const PieceGraph::Arc& arc : pieces.arcs(piece)) {
      const float then = now + arc.length_nm * (cost[piece] + cost[arc.to]) / 2;
      if (then < time[arc.to] && (sides[arc.to] == 0 || sides[arc.to] == owner)) {
        time[arc.to] = then;
        previous[arc.to] = piece;
        open.Push(then, arc.to);
      }
    }
  }
  Ways ways;
  if (!missing.empty()) {
    ways.unreachable = missing.front();
    return ways;
  }
  for (uint32_t piece : targets) {
    for (; piece != start; piece = previous[piece]) {
      ways.pieces.push_back(piece);
    }
  }
  ways.pieces.push_back(start);
  std::sort(ways.pieces.begin(), ways.pieces.end());
  ways.pieces.erase(std::unique(ways.pieces.begin(), ways.pieces.end()), ways.pieces.end());
  return ways;
}

}  // namespace cleave::cut
