// Questions downwards: what lies below nodes, layer by layer. One read a layer, however many nodes are asked about.
//
// Layers may be skipped: the child of a node of layer 5 may be an L2 node. "Down to layer L" therefore means the
// highest nodes of a layer <= L: below a node they hold each of its supervoxels once.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

#include "graph/graph_view.h"
#include "graph/ids.h"

namespace cleave::graph {

struct Descent {
  int stop_layer = kSupervoxelLayer;
  // Only nodes whose chunk overlaps this box; supervoxels by the chunk of their L2 node.
  std::optional<Box> box = std::nullopt;
};

// The nodes of a layer <= `stop_layer` below each of `nodes`, ascending; a node that has such a layer itself gives
// itself (whether it exists or not). Empty for ids above it that do not exist.
[[nodiscard]] absl::StatusOr<std::vector<std::vector<NodeId>>> Descendants(const GraphView& view,
                                                                           std::span<const NodeId> nodes,
                                                                           const Descent& descent);

// All nodes of exactly these layers at or below each of `nodes`, ascending, by layer. Every layer asked for is there.
[[nodiscard]] absl::StatusOr<std::vector<std::map<int, std::vector<NodeId>>>> NodesAtLayers(
    const GraphView& view, std::span<const NodeId> nodes, const std::set<int>& layers, const std::optional<Box>& box);

// One supervoxel of each node, always the same: that of the smallest child of the smallest child, and so on; itself for
// a supervoxel, 0 for unknown ids. (PyChunkedGraph: get_single_leaf_multiple.)
[[nodiscard]] absl::StatusOr<std::vector<NodeId>> FirstSupervoxels(const GraphView& view,
                                                                   std::span<const NodeId> nodes);

// Whether each node is part of the graph at the view's time: it exists and its supervoxels lead up to it. What an edit
// replaced is not. (The opposite of PyChunkedGraph's stale nodes; unknown ids are false.)
[[nodiscard]] absl::StatusOr<std::vector<bool>> AreCurrent(const GraphView& view, std::span<const NodeId> nodes);

struct L2Content {
  NodeId node{};
  std::vector<NodeId> supervoxels;  // ascending
};
// The L2 nodes of a chunk that are part of the graph at the view's time, ascending.
[[nodiscard]] absl::StatusOr<std::vector<L2Content>> ReadL2Chunk(const GraphView& view, ChunkPoint chunk);

// The fewest nodes that hold just what `nodes` hold: with all of them brought down to the lowest layer among them, the
// highest nodes below which nothing is missing. Ascending. NOT_FOUND naming an id that does not exist.
[[nodiscard]] absl::StatusOr<std::vector<NodeId>> MinimalCoveringNodes(const GraphView& view,
                                                                       std::span<const NodeId> nodes);

}  // namespace cleave::graph
