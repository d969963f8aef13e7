// The later tasks of ingest, chunk by chunk: L2 nodes over supervoxels, then one layer of parents after the other.
//
// The rules are those of graph/hierarchy.h; here whole chunks are taken at once, so every partner of an active edge is
// among the nodes at hand and nothing has to be looked up. Planning a chunk only reads; ids and rows come after it.
#pragma once

#include <span>
#include <vector>

#include "absl/status/statusor.h"

#include "graph/graph_view.h"
#include "graph/hierarchy.h"
#include "graph/ids.h"
#include "ingest/chunk_edges.h"
#include "table/table.h"

namespace cleave::ingest {

// All that is known of one chunk's atomic layer: what every ingest makes of its input, whatever that is, and what rows
// are made of. REQUIRES of `edges`: ends in this chunk are among `supervoxels`.
struct AtomicChunk {
  ChunkPoint position;
  std::vector<graph::NodeId> supervoxels;  // ascending
  AtomicEdges edges;
};

// The L2 nodes of a chunk, ascending by their smallest supervoxel: the pieces that active edges inside the chunk hold
// together. Segments count from 1, so the same input gives the same ids.
[[nodiscard]] std::vector<graph::PlannedNode> MakeL2Nodes(const graph::IdLayout& layout, const AtomicChunk& chunk);

// A node of the layer below, as far as its parent's making needs it.
struct ChildNode {
  graph::NodeId id{};
  graph::CrossEdges cross_edges;  // of layers >= its own
};

// A node to be made: it has no id yet, only the chunk that will name it (not always the one being planned, since a
// single node skips the layers at which it has no edge).
struct NewParent {
  graph::ChunkAddress chunk;
  std::vector<graph::NodeId> children;
  graph::CrossEdges cross_edges;  // of layers >= chunk.layer
};

// The nodes of one chunk of a layer >= 2, ascending. DATA_LOSS names the row that is damaged.
[[nodiscard]] absl::StatusOr<std::vector<ChildNode>> ReadNodes(const graph::IdLayout& layout,
                                                               const table::TableReader& table,
                                                               const graph::ChunkAddress& chunk);

// The parents of `children`, all the nodes of layer L-1 in one chunk of layer L = `chunk.layer`. INTERNAL when an
// active edge leads to no child, naming it.
[[nodiscard]] absl::StatusOr<std::vector<NewParent>> PlanParents(const graph::IdLayout& layout,
                                                                 const graph::ChunkAddress& chunk,
                                                                 const std::vector<ChildNode>& children);

}  // namespace cleave::ingest
