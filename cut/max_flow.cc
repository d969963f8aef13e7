// Dinic's algorithm.
//
// 1. Breadth-first levels from the source over arcs with residual capacity; no level for the sink: done, and the
//    vertices with a level are the source's side.
// 2. Depth-first paths to the sink that climb one level a step; each path is filled up, dead ends are closed by moving
//    the vertex's next arc on, so every arc is given up at most once a phase.
// 3. When no path is left the sink's level has grown: back to 1.
#include "cut/max_flow.h"

#include <algorithm>
#include <cassert>

namespace cleave::cut {

MaxFlow::MaxFlow(uint32_t vertex_count, std::span<const CapacityEdge> edges)
    : first_arc_(vertex_count + 1, 0), level_(vertex_count, -1) {
  for (const CapacityEdge& edge : edges) {
    assert(edge.a < vertex_count && edge.b < vertex_count);
    assert(edge.capacity >= 0 && edge.capacity <= kCapacityLimit);
    if (edge.a != edge.b) {
      ++first_arc_[edge.a + 1];
      ++first_arc_[edge.b + 1];
    }
  }
  for (uint32_t v = 0; v < vertex_count; ++v) {
    first_arc_[v + 1] += first_arc_[v];
  }
  head_.resize(first_arc_.back());
  reverse_.resize(head_.size());
  residual_.resize(head_.size());
  std::vector<uint32_t> next(first_arc_.begin(), first_arc_.end() - 1);
  for (const CapacityEdge& edge : edges) {
    if (edge.a == edge.b) {
      continue;
    }
    const uint32_t forth = next[edge.a]++;
    const uint32_t back = next[edge.b]++;
    head_[forth] = edge.b;
    head_[back] = edge.a;
    reverse_[forth] = back;
    reverse_[back] = forth;
    residual_[forth] = residual_[back] = edge.capacity;
  }
}

bool MaxFlow::FindLevels(uint32_t source, uint32_t sink) {
  std::fill(level_.begin(), level_.end(), -1);
  level_[source] = 0;
  queue_.assign(1, source);
  for (size_t i = 0; i < queue_.size(); ++i) {
    const uint32_t v = queue_[i];
    for (uint32_t arc = first_arc_[v]; arc < first_arc_[v + 1]; ++arc) {
      if (residual_[arc] > 0 && level_[head_[arc]] < 0) {
        level_[head_[arc]] = level_[v] + 1;
        queue_.push_back(head_[arc]);
      }
    }
  }
  return level_[sink] >= 0;
}

int64_t MaxFlow::PushOnePath(uint32_t source, uint32_t sink) {
  path_.clear();
  uint32_t v = source;
  while (v != sink) {
    uint32_t& arc = next_arc_[v];
    while (arc < first_arc_[v + 1] && (residual_[arc] == 0 || level_[head_[arc]] != level_[v] + 1)) {
      ++arc;
    }
    if (arc < first_arc_[v + 1]) {
      path_.push_back(arc);
      v = head_[arc];
    } else if (v == source) {
      return 0;
    } else {
      v = head_[reverse_[path_.back()]];
      ++next_arc_[v];
      path_.pop_back();
    }
  }
  int64_t amount = kCapacityLimit;
  for (const uint32_t arc : path_) {
    amount = std::min(amount, residual_[arc]);
  }
  for (const uint32_t arc : path_) {
    residual_[arc] -= amount;
    residual_[reverse_[arc]] += amount;
  }
  return amount;
}

int64_t MaxFlow::Solve(uint32_t source, uint32_t sink) {
  assert(source != sink);
  int64_t flow = 0;
  while (FindLevels(source, sink)) {
    next_arc_.assign(first_arc_.begin(), first_arc_.end() - 1);
    while (const int64_t amount = PushOnePath(source, sink)) {
      flow += amount;
      if (flow >= kCapacityLimit) {
        return kCapacityLimit;
      }
    }
  }
  return flow;
}

}  // namespace cleave::cut
