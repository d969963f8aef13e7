// A small chunked graph in a table in memory, built from supervoxels and active edges. Not for product code.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"

#include "graph/edges.h"
#include "graph/graph_view.h"
#include "graph/hierarchy.h"
#include "graph/id_allocator.h"
#include "graph/ids.h"
#include "graph/l2_components.h"
#include "table/columns.h"
#include "table/memory_table.h"
#include "table/row_keys.h"
#include "table/serializers.h"

namespace cleave::graph {

class MemoryGraph {
 public:
  explicit MemoryGraph(const Box& volume, Extent3 chunk_size)
      : layout_(IdLayout::Create(volume, chunk_size).value()), ids_(layout_, table_) {}

  const IdLayout& layout() const { return layout_; }
  table::MemoryTable& table() { return table_; }
  IdAllocator& ids() { return ids_; }
  GraphView View(absl::Time at = absl::InfiniteFuture()) const { return {layout_, table_, at}; }

  NodeId NewSupervoxel(ChunkPoint chunk) { return ids_.NewNodes({kSupervoxelLayer, chunk}, 1).value().front(); }

  // The L2 pieces of supervoxels that `edges` join.
  std::vector<L2Piece> PiecesOf(const std::vector<NodeId>& supervoxels, const std::vector<EdgeEnds>& edges) const {
    std::map<ChunkPoint, std::vector<NodeId>> by_chunk;
    for (const NodeId id : supervoxels) {
      by_chunk[layout_.ChunkOf(id).position].push_back(id);
    }
    std::vector<EdgeEnds> inside;
    std::map<NodeId, CrossEdges> leaving;
    for (const EdgeEnds& edge : edges) {
      if (const int layer = layout_.EdgeLayer(edge.node1, edge.node2); layer == kSupervoxelLayer) {
        inside.push_back(edge);
      } else {
        leaving[edge.node1][layer].push_back(edge);
        leaving[edge.node2][layer].push_back(edge.Reversed());
      }
    }
    std::vector<L2Piece> pieces;
    for (const auto& [chunk, members] : by_chunk) {
      for (std::vector<NodeId>& component : ComponentsOf(members, inside)) {
        L2Piece piece{chunk, component, {}};
        for (const NodeId id : component) {
          for (const auto& [layer, ends] : leaving[id]) {
            piece.cross_edges[layer].insert(piece.cross_edges[layer].end(), ends.begin(), ends.end());
          }
        }
        pieces.push_back(std::move(piece));
      }
    }
    return pieces;
  }

  // Stores nodes: children, cross edges, parents.
  void Store(const std::vector<PlannedNode>& nodes, absl::Time time) {
    std::vector<table::RowMutation> rows;
    for (const PlannedNode& node : nodes) {
      table::RowMutation row{
          table::NodeRowKey(Value(node.id)),
          {table::SetCell{table::columns::kChild, time, table::EncodeCompressedArray(node.children)}}};
      for (const auto& [layer, edges] : node.cross_edges) {
        row.changes.push_back(table::SetCell{table::columns::AtomicCrossChunkEdge({.value = layer}), time,
                                             table::EncodeCompressedArray(edges)});
      }
      rows.push_back(std::move(row));
      for (const NodeId child : node.children) {
        rows.push_back({table::NodeRowKey(Value(child)),
                        {table::SetCell{table::columns::kParent, time, table::EncodeValue(Value(node.id))}}});
      }
    }
    ASSERT_TRUE(table_.Apply(rows).ok());
  }

  // Builds all layers from nothing. By the planner, whose results CheckWhole judges.
  void Build(const std::vector<NodeId>& supervoxels, const std::vector<EdgeEnds>& edges, absl::Time time) {
    const auto plan = PlanHierarchy(View(), ids_, {}, PiecesOf(supervoxels, edges));
    ASSERT_TRUE(plan.ok()) << plan.status();
    Store(plan->nodes, time);
  }

  // Every rule of the hierarchy, by brute force over all supervoxels and edges: roots are the components; each node has
  // one parent, which lists it; a node lies above its children; no node but a root stands alone below a parent that is
  // one layer up; cross edges of a node are those of its supervoxels.
  void CheckWhole(const std::vector<NodeId>& supervoxels, const std::vector<EdgeEnds>& edges,
                  absl::Time at = absl::InfiniteFuture()) const {
    const GraphView view = View(at);
    const auto roots = view.Roots(supervoxels);
    ASSERT_TRUE(roots.ok()) << roots.status();
    std::map<NodeId, NodeId> root_of;
    for (size_t i = 0; i < supervoxels.size(); ++i) {
      ASSERT_NE((*roots)[i], NodeId{}) << "supervoxel " << Value(supervoxels[i]) << " has no root";
      root_of[supervoxels[i]] = (*roots)[i];
    }
    std::set<NodeId> seen_roots;
    for (const std::vector<NodeId>& component : ComponentsOf(supervoxels, edges)) {
      const NodeId root = root_of[component.front()];
      EXPECT_TRUE(seen_roots.insert(root).second) << "two components in root " << Value(root);
      for (const NodeId member : component) {
        EXPECT_EQ(root_of[member], root) << "a component in two roots";
      }
      EXPECT_EQ(view.Leaves(root, std::nullopt).value(), component);
    }
    std::vector<NodeId> nodes = supervoxels;
    while (!nodes.empty()) {
      const std::vector<NodeId> parents = view.Parents(nodes).value();
      std::set<NodeId> next;
      for (size_t i = 0; i < nodes.size(); ++i) {
        if (parents[i] == NodeId{}) {
          EXPECT_EQ(layout_.LayerOf(nodes[i]), layout_.layer_count());
          continue;
        }
        next.insert(parents[i]);
        const NodeId one[] = {parents[i]};
        const std::vector<NodeId> siblings = view.Children(one).value().front();
        EXPECT_EQ(std::ranges::count(siblings, nodes[i]), 1);
        const ChunkAddress chunk = layout_.ChunkOf(parents[i]);
        EXPECT_EQ(layout_.AncestorChunk(layout_.ChunkOf(nodes[i]), chunk.layer), chunk);
        CheckCrossEdges(view, parents[i], edges);
        if (siblings.size() == 1 && chunk.layer > kL2Layer && chunk.layer < layout_.layer_count()) {
          EXPECT_FALSE(view.CrossEdgesOf(one, chunk.layer).value().front().empty())
              << "node " << Value(parents[i]) << " stands in a layer where it joins nothing";
        }
      }
      nodes.assign(next.begin(), next.end());
    }
  }

 private:
  void CheckCrossEdges(const GraphView& view, NodeId node, const std::vector<EdgeEnds>& edges) const {
    const std::vector<NodeId> leaves = view.Leaves(node, std::nullopt).value();
    std::map<int, std::set<EdgeEnds>> expected;
    for (const EdgeEnds& edge : edges) {
      for (const EdgeEnds& own : {edge, edge.Reversed()}) {
        const int layer = layout_.EdgeLayer(own.node1, own.node2);
        if (layer >= layout_.LayerOf(node) && std::ranges::binary_search(leaves, own.node1)) {
          expected[layer].insert(own);
        }
      }
    }
    const NodeId one[] = {node};
    std::map<int, std::set<EdgeEnds>> stored;
    const CrossEdges cross_edges = view.CrossEdgesOf(one).value().front();
    for (const auto& [layer, ends] : cross_edges) {
      stored[layer].insert(ends.begin(), ends.end());
    }
    EXPECT_EQ(stored, expected) << "cross edges of node " << Value(node);
  }

  table::MemoryTable table_;
  IdLayout layout_;
  IdAllocator ids_;
};

inline std::ostream& operator<<(std::ostream& stream, const EdgeEnds& ends) {
  return stream << Value(ends.node1) << '-' << Value(ends.node2);
}

}  // namespace cleave::graph
