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

void SortIds(std::vector<NodeId>& ids) {
  std::ranges::sort(ids);
  ids.erase(std::ranges::unique(ids).begin(), ids.end());
}

}  // namespace

absl::StatusOr<PartsOf> FindParts(const Draft& draft, std::span<const NodeId> supervoxels) {
  const graph::GraphView view = draft.Now();
  absl::flat_hash_map<NodeId, std::vector<NodeId>> becomes;  // empty: stands
  std::vector<NodeId> frontier(supervoxels.begin(), supervoxels.end());
  while (!frontier.empty()) {
    SortIds(frontier);
    std::erase_if(frontier, [&](NodeId id) { return becomes.contains(id); });
    CLEAVE_ASSIGN_OR_RETURN(std::vector<std::vector<NodeId>> replacements, view.Replacements(frontier));
    std::vector<NodeId> next;
    for (size_t i = 0; i < frontier.size(); ++i) {
      next.insert(next.end(), replacements[i].begin(), replacements[i].end());
      becomes[frontier[i]] = std::move(replacements[i]);
    }
    frontier = std::move(next);
  }
  PartsOf parts;
  for (const NodeId id : supervoxels) {
    const auto [known, fresh] = parts.try_emplace(id);
    std::vector<NodeId> open = {id};
    while (fresh && !open.empty()) {
      const NodeId next = open.back();
      open.pop_back();
      const std::vector<NodeId>& replacements = becomes.at(next);
      if (replacements.empty()) {
        known->second.push_back(next);
      }
      open.insert(open.end(), replacements.begin(), replacements.end());
    }
    SortIds(known->second);
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
  absl::flat_hash_map<NodeId, std::vector<NodeId>> origins;  // several where fragments are one supervoxel again
  std::vector<NodeId> present;
  for (const auto& [former, now] : parts) {
    for (const NodeId part : now) {
      origins[part].push_back(former);
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
    const auto from1 = origins.find(edge.node1);
    const auto from2 = origins.find(edge.node2);
    if (from1 == origins.end() || from2 == origins.end()) {
      return;
    }
    for (const NodeId end1 : from1->second) {
      for (const NodeId end2 : from2->second) {
        const EdgeEnds as_recorded = EdgeEnds{end1, end2}.Sorted();
        if (recorded.contains(as_recorded)) {
          found.insert(as_recorded);
          list.push_back(EdgeEnds{edge.node1, edge.node2}.Sorted());
        }
      }
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
