#include "edit/edge_states.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"

#include "base/status.h"
#include "graph/local_graph.h"

namespace cleave::edit {
namespace {

using graph::EdgeEnds;
using graph::NodeId;
using PartsOf = absl::flat_hash_map<NodeId, std::vector<NodeId>>;

void SortStates(std::vector<EdgeEnds>& edges) {
  std::ranges::sort(edges);
  edges.erase(std::ranges::unique(edges).begin(), edges.end());
}

}  // namespace

absl::StatusOr<PartsOf> FindParts(const Draft& draft, std::span<const NodeId> supervoxels) {
  const graph::GraphView view = draft.Now();
  PartsOf parts;
  absl::flat_hash_map<NodeId, NodeId> origin;  // of the frontier
  std::vector<NodeId> frontier;
  for (const NodeId id : supervoxels) {
    if (origin.try_emplace(id, id).second) {
      frontier.push_back(id);
    }
  }
  while (!frontier.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::vector<NodeId>> replacements, view.Replacements(frontier));
    std::vector<NodeId> next;
    for (size_t i = 0; i < frontier.size(); ++i) {
      const NodeId from = origin.at(frontier[i]);
      if (replacements[i].empty()) {
        parts[from].push_back(frontier[i]);
      }
      for (const NodeId part : replacements[i]) {
        origin[part] = from;
        next.push_back(part);
      }
    }
    frontier = std::move(next);
  }
  return parts;
}

absl::StatusOr<EdgeStates> FindEdgeStates(const Draft& draft, std::span<const EdgeEnds> edges) {
  std::vector<NodeId> ends;
  absl::flat_hash_set<EdgeEnds> recorded;
  for (const EdgeEnds& edge : edges) {
    ends.push_back(edge.node1);
    ends.push_back(edge.node2);
    recorded.insert(edge.Sorted());
  }
  CLEAVE_ASSIGN_OR_RETURN(const PartsOf parts, FindParts(draft, ends));
  absl::flat_hash_map<NodeId, NodeId> origin;
  std::vector<NodeId> present;
  for (const auto& [former, now] : parts) {
    for (const NodeId part : now) {
      origin[part] = former;
      present.push_back(part);
    }
  }
  CLEAVE_ASSIGN_OR_RETURN(std::vector<NodeId> l2_nodes, draft.Now().Parents(present));
  std::ranges::sort(l2_nodes);
  l2_nodes.erase(std::ranges::unique(l2_nodes).begin(), l2_nodes.end());
  CLEAVE_ASSIGN_OR_RETURN(const graph::LocalGraph local, draft.LoadLocalGraph(l2_nodes, graph::OuterEdges::kLoad));

  EdgeStates states;
  absl::flat_hash_set<EdgeEnds> found;  // as recorded
  const auto sort_in = [&](const graph::Edge& edge, std::vector<EdgeEnds>& list) {
    const auto from1 = origin.find(edge.node1);
    const auto from2 = origin.find(edge.node2);
    if (from1 == origin.end() || from2 == origin.end()) {
      return;
    }
    const EdgeEnds as_recorded = EdgeEnds{from1->second, from2->second}.Sorted();
    if (recorded.contains(as_recorded)) {
      found.insert(as_recorded);
      list.push_back(EdgeEnds{edge.node1, edge.node2}.Sorted());
    }
  };
  for (const graph::Edge& edge : local.active) {
    sort_in(edge, states.active);
  }
  for (const graph::OuterEdge& outer : local.outer) {
    sort_in(outer.edge, outer.active ? states.active : states.inactive);
  }
  const auto is_whole = [&](NodeId id) { return parts.at(id).front() == id; };
  for (const EdgeEnds& edge : recorded) {
    if (!found.contains(edge) && is_whole(edge.node1) && is_whole(edge.node2)) {
      states.missing.push_back(edge);
    }
  }
  SortStates(states.active);
  SortStates(states.inactive);
  SortStates(states.missing);
  return states;
}

}  // namespace cleave::edit
