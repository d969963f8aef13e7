#include "graph/l2_graph.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "graph/descend.h"

namespace cleave::graph {
namespace {

// The L2 neighbours of each node over edges of layers below `layer_end`.
absl::StatusOr<std::vector<std::vector<NodeId>>> NeighboursOf(const GraphView& view, std::span<const NodeId> l2_nodes,
                                                              int layer_end) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<CrossEdges> cross_edges, view.CrossEdgesOf(l2_nodes));
  std::vector<NodeId> partners;
  std::vector<size_t> counts;
  for (const CrossEdges& edges : cross_edges) {
    const size_t before = partners.size();
    for (auto ends = edges.begin(); ends != edges.lower_bound(layer_end); ++ends) {
      std::ranges::transform(ends->second, std::back_inserter(partners), &EdgeEnds::node2);
    }
    counts.push_back(partners.size() - before);
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> above, view.Ancestors(partners, kL2Layer));
  std::vector<std::vector<NodeId>> neighbours(l2_nodes.size());
  size_t next = 0;
  for (size_t i = 0; i < l2_nodes.size(); ++i) {
    neighbours[i].assign(above.begin() + static_cast<std::ptrdiff_t>(next),
                         above.begin() + static_cast<std::ptrdiff_t>(next + counts[i]));
    next += counts[i];
    std::ranges::sort(neighbours[i]);
    neighbours[i].erase(std::ranges::unique(neighbours[i]).begin(), neighbours[i].end());
  }
  return neighbours;
}

// One side of a search.
struct Front {
  std::vector<NodeId> nodes;                         // the newest
  absl::flat_hash_map<NodeId, NodeId> reached_from;  // all; 0 for the beginning
};

std::vector<NodeId> WayBack(const Front& front, NodeId from) {
  std::vector<NodeId> way;
  for (NodeId node = from; node != NodeId{}; node = front.reached_from.at(node)) {
    way.push_back(node);
  }
  return way;
}

// Goes one step on; returns a node that `other` has reached too, 0 if there is none.
absl::StatusOr<NodeId> Advance(const GraphView& view, int layer_end, Front& front, const Front& other) {
  CLEAVE_ASSIGN_OR_RETURN(const auto neighbours, NeighboursOf(view, front.nodes, layer_end));
  std::vector<NodeId> next;
  NodeId meeting{};
  for (size_t i = 0; i < front.nodes.size(); ++i) {
    for (const NodeId neighbour : neighbours[i]) {
      if (front.reached_from.try_emplace(neighbour, front.nodes[i]).second) {
        next.push_back(neighbour);
        if (meeting == NodeId{} && other.reached_from.contains(neighbour)) {
          meeting = neighbour;
        }
      }
    }
  }
  front.nodes = std::move(next);
  return meeting;
}

struct Ends {
  NodeId source{};
  NodeId sink{};
  int common_layer = 0;  // of the lowest common ancestor
};

absl::StatusOr<Ends> FindEnds(const GraphView& view, NodeId source, NodeId sink) {
  const NodeId both[] = {source, sink};
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> supervoxels, FirstSupervoxels(view, both));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::vector<NodeId>> chains, view.Chains(supervoxels));
  for (size_t i = 0; i < 2; ++i) {
    if (chains[i].empty()) {
      return absl::NotFoundError(absl::StrCat("there is no node ", Value(both[i]), " at this time"));
    }
  }
  for (const NodeId ancestor : chains[0]) {
    if (std::ranges::count(chains[1], ancestor) > 0) {
      return Ends{chains[0].front(), chains[1].front(), view.layout().LayerOf(ancestor)};
    }
  }
  return absl::NotFoundError(absl::StrCat("no path: node ", Value(source), " belongs to object ",
                                          Value(chains[0].back()), ", node ", Value(sink), " to object ",
                                          Value(chains[1].back())));
}

}  // namespace

absl::StatusOr<std::vector<EdgeEnds>> L2Graph(const GraphView& view, NodeId node, const std::optional<Box>& box) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> l2_nodes, view.L2Nodes(node, box));
  CLEAVE_ASSIGN_OR_RETURN(const auto neighbours, NeighboursOf(view, l2_nodes, view.layout().layer_count()));
  std::vector<EdgeEnds> pairs;
  for (size_t i = 0; i < l2_nodes.size(); ++i) {
    for (const NodeId neighbour : neighbours[i]) {
      if (l2_nodes[i] < neighbour && std::ranges::binary_search(l2_nodes, neighbour)) {
        pairs.push_back({l2_nodes[i], neighbour});
      }
    }
  }
  return pairs;
}

absl::StatusOr<std::vector<NodeId>> ShortestL2Path(const GraphView& view, NodeId source, NodeId sink) {
  CLEAVE_ASSIGN_OR_RETURN(const Ends ends, FindEnds(view, source, sink));
  Front from_source{{ends.source}, {{ends.source, NodeId{}}}};
  Front from_sink{{ends.sink}, {{ends.sink, NodeId{}}}};
  NodeId meeting = ends.source == ends.sink ? ends.source : NodeId{};
  // Edges of the common ancestor's layer and above leave it.
  while (meeting == NodeId{}) {
    if (from_source.nodes.empty() || from_sink.nodes.empty()) {
      return absl::DataLossError(absl::StrCat("L2 nodes ", Value(ends.source), " and ", Value(ends.sink),
                                              " have an ancestor in common, but no edges between them; run `cleave "
                                              "fsck`"));
    }
    const bool source_first = from_source.nodes.size() <= from_sink.nodes.size();
    Front& front = source_first ? from_source : from_sink;
    CLEAVE_ASSIGN_OR_RETURN(meeting, Advance(view, ends.common_layer, front, source_first ? from_sink : from_source));
  }
  std::vector<NodeId> path = WayBack(from_source, meeting);
  std::ranges::reverse(path);
  const std::vector<NodeId> rest = WayBack(from_sink, meeting);
  path.insert(path.end(), rest.begin() + 1, rest.end());
  return path;
}

}  // namespace cleave::graph
