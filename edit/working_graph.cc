#include "edit/working_graph.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "cut/graph_cut.h"
#include "graph/l2_components.h"

namespace cleave::edit {
namespace {

using graph::Edge;
using graph::EdgeEnds;
using graph::NodeId;

absl::flat_hash_set<NodeId> ReplacedBy(const VoxelSplit& split) {
  absl::flat_hash_set<NodeId> replaced;
  for (const Fragment& fragment : split.fragments) {
    replaced.insert(fragment.former);
  }
  return replaced;
}

using Sides = std::vector<std::vector<NodeId>>;

// Whether edges lead from one side to another.
bool AnyJoined(const std::vector<Edge>& edges, const Sides& sides) {
  std::vector<NodeId> members;
  for (const std::vector<NodeId>& side : sides) {
    members.insert(members.end(), side.begin(), side.end());
  }
  std::vector<EdgeEnds> ends;
  for (const Edge& edge : edges) {
    ends.push_back({edge.node1, edge.node2});
    members.push_back(edge.node1);
    members.push_back(edge.node2);
  }
  absl::flat_hash_map<NodeId, size_t> component_of;
  const std::vector<std::vector<NodeId>> components = graph::ComponentsOf(members, ends);
  for (size_t i = 0; i < components.size(); ++i) {
    for (const NodeId member : components[i]) {
      component_of[member] = i;
    }
  }
  absl::flat_hash_map<size_t, size_t> side_of;  // by component
  for (size_t side = 0; side < sides.size(); ++side) {
    for (const NodeId member : sides[side]) {
      if (side_of.try_emplace(component_of.at(member), side).first->second != side) {
        return true;
      }
    }
  }
  return false;
}

bool Touches(const absl::flat_hash_set<NodeId>& ids, const Edge& edge) {
  return ids.contains(edge.node1) || ids.contains(edge.node2);
}

}  // namespace

WorkingGraph::WorkingGraph(graph::LocalGraph local) : local_(std::move(local)) {
  for (const auto& [supervoxel, l2_node] : local_.l2_of) {
    l2_nodes_.insert(l2_node);
  }
}

NodeId WorkingGraph::L2Of(NodeId supervoxel) const {
  const auto found = local_.l2_of.find(supervoxel);
  return found == local_.l2_of.end() ? NodeId{} : found->second;
}

std::vector<EdgeEnds> WorkingGraph::InfiniteEdges(std::span<const NodeId> family) const {
  std::vector<EdgeEnds> edges;
  for (const Edge& edge : local_.active) {
    if (std::isinf(edge.affinity) && std::ranges::binary_search(family, edge.node1)) {
      edges.push_back({edge.node1, edge.node2});
    }
  }
  return edges;
}

std::vector<RoutedEdge> WorkingGraph::EdgesOfReplaced(const VoxelSplit& split) const {
  const absl::flat_hash_set<NodeId> replaced = ReplacedBy(split);
  std::vector<RoutedEdge> edges;
  for (const Edge& edge : local_.active) {
    if (Touches(replaced, edge)) {
      edges.push_back({edge, true});
    }
  }
  for (const graph::OuterEdge& outer : local_.outer) {
    if (Touches(replaced, outer.edge)) {
      edges.push_back({outer.edge, outer.active});
    }
  }
  return edges;
}

void WorkingGraph::Replace(const VoxelSplit& split, const std::vector<RoutedEdge>& edges) {
  const absl::flat_hash_set<NodeId> replaced = ReplacedBy(split);
  std::erase_if(local_.active, [&](const Edge& edge) { return Touches(replaced, edge); });
  std::erase_if(local_.outer, [&](const graph::OuterEdge& outer) { return Touches(replaced, outer.edge); });
  std::erase_if(routed_, [&](const RoutedEdge& routed) { return Touches(replaced, routed.edge); });
  for (const Fragment& fragment : split.fragments) {
    local_.l2_of[fragment.id] = L2Of(fragment.former);
  }
  for (const NodeId id : replaced) {
    local_.l2_of.erase(id);
  }
  for (const RoutedEdge& routed : edges) {
    routed_.push_back(routed);
    const bool inside = local_.l2_of.contains(routed.edge.node1) && local_.l2_of.contains(routed.edge.node2);
    if (routed.active && inside) {
      local_.active.push_back(routed.edge);
    } else {
      local_.outer.push_back({routed.edge, routed.active});
      if (Edge& edge = local_.outer.back().edge; !local_.l2_of.contains(edge.node1)) {
        std::swap(edge.node1, edge.node2);
      }
    }
  }
}

absl::StatusOr<RegionCut> WorkingGraph::Cut(const Sides& sides, const CutRules& rules) const {
  RegionCut result;
  result.shared_families = SharedFamilies(sides);
  if (!result.shared_families.empty() || !AnyJoined(local_.active, sides)) {
    return result;
  }
  std::vector<cut::WeightedEdge> edges;
  for (const Edge& edge : local_.active) {
    edges.push_back({Value(edge.node1), Value(edge.node2), edge.affinity});
  }
  std::vector<std::vector<uint64_t>> teams;
  teams.reserve(sides.size());
  for (const std::vector<NodeId>& side : sides) {
    teams.push_back(graph::ToIntegers(side));
  }
  // After a voxel cut a side may be nothing but the labelled fragments; that is what the user asked for.
  CLEAVE_ASSIGN_OR_RETURN(const cut::GraphCut cut,
                          cut::CutGraph({.edges = edges,
                                         .sources = teams[0],
                                         .sinks = teams[1],
                                         .more_teams = std::span(teams).subspan(2),
                                         .augment_paths = rules.augment_paths,
                                         .refuse_isolating_cut = rules.refuse_isolating_cut && routed_.empty()}));
  if (cut.outcome != cut::GraphCutOutcome::kCut) {
    return absl::FailedPreconditionError(absl::StrCat("the graph cannot be cut between these points: ", cut.reason,
                                                      "; place source and sink points further apart, or more of them"));
  }
  for (const auto& [a, b] : cut.removed) {
    result.removed.push_back({NodeId{a}, NodeId{b}});
  }
  for (const std::vector<uint64_t>& component : cut.components) {
    result.components.push_back(graph::ToNodeIds(component));
  }
  return result;
}

Sides WorkingGraph::SharedFamilies(const Sides& sides) const {
  std::vector<NodeId> members;
  for (const std::vector<NodeId>& side : sides) {
    members.insert(members.end(), side.begin(), side.end());
  }
  std::vector<EdgeEnds> infinite;
  for (const Edge& edge : local_.active) {
    if (std::isinf(edge.affinity)) {
      infinite.push_back({edge.node1, edge.node2});
      members.insert(members.end(), {edge.node1, edge.node2});
    }
  }
  const Sides families = graph::ComponentsOf(members, infinite);
  absl::flat_hash_map<NodeId, size_t> family_of;
  for (size_t i = 0; i < families.size(); ++i) {
    for (const NodeId member : families[i]) {
      family_of[member] = i;
    }
  }
  constexpr size_t kNobody = static_cast<size_t>(-1);
  constexpr size_t kSeveral = static_cast<size_t>(-2);
  std::vector<size_t> side_of(families.size(), kNobody);
  for (size_t side = 0; side < sides.size(); ++side) {
    for (const NodeId point : sides[side]) {
      size_t& owner = side_of[family_of.at(point)];
      owner = owner == kNobody || owner == side ? side : kSeveral;
    }
  }
  Sides shared;
  for (size_t i = 0; i < families.size(); ++i) {
    if (side_of[i] == kSeveral) {
      shared.push_back(families[i]);
    }
  }
  return shared;
}

}  // namespace cleave::edit
