#include "graph/table_dump.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/status.h"
#include "graph/lifted_edges.h"
#include "table/columns.h"
#include "table/dump_file.h"
#include "table/pickled_meta.h"
#include "table/row_keys.h"
#include "table/serializers.h"
#include "table/table.h"

namespace cleave::graph {
namespace {

namespace columns = table::columns;

constexpr int64_t kRowsPerPage = 20000;
constexpr uint64_t kFirstNode = uint64_t{1} << 56;  // operation ids are smaller
constexpr char kPeerVersion[] = "3.0.0";            // the layout of rows is that of PyChunkedGraph 3

bool IsIdKey(absl::string_view key) {
  return key.size() == 20 && std::ranges::all_of(key, [](char c) { return absl::ascii_isdigit(c); });
}

// Whether a reader of such tables knows rows of this key: nodes, operations, counters, edited edges.
bool IsPeerRow(absl::string_view key) {
  if (IsIdKey(key) || key == table::kOperationCounterRowKey) {
    return true;
  }
  return (absl::ConsumePrefix(&key, "i") || absl::ConsumePrefix(&key, "f")) && IsIdKey(key);
}

bool IsPeerColumn(const table::Column& column) {
  return !absl::StartsWith(column.qualifier, "cleave_") && column != columns::kLock &&
         column != columns::kIndefiniteLock;
}

bool IsAtomicEdges(const table::Column& column) { return absl::StartsWith(column.qualifier, "atomic_cross_edges_"); }
bool IsLiftedEdges(const table::Column& column) { return absl::StartsWith(column.qualifier, "cross_edges_"); }

class Dumper {
 public:
  Dumper(Dataset& dataset, table::DumpWriter& writer, Progress& progress)
      : dataset_(dataset), layout_(dataset.layout()), writer_(writer), progress_(progress) {}

  absl::StatusOr<TableDumpReport> Dump() {
    CLEAVE_RETURN_IF_ERROR(WriteMeta());
    progress_.Begin("dumping", 0, "rows");
    std::string begin = "0";
    for (;;) {
      CLEAVE_ASSIGN_OR_RETURN(std::vector<table::Row> rows,
                              dataset_.table().ReadRange({.begin = begin, .end = "j"}, {}, kRowsPerPage));
      if (rows.empty()) {
        break;
      }
      begin = absl::StrCat(rows.back().key, absl::string_view("\0", 1));
      const int64_t count = std::ssize(rows);
      CLEAVE_RETURN_IF_ERROR(WritePage(std::move(rows)));
      progress_.Advance(count);
    }
    progress_.End();
    return report_;
  }

 private:
  // Rows "meta" and "version" come first, so that a reader knows early what the ids mean.
  absl::Status WriteMeta() {
    for (const auto& [key, column, value] :
         {std::tuple(table::kMetaRowKey, columns::kMeta, EncodePeerRecord(dataset_)),
          std::tuple(table::kVersionRowKey, columns::kVersion, std::string(kPeerVersion))}) {
      CLEAVE_ASSIGN_OR_RETURN(table::Row row, dataset_.table().ReadRow(key, {.columns = {column}}));
      if (row.cells.empty()) {  // else it came with the table that this one was loaded from
        row.key = key;
        row.cells[column] = {{dataset_.meta().ingested, value}};
      }
      CLEAVE_RETURN_IF_ERROR(Write(row));
    }
    return absl::OkStatus();
  }

  absl::Status WritePage(std::vector<table::Row> rows) {
    std::vector<table::Row> nodes;  // of layer >= 2
    for (table::Row& row : rows) {
      if (IsIdKey(row.key) && row.key >= table::NodeRowKey(2 * kFirstNode)) {
        nodes.push_back(std::move(row));
        row = {};
      }
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<LiftedEdges> lifted, LiftCrossEdges(layout_, dataset_.table(), nodes));
    for (table::Row& row : rows) {
      if (!row.key.empty() && IsPeerRow(row.key)) {
        CLEAVE_RETURN_IF_ERROR(WriteOther(std::move(row)));
      }
    }
    for (size_t i = 0; i < nodes.size(); ++i) {
      CLEAVE_RETURN_IF_ERROR(WriteNode(std::move(nodes[i]), lifted[i]));
    }
    return absl::OkStatus();
  }

  absl::Status WriteNode(table::Row row, const LiftedEdges& lifted) {
    const bool is_l2 = row.key < table::NodeRowKey(3 * kFirstNode);
    std::erase_if(row.cells, [&](const auto& entry) {
      return !IsPeerColumn(entry.first) || IsLiftedEdges(entry.first) || (!is_l2 && IsAtomicEdges(entry.first));
    });
    for (const auto& [layer, versions] : lifted) {
      std::vector<table::Cell>& cells = row.cells[columns::CrossChunkEdge({.value = layer})];
      for (auto version = versions.rbegin(); version != versions.rend(); ++version) {
        cells.push_back({version->time, table::EncodeCompressedArray(version->edges)});
        ++report_.lifted_cells;
      }
    }
    ++report_.nodes;
    return Write(row);
  }

  absl::Status WriteOther(table::Row row) {
    std::erase_if(row.cells, [](const auto& entry) { return !IsPeerColumn(entry.first); });
    if (row.cells.empty()) {
      return absl::OkStatus();
    }
    if (IsIdKey(row.key)) {
      ++(row.key < table::NodeRowKey(kFirstNode) ? report_.operations : report_.nodes);
    } else if (row.key == RootCounterKey()) {
      CLEAVE_RETURN_IF_ERROR(WriteRootCounters(row));
    }
    return Write(row);
  }

  std::string RootCounterKey() const { return table::ChunkCounterRowKey(Value(RootChunkId())); }
  NodeId RootChunkId() const { return layout_.MakeNode({layout_.layer_count(), {0, 0, 0}}, Segment{0}); }

  // Cleave counts roots with one counter, others with 256, of which number c gives segments n * 256 + c. All of these
  // are set so that what they give next is beyond what was given.
  absl::Status WriteRootCounters(const table::Row& plain) {
    const table::Cell* cell = plain.Newest(columns::kCounter);
    if (cell == nullptr) {
      return absl::OkStatus();
    }
    CLEAVE_ASSIGN_OR_RETURN(const int64_t last, table::DecodeCounter(cell->value));
    for (int counter = 0; counter < table::kRootCountersPerChunk; ++counter) {
      table::Row row{table::RootCounterRowKey({Value(RootChunkId()), counter}), {}};
      row.cells[columns::kCounter] = {{cell->time, table::EncodeCounter(last / table::kRootCountersPerChunk)}};
      CLEAVE_RETURN_IF_ERROR(Write(row));
    }
    return absl::OkStatus();
  }

  absl::Status Write(const table::Row& row) {
    ++report_.rows;
    return writer_.Append(row);
  }

  Dataset& dataset_;
  const IdLayout& layout_;
  table::DumpWriter& writer_;
  Progress& progress_;
  TableDumpReport report_;
};

}  // namespace

std::string EncodePeerRecord(const Dataset& dataset) {
  const IdLayout& layout = dataset.layout();
  table::PickledMeta meta;
  meta.graph_id = dataset.meta().graph_id;
  meta.chunk_size = {layout.chunk_size().x, layout.chunk_size().y, layout.chunk_size().z};
  meta.spatial_bits = layout.SpatialBits(kL2Layer);
  meta.data_version = 4;
  return table::EncodePickledMeta(meta);
}

absl::StatusOr<TableDumpReport> DumpTable(Dataset& dataset, const std::string& path, Progress& progress) {
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<table::DumpWriter> writer, table::DumpWriter::Create(path));
  CLEAVE_ASSIGN_OR_RETURN(const TableDumpReport report, Dumper(dataset, *writer, progress).Dump());
  CLEAVE_RETURN_IF_ERROR(writer->Finish());
  return report;
}

}  // namespace cleave::graph
