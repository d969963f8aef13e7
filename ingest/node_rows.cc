#include "ingest/node_rows.h"

#include <iterator>
#include <utility>

#include "table/columns.h"
#include "table/row_keys.h"
#include "table/serializers.h"

namespace cleave::ingest {

namespace columns = table::columns;

void AppendNodeRows(const graph::PlannedNode& node, absl::Time time, std::vector<table::RowMutation>& rows) {
  const std::string parent = table::EncodeValue(node.id);
  for (const graph::NodeId child : node.children) {
    rows.push_back({table::NodeRowKey(Value(child)), {table::SetCell{columns::kParent, time, parent}}});
  }
  table::RowMutation row{table::NodeRowKey(Value(node.id)), {}};
  row.changes.push_back(table::SetCell{columns::kChild, time, table::EncodeCompressedArray(node.children)});
  for (const auto& [layer, ends] : node.cross_edges) {
    row.changes.push_back(table::SetCell{columns::AtomicCrossChunkEdge(columns::Layer{.value = layer}), time,
                                         table::EncodeCompressedArray(ends)});
  }
  rows.push_back(std::move(row));
}

void AppendCounterRow(const graph::IdLayout& layout, const graph::ChunkAddress& chunk, graph::Segment used,
                      absl::Time time, std::vector<table::RowMutation>& rows) {
  const uint64_t chunk_id = Value(layout.MakeNode(chunk, graph::Segment{0}));
  rows.push_back({table::ChunkCounterRowKey(chunk_id),
                  {table::SetCell{columns::kCounter, time, table::EncodeCounter(static_cast<int64_t>(Value(used)))}}});
}

AtomicLayerCounts& AtomicLayerCounts::operator+=(const AtomicLayerCounts& other) {
  supervoxels += other.supervoxels;
  edges_inside += other.edges_inside;
  edges_between += other.edges_between;
  edges_cross += other.edges_cross;
  l2_nodes += other.l2_nodes;
  return *this;
}

AtomicLayerCounts AppendAtomicRows(const graph::IdLayout& layout, const AtomicChunk& chunk, absl::Time time,
                                   std::vector<table::RowMutation>& rows) {
  const std::vector<graph::PlannedNode> nodes = MakeL2Nodes(layout, chunk);
  const graph::ChunkEdges& edges = chunk.edges.all;
  const AtomicLayerCounts counts{std::ssize(chunk.supervoxels), std::ssize(edges.in), std::ssize(edges.between),
                                 std::ssize(edges.cross), std::ssize(nodes)};
  if (nodes.empty()) {
    return counts;
  }
  rows.reserve(rows.size() + chunk.supervoxels.size() + nodes.size() + 2);
  for (const graph::PlannedNode& node : nodes) {
    AppendNodeRows(node, time, rows);
  }
  const graph::Segment last = layout.SegmentOf(chunk.supervoxels.back());
  AppendCounterRow(layout, {graph::kSupervoxelLayer, chunk.position}, last, time, rows);
  AppendCounterRow(layout, {graph::kL2Layer, chunk.position}, graph::Segment{nodes.size()}, time, rows);
  return counts;
}

}  // namespace cleave::ingest
