// The graph of an object's L2 nodes, and ways through it.
//
// Two L2 nodes are neighbours when an active cross-chunk edge joins them. Edges are those of the view's time, kept by
// every edit; PyChunkedGraph reads the ones of ingest, which edited nodes lack.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

#include "graph/edges.h"
#include "graph/graph_view.h"
#include "graph/ids.h"

namespace cleave::graph {

// The neighbours among the L2 nodes below `node` whose chunk overlaps `box`: each pair once, the smaller id first,
// ascending.
[[nodiscard]] absl::StatusOr<std::vector<EdgeEnds>> L2Graph(const GraphView& view, NodeId node,
                                                            const std::optional<Box>& box);

// The L2 nodes on a way with the fewest steps from `source` to `sink`, both ends included, through L2 nodes below their
// lowest common ancestor. A supervoxel stands for its L2 node, a higher node for that of its first supervoxel
// (graph/descend.h). NOT_FOUND when one does not exist, or when they have different roots.
//
// Searched breadth first from both sides in turn, the smaller front first; a step reads all of its front at once.
[[nodiscard]] absl::StatusOr<std::vector<NodeId>> ShortestL2Path(const GraphView& view, NodeId source, NodeId sink);

}  // namespace cleave::graph
