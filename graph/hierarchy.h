// Plans the layers above L2 after some L2 nodes have been replaced: the part that merges, splits and voxel cuts share.
#pragma once

#include <span>
#include <vector>

#include "absl/status/statusor.h"

#include "graph/graph_view.h"
#include "graph/id_allocator.h"
#include "graph/ids.h"

namespace cleave::graph {

// One L2 node of the new state, still without an id: supervoxels that active edges hold together inside a chunk.
struct L2Piece {
  ChunkPoint chunk;
  std::vector<NodeId> supervoxels;
  CrossEdges cross_edges;  // the active ones that leave the chunk, both ends named as they will be
};

struct PlannedNode {
  NodeId id{};
  std::vector<NodeId> children;  // ascending
  CrossEdges cross_edges;        // of layers >= the node's own
};

struct HierarchyPlan {
  std::vector<PlannedNode> nodes;  // all new nodes, by layer from L2 to the roots
  std::vector<NodeId> old_roots;   // ascending
  std::vector<NodeId> new_roots;   // ascending
};

// `retired`: the L2 nodes that cease to exist; every ancestor of theirs does too. `pieces`: what stands in their place.
// New ids come from `ids`; nothing else is written. INTERNAL when the stored graph contradicts itself, naming the edge.
//
// For L = 2, 3, ... below the top layer:
//   1. The nodes of layer L that need a parent are the new ones and the unretired children of retired parents.
//   2. Their active edges of layer L join them into components; an edge's partner is found by climbing from its
//      supervoxel, through the plan's own parents first and the stored ones else.
//   3. A component of two or more nodes gets a parent in layer L + 1. A single node gets one in the lowest layer above
//   L
//      at which it has a cross edge, else in the top layer, and takes part there.
[[nodiscard]] absl::StatusOr<HierarchyPlan> PlanHierarchy(const GraphView& view, IdAllocator& ids,
                                                          std::span<const NodeId> retired,
                                                          std::span<const L2Piece> pieces);

}  // namespace cleave::graph
