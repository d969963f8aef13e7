#include "graph/l2_components.h"

#include <algorithm>
#include <numeric>

#include "absl/container/flat_hash_map.h"

namespace cleave::graph {

std::vector<std::vector<NodeId>> ComponentsOf(std::span<const NodeId> supervoxels, std::span<const EdgeEnds> edges) {
  std::vector<NodeId> members(supervoxels.begin(), supervoxels.end());
  std::ranges::sort(members);
  members.erase(std::ranges::unique(members).begin(), members.end());
  absl::flat_hash_map<NodeId, size_t> index_of;
  index_of.reserve(members.size());
  for (size_t i = 0; i < members.size(); ++i) {
    index_of[members[i]] = i;
  }
  // Union by smaller index: the root of a set is its smallest member, so components come out in ascending order.
  std::vector<size_t> parent(members.size());
  std::iota(parent.begin(), parent.end(), size_t{0});
  const auto find = [&parent](size_t i) {
    while (parent[i] != i) {
      i = parent[i] = parent[parent[i]];
    }
    return i;
  };
  for (const EdgeEnds& edge : edges) {
    const auto a = index_of.find(edge.node1);
    const auto b = index_of.find(edge.node2);
    if (a == index_of.end() || b == index_of.end()) {
      continue;
    }
    const size_t root_a = find(a->second);
    const size_t root_b = find(b->second);
    parent[std::max(root_a, root_b)] = std::min(root_a, root_b);
  }
  std::vector<std::vector<NodeId>> components;
  std::vector<size_t> slot(members.size());
  for (size_t i = 0; i < members.size(); ++i) {
    const size_t root = find(i);
    if (root == i) {
      slot[i] = components.size();
      components.emplace_back();
    }
    components[slot[root]].push_back(members[i]);
  }
  return components;
}

}  // namespace cleave::graph
