#include "ingest/node_rows.h"

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
                      std::vector<table::RowMutation>& rows) {
  const uint64_t chunk_id = Value(layout.MakeNode(chunk, graph::Segment{0}));
  rows.push_back(
      {table::ChunkCounterRowKey(chunk_id),
       {table::SetCell{columns::kCounter, std::nullopt, table::EncodeCounter(static_cast<int64_t>(Value(used)))}}});
}

}  // namespace cleave::ingest
