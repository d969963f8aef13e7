#include "graph/subgraph.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "graph/descend.h"
#include "graph/local_graph.h"

namespace cleave::graph {
namespace {

absl::Status CheckL2Nodes(const GraphView& view, std::span<const NodeId> l2_nodes) {
  for (const NodeId node : l2_nodes) {
    if (view.layout().LayerOf(node) != kL2Layer) {
      return absl::InvalidArgumentError(
          absl::StrCat("id ", Value(node), " is not an L2 node: its layer is ", view.layout().LayerOf(node)));
    }
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::vector<NodeId>> children, view.Children(l2_nodes));
  absl::flat_hash_map<NodeId, NodeId> owner;
  for (size_t i = 0; i < l2_nodes.size(); ++i) {
    for (const NodeId supervoxel : children[i]) {
      const auto [known, is_new] = owner.try_emplace(supervoxel, l2_nodes[i]);
      if (!is_new && known->second != l2_nodes[i]) {
        return absl::InvalidArgumentError(absl::StrCat("supervoxel ", Value(supervoxel), " lies below both L2 nodes ",
                                                       Value(known->second), " and ", Value(l2_nodes[i]),
                                                       ": they are not of one time"));
      }
    }
  }
  return absl::OkStatus();
}

SubgraphEdge Classify(const IdLayout& layout, const LocalGraph& local, const Edge& edge, bool active) {
  SubgraphEdge result{.edge = edge, .active = active};
  const auto partner = local.l2_of.find(edge.node2);
  result.internal = partner != local.l2_of.end();
  if (layout.ChunkOf(edge.node1).position != layout.ChunkOf(edge.node2).position) {
    result.category = EdgeCategory::kCross;
  } else if (!result.internal || partner->second != local.l2_of.at(edge.node1)) {
    result.category = EdgeCategory::kOut;
  }
  return result;
}

}  // namespace

absl::string_view Name(EdgeCategory category) {
  switch (category) {
    case EdgeCategory::kIn:
      return "in";
    case EdgeCategory::kOut:
      return "out";
    case EdgeCategory::kCross:
      return "cross";
  }
  return "unknown";
}

absl::StatusOr<std::vector<SubgraphEdge>> EdgesOfL2Nodes(const GraphView& view, const EdgeFiles& files,
                                                         std::span<const NodeId> l2_nodes, EdgeExtent extent) {
  CLEAVE_RETURN_IF_ERROR(CheckL2Nodes(view, l2_nodes));
  CLEAVE_ASSIGN_OR_RETURN(const LocalGraph local,
                          LoadLocalGraph(view, view.reader(), files, l2_nodes, OuterEdges::kLoad));
  std::vector<SubgraphEdge> edges;
  for (const Edge& edge : local.active) {
    edges.push_back(Classify(view.layout(), local, edge, /*active=*/true));
  }
  for (const OuterEdge& outer : local.outer) {
    const SubgraphEdge edge = Classify(view.layout(), local, outer.edge, outer.active);
    if (extent == EdgeExtent::kAll || edge.internal) {
      edges.push_back(edge);
    }
  }
  std::ranges::sort(edges, {}, [](const SubgraphEdge& e) { return EdgeEnds{e.edge.node1, e.edge.node2}; });
  return edges;
}

absl::StatusOr<std::vector<SubgraphEdge>> EdgesBelow(const GraphView& view, const EdgeFiles& files,
                                                     std::span<const NodeId> nodes, const std::optional<Box>& box,
                                                     EdgeExtent extent) {
  CLEAVE_ASSIGN_OR_RETURN(const auto lists, Descendants(view, nodes, {.stop_layer = kL2Layer, .box = box}));
  std::vector<NodeId> l2_nodes;
  for (const std::vector<NodeId>& list : lists) {
    l2_nodes.insert(l2_nodes.end(), list.begin(), list.end());
  }
  std::ranges::sort(l2_nodes);
  l2_nodes.erase(std::ranges::unique(l2_nodes).begin(), l2_nodes.end());
  return EdgesOfL2Nodes(view, files, l2_nodes, extent);
}

absl::StatusOr<std::vector<std::vector<EdgeEnds>>> LiftedCrossEdges(const GraphView& view,
                                                                    std::span<const NodeId> nodes) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<CrossEdges> cross_edges, view.CrossEdgesOf(nodes));
  std::map<int, std::vector<size_t>> by_layer;
  for (size_t i = 0; i < nodes.size(); ++i) {
    by_layer[view.layout().LayerOf(nodes[i])].push_back(i);
  }
  std::vector<std::vector<EdgeEnds>> lifted(nodes.size());
  for (const auto& [layer, places] : by_layer) {
    std::vector<NodeId> partners;
    for (const size_t place : places) {
      for (const auto& [edge_layer, ends] : cross_edges[place]) {
        std::ranges::transform(ends, std::back_inserter(partners), &EdgeEnds::node2);
      }
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> above, view.Ancestors(partners, layer));
    size_t next = 0;
    for (const size_t place : places) {
      for (const auto& [edge_layer, ends] : cross_edges[place]) {
        for (size_t i = 0; i < ends.size(); ++i) {
          lifted[place].push_back({nodes[place], above[next++]});
        }
      }
      std::ranges::sort(lifted[place]);
      lifted[place].erase(std::ranges::unique(lifted[place]).begin(), lifted[place].end());
    }
  }
  return lifted;
}

}  // namespace cleave::graph
