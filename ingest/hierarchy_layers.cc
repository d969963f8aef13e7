#include "ingest/hierarchy_layers.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "graph/l2_components.h"
#include "table/columns.h"
#include "table/row_keys.h"
#include "table/serializers.h"

namespace cleave::ingest {
namespace {

namespace columns = table::columns;
using graph::ChunkAddress;
using graph::CrossEdges;
using graph::EdgeEnds;
using graph::IdLayout;
using graph::NodeId;
using graph::PlannedNode;
using graph::Segment;

// The children's active edges of the layer below `layer`, as pairs of children. Both ends keep their edge, so the
// partner is found as the own end of another child.
absl::StatusOr<std::vector<EdgeEnds>> EdgesAmong(const std::vector<ChildNode>& children, int edge_layer) {
  absl::flat_hash_map<NodeId, NodeId> child_of;
  for (const ChildNode& child : children) {
    if (const auto ends = child.cross_edges.find(edge_layer); ends != child.cross_edges.end()) {
      for (const EdgeEnds& edge : ends->second) {
        child_of[edge.node1] = child.id;
      }
    }
  }
  std::vector<EdgeEnds> edges;
  for (const ChildNode& child : children) {
    const auto ends = child.cross_edges.find(edge_layer);
    if (ends == child.cross_edges.end()) {
      continue;
    }
    for (const EdgeEnds& edge : ends->second) {
      const auto partner = child_of.find(edge.node2);
      if (partner == child_of.end()) {
        return absl::InternalError(absl::StrCat("the active edge ", Value(edge.node1), "-", Value(edge.node2),
                                                " of layer ", edge_layer, " is known on one side only"));
      }
      edges.push_back({child.id, partner->second});
    }
  }
  return edges;
}

// The layer of a single node's parent: the lowest one from `layer` up at which the node has an edge, else the top.
int SingleParentLayer(const IdLayout& layout, const CrossEdges& cross_edges, int layer) {
  const auto lowest = cross_edges.lower_bound(layer);
  return lowest == cross_edges.end() ? layout.layer_count() : lowest->first;
}

absl::StatusOr<ChildNode> DecodeNode(const table::Row& row, const std::vector<table::Column>& edge_columns,
                                     int lowest_layer) {
  ChildNode node;
  CLEAVE_ASSIGN_OR_RETURN(const uint64_t id, table::ParseNodeRowKey(row.key));
  node.id = NodeId{id};
  for (size_t i = 0; i < edge_columns.size(); ++i) {
    if (const table::Cell* cell = row.Newest(edge_columns[i])) {
      CLEAVE_ASSIGN_OR_RETURN(node.cross_edges[lowest_layer + static_cast<int>(i)],
                              table::DecodeCompressedArray<EdgeEnds>(cell->value));
    }
  }
  return node;
}

}  // namespace

std::vector<PlannedNode> MakeL2Nodes(const IdLayout& layout, const AtomicChunk& chunk) {
  std::vector<PlannedNode> nodes;
  absl::flat_hash_map<NodeId, size_t> index_of;
  index_of.reserve(chunk.supervoxels.size());
  for (std::vector<NodeId>& component : graph::ComponentsOf(chunk.supervoxels, chunk.edges.active_inside)) {
    for (const NodeId supervoxel : component) {
      index_of[supervoxel] = nodes.size();
    }
    const NodeId id = layout.MakeNode({graph::kL2Layer, chunk.position}, Segment{nodes.size() + 1});
    nodes.push_back({id, std::move(component), {}});
  }
  for (const EdgeEnds& edge : chunk.edges.active_leaving) {
    nodes[index_of.at(edge.node1)].cross_edges[layout.EdgeLayer(edge.node1, edge.node2)].push_back(edge);
  }
  return nodes;
}

absl::StatusOr<std::vector<ChildNode>> ReadNodes(const IdLayout& layout, const table::TableReader& table,
                                                 const ChunkAddress& chunk) {
  std::vector<table::Column> edge_columns;
  for (int layer = chunk.layer; layer < layout.layer_count(); ++layer) {
    edge_columns.push_back(columns::AtomicCrossChunkEdge(columns::Layer{.value = layer}));
  }
  table::Filter filter{.columns = edge_columns, .cells_per_column = 1};
  filter.columns.push_back(columns::kChild);  // every node has it
  const uint64_t first = Value(layout.MakeNode(chunk, Segment{0}));
  CLEAVE_ASSIGN_OR_RETURN(
      const std::vector<table::Row> rows,
      table.ReadRange(table::NodeRowRange({.first = first, .last = first + Value(layout.SegmentLimit(chunk.layer))}),
                      filter, 0));
  std::vector<ChildNode> nodes;
  nodes.reserve(rows.size());
  for (const table::Row& row : rows) {
    absl::StatusOr<ChildNode> node = DecodeNode(row, edge_columns, chunk.layer);
    if (!node.ok()) {
      return Annotate(node.status(), absl::StrCat("row ", row.key));
    }
    nodes.push_back(*std::move(node));
  }
  return nodes;
}

absl::StatusOr<std::vector<NewParent>> PlanParents(const IdLayout& layout, const ChunkAddress& chunk,
                                                   const std::vector<ChildNode>& children) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<EdgeEnds> edges, EdgesAmong(children, chunk.layer - 1));
  std::vector<NodeId> ids;
  absl::flat_hash_map<NodeId, const ChildNode*> child_of;
  for (const ChildNode& child : children) {
    ids.push_back(child.id);
    child_of[child.id] = &child;
  }
  std::vector<NewParent> parents;
  for (std::vector<NodeId>& component : graph::ComponentsOf(ids, edges)) {
    NewParent parent;
    const int layer = component.size() > 1
                          ? chunk.layer
                          : SingleParentLayer(layout, child_of[component[0]]->cross_edges, chunk.layer);
    parent.chunk = layout.AncestorChunk(chunk, layer);
    for (const NodeId child : component) {
      for (const auto& [edge_layer, ends] : child_of[child]->cross_edges) {
        if (edge_layer >= layer) {
          std::vector<EdgeEnds>& all = parent.cross_edges[edge_layer];
          all.insert(all.end(), ends.begin(), ends.end());
        }
      }
    }
    parent.children = std::move(component);
    parents.push_back(std::move(parent));
  }
  return parents;
}

}  // namespace cleave::ingest
