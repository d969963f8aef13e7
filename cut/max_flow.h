// Maximum flow, and with it the cheapest cut, between two vertices of an undirected graph.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace cleave::cut {

// An undirected edge: `capacity` may flow in either direction. REQUIRES of all users: 0 <= capacity <= kCapacityLimit.
struct CapacityEdge {
  uint32_t a = 0;
  uint32_t b = 0;
  int64_t capacity = 0;
};

// The greatest capacity, for edges that must never be cut. The sum of all smaller capacities should stay below it.
inline constexpr int64_t kCapacityLimit = int64_t{1} << 60;

// Dinic's algorithm (E. A. Dinic, 1970) on arrays. Whole numbers, so the answer is exact and the same everywhere.
// Build once, call Solve once. Not thread-safe.
class MaxFlow {
 public:
  // REQUIRES: every end is below `vertex_count`. Loops are ignored; parallel edges add up.
  MaxFlow(uint32_t vertex_count, std::span<const CapacityEdge> edges);

  // Pushes all flow from `source` to `sink` and returns how much. Terminates early, with kCapacityLimit, when a way of
  // uncuttable edges joins them. REQUIRES: source != sink.
  int64_t Solve(uint32_t source, uint32_t sink);

  // After Solve: whether a vertex stands on the source's side of the cheapest cut (of several, the one nearest to the
  // source).
  [[nodiscard]] bool OnSourceSide(uint32_t vertex) const { return level_[vertex] >= 0; }

 private:
  bool FindLevels(uint32_t source, uint32_t sink);
  int64_t PushOnePath(uint32_t source, uint32_t sink);

  // Arcs in order of their tails: those of vertex v are [first_arc_[v], first_arc_[v + 1]).
  std::vector<uint32_t> first_arc_;
  std::vector<uint32_t> head_;
  std::vector<uint32_t> reverse_;
  std::vector<int64_t> residual_;
  std::vector<int32_t> level_;  // steps from the source in the residual graph; -1 when out of reach
  std::vector<uint32_t> next_arc_;
  std::vector<uint32_t> path_;  // arcs
  std::vector<uint32_t> queue_;
};

}  // namespace cleave::cut
