// The edges around some L2 nodes at one moment: what ingest stored, what edits added, and which of them are active.
#pragma once

#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"

#include "graph/edges.h"
#include "graph/graph_view.h"
#include "graph/ids.h"
#include "table/table.h"

namespace cleave::graph {

// An edge that leaves the L2 nodes asked for, or is not active.
struct OuterEdge {
  Edge edge;
  bool active = false;  // held by the graph, but its other end lies elsewhere
};

struct LocalGraph {
  // Every supervoxel of the L2 nodes asked for, and its L2 node.
  absl::flat_hash_map<NodeId, NodeId> l2_of;
  // Active edges with both ends in l2_of, each once, node1 < node2, in ascending order.
  std::vector<Edge> active;
  // All other edges with node1 in l2_of: inactive ones, and those that lead to other L2 nodes, active or not. Each
  // once.
  std::vector<OuterEdge> outer;
};

enum class OuterEdges { kSkip, kLoad };

// An edge inside a chunk is active when both ends share an L2 node; one across chunks, when the L2 node of an end lists
// it. Edges to supervoxels that a voxel cut has replaced are left out. `reader` is the view's.
[[nodiscard]] absl::StatusOr<LocalGraph> LoadLocalGraph(const GraphView& view, const table::TableReader& reader,
                                                        const EdgeFiles& files, std::span<const NodeId> l2_nodes,
                                                        OuterEdges outer);

// The edges that edits added in each L2 chunk until the view's time, and later than `after`: users' merges and the
// edges of voxel cuts.
[[nodiscard]] absl::StatusOr<std::vector<std::vector<Edge>>> ReadEditedEdges(const GraphView& view,
                                                                             const table::TableReader& reader,
                                                                             std::span<const ChunkPoint> chunks,
                                                                             absl::Time after = absl::InfinitePast());

// Rows that add `edges` to the chunks of their ends, at the operation's time: each edge in both chunks, its own end
// first.
[[nodiscard]] std::vector<table::RowMutation> FakeEdgeRows(const IdLayout& layout, std::span<const Edge> edges);
[[nodiscard]] std::vector<table::RowMutation> SplitEdgeRows(const IdLayout& layout, std::span<const Edge> edges);

}  // namespace cleave::graph
