// The edges of objects: between supervoxels, and lifted to the nodes above them.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "graph/edges.h"
#include "graph/graph_view.h"
#include "graph/ids.h"

namespace cleave::graph {

// What an edge is to the L2 nodes asked for, by its first end's: both ends below that one L2 node; both in one chunk,
// the other end below another L2 node (perhaps of another object); or the other end in another chunk.
enum class EdgeCategory { kIn, kOut, kCross };
[[nodiscard]] absl::string_view Name(EdgeCategory category);

// Holds no edge twice, whatever its direction.
struct SubgraphEdge {
  Edge edge;  // node1 lies below a node asked for
  EdgeCategory category = EdgeCategory::kIn;
  bool active = false;    // the graph holds its ends together
  bool internal = false;  // node2 lies below a node asked for, too
};

enum class EdgeExtent { kInternal, kAll };

// All edges with an end below one of `l2_nodes`, or (kInternal) with both, in ascending order of their ends. `view`
// decides which are active. INVALID_ARGUMENT when a node is no L2 node, or two of them hold the same supervoxel: they
// are then not of one time.
[[nodiscard]] absl::StatusOr<std::vector<SubgraphEdge>> EdgesOfL2Nodes(const GraphView& view, const EdgeFiles& files,
                                                                       std::span<const NodeId> l2_nodes,
                                                                       EdgeExtent extent);

// The same for all L2 nodes below `nodes` whose chunk overlaps `box`.
[[nodiscard]] absl::StatusOr<std::vector<SubgraphEdge>> EdgesBelow(const GraphView& view, const EdgeFiles& files,
                                                                   std::span<const NodeId> nodes,
                                                                   const std::optional<Box>& box, EdgeExtent extent);

// The active edges that leave each node, of every layer >= its own, as pairs [node, partner], ascending and unique: the
// partner is the highest ancestor of the other end in a layer <= the node's.
[[nodiscard]] absl::StatusOr<std::vector<std::vector<EdgeEnds>>> LiftedCrossEdges(const GraphView& view,
                                                                                  std::span<const NodeId> nodes);

}  // namespace cleave::graph
