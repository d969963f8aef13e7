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

// Whether edges lead from any source to any sink.
bool Joined(const std::vector<Edge>& edges, const std::vector<NodeId>& sources, const std::vector<NodeId>& sinks) {
  std::vector<NodeId> members = sources;
  members.insert(members.end(), sinks.begin(), sinks.end());
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
  return std::ranges::any_of(sources, [&](NodeId source) {
    return std::ranges::any_of(sinks, [&](NodeId sink) { return component_of[source] == component_of[sink]; });
  });
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

std::vector<NodeId> WorkingGraph::FamilyOf(NodeId member) const {
  absl::flat_hash_map<NodeId, std::vector<NodeId>> neighbours;
  for (const Edge& edge : local_.active) {
    if (std::isinf(edge.affinity)) {
      neighbours[edge.node1].push_back(edge.node2);
      neighbours[edge.node2].push_back(edge.node1);
    }
  }
  absl::flat_hash_set<NodeId> seen = {member};
  std::vector<NodeId> family = {member};
  for (size_t next = 0; next < family.size(); ++next) {
    for (const NodeId neighbour : neighbours[family[next]]) {
      if (seen.insert(neighbour).second) {
        family.push_back(neighbour);
      }
    }
  }
  std::ranges::sort(family);
  return family;
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

absl::StatusOr<RegionCut> WorkingGraph::Cut(const std::vector<NodeId>& sources, const std::vector<NodeId>& sinks,
                                            const CutRules& rules) const {
  RegionCut result;
  absl::flat_hash_set<NodeId> looked_at;
  for (const NodeId source : sources) {
    std::vector<NodeId> family = FamilyOf(source);
    if (looked_at.insert(family.front()).second &&
        std::ranges::any_of(sinks, [&](NodeId sink) { return std::ranges::binary_search(family, sink); })) {
      result.shared_families.push_back(std::move(family));
    }
  }
  if (!result.shared_families.empty()) {
    return result;
  }
  if (!Joined(local_.active, sources, sinks)) {
    return result;
  }
  std::vector<cut::WeightedEdge> edges;
  for (const Edge& edge : local_.active) {
    edges.push_back({Value(edge.node1), Value(edge.node2), edge.affinity});
  }
  const std::vector<uint64_t> source_ids = graph::ToIntegers(sources);
  const std::vector<uint64_t> sink_ids = graph::ToIntegers(sinks);
  // After a voxel cut a side may be nothing but the labelled fragments; that is what the user asked for.
  CLEAVE_ASSIGN_OR_RETURN(const cut::GraphCut cut,
                          cut::CutGraph({.edges = edges,
                                         .sources = source_ids,
                                         .sinks = sink_ids,
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

}  // namespace cleave::edit
