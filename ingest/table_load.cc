// 1. The dump is read once to know what it holds: the graph's record, and the times of cells.
// 2. The project is made; voxels and edge files are copied, chunk by chunk.
// 3. The dump is read again and its rows go to the table: without locks, with the lifted edges of L2 nodes only.
// 4. Cross-chunk edges become supervoxel pairs (loaded_edges.h).
// 5. Counters are set to the larger of what the dump says and what ids occur; operations get the roots they replaced.
#include "ingest/table_load.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/status.h"
#include "graph/dataset.h"
#include "ingest/chunk_files.h"
#include "ingest/chunk_voxels.h"
#include "ingest/loaded_edges.h"
#include "ingest/node_rows.h"
#include "ingest/report.h"
#include "ingest/request.h"
#include "ocdbt/database.h"
#include "store/store.h"
#include "table/columns.h"
#include "table/dump_file.h"
#include "table/pickle.h"
#include "table/pickled_meta.h"
#include "table/row_keys.h"
#include "table/serializers.h"

namespace cleave::ingest {
namespace {

namespace columns = table::columns;
using graph::Dataset;
using graph::GraphMeta;
using graph::IdLayout;
using graph::NodeId;
using graph::Segment;

constexpr uint64_t kFirstNode = uint64_t{1} << 56;  // operation ids are smaller
constexpr size_t kRowsPerBatch = 20000;
constexpr int64_t kCopiesPerThread = 16;
constexpr int64_t kOperationsPerPage = 10000;
constexpr int kSuccess = 0;
constexpr int kException = 2;
constexpr int kWriteFailed = 4;

// Cleave's own column of an operation's row: the roots that it replaced (edit/operation_log.cc). Others find them by
// the lineage of the new roots.
const table::Column kOldRoots{"2", "cleave_old_roots"};

bool IsIdKey(absl::string_view key) {
  return key.size() == 20 && std::ranges::all_of(key, [](char c) { return absl::ascii_isdigit(c); });
}

// What the first reading finds.
struct Scan {
  std::optional<table::PickledMeta> meta;
  std::set<absl::Time> hierarchy_times;
  absl::Time first_operation = absl::InfiniteFuture();

  // When ingest ended: the newest cell of the hierarchy that is older than all operations.
  [[nodiscard]] absl::Time Ingested() const {
    auto after = hierarchy_times.lower_bound(first_operation);
    return after == hierarchy_times.begin() ? absl::UnixEpoch() : *std::prev(after);
  }
};

absl::StatusOr<Scan> ScanDump(const std::string& path, Progress& progress) {
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<table::DumpReader> reader, table::DumpReader::Open(path));
  Scan scan;
  progress.Begin("reading the dump", 0, "rows");
  for (;;) {
    CLEAVE_ASSIGN_OR_RETURN(const std::optional<table::Row> row, reader->Next());
    if (!row.has_value()) {
      break;
    }
    progress.Advance(1);
    if (const table::Cell* meta = row->Newest(columns::kMeta); meta != nullptr && row->key == table::kMetaRowKey) {
      CLEAVE_ASSIGN_OR_RETURN(scan.meta, table::DecodePickledMeta(meta->value));
    }
    for (const table::Column& column : {columns::kParent, columns::kChild}) {
      if (const auto cells = row->cells.find(column); cells != row->cells.end()) {
        for (const table::Cell& cell : cells->second) {
          scan.hierarchy_times.insert(cell.time);
        }
      }
    }
    if (const auto cells = row->cells.find(columns::kStatus); cells != row->cells.end()) {
      for (const table::Cell& cell : cells->second) {
        scan.first_operation = std::min(scan.first_operation, cell.time);
      }
    }
  }
  progress.End();
  return scan;
}

absl::Status CheckLayout(const table::PickledMeta& meta, const IdLayout& layout) {
  const auto differs = [](absl::string_view name, int64_t theirs, int64_t ours) {
    return absl::FailedPreconditionError(
        absl::StrCat("the dump's graph has ", name, " ", theirs, "; this program knows ", ours, " for this volume"));
  };
  if (meta.fanout != 2) {
    return differs("FANOUT", meta.fanout, 2);
  }
  if (meta.layer_id_bits != 8) {
    return differs("LAYER_ID_BITS", meta.layer_id_bits, 8);
  }
  const int64_t bits = std::max<int64_t>(meta.spatial_bits, layout.layer_count() - 2);
  return bits == layout.SpatialBits(graph::kL2Layer)
             ? absl::OkStatus()
             : differs("SPATIAL_BITS", meta.spatial_bits, layout.SpatialBits(graph::kL2Layer));
}

absl::StatusOr<GraphMeta> MakeGraphMeta(const volume::LabelSource& segmentation, const TableLoadOptions& options,
                                        const Scan& scan) {
  IngestOptions asked;
  asked.project_folder = options.project_folder;
  asked.voxel_size_nm = options.voxel_size_nm;
  asked.voxel_offset = options.voxel_offset;
  asked.threads = options.threads;
  if (!options.chunk_size.has_value() && !scan.meta.has_value()) {
    return absl::FailedPreconditionError("the dump has no row 'meta': say what the chunk size is");
  }
  asked.chunk_size = options.chunk_size.has_value()
                         ? *options.chunk_size
                         : Extent3{scan.meta->chunk_size[0], scan.meta->chunk_size[1], scan.meta->chunk_size[2]};
  if (options.graph_id.has_value()) {
    asked.graph_id = *options.graph_id;
  } else if (scan.meta.has_value() && !scan.meta->graph_id.empty()) {
    asked.graph_id = absl::StrCat(scan.meta->graph_id_prefix, scan.meta->graph_id);
  }
  CLEAVE_ASSIGN_OR_RETURN(GraphMeta meta, MakeMeta(segmentation, asked));
  meta.ingested = scan.Ingested();
  return meta;
}

class Loader {
 public:
  Loader(const Workplace& workplace, const TableLoadOptions& options, TableLoadReport& report)
      : workplace_(workplace),
        dataset_(workplace.dataset),
        layout_(workplace.dataset.layout()),
        options_(options),
        report_(report) {}

  absl::Status CopyVoxelsAndEdges(const volume::LabelSource& segmentation, store::Store& edges) {
    const std::vector<ChunkPoint> chunks = layout_.ChunksOverlapping(layout_.volume());
    workplace_.progress.Begin("voxels and edges", std::ssize(chunks), "chunks");
    const int64_t group_size = kCopiesPerThread * workplace_.threads;
    for (int64_t begin = 0; begin < std::ssize(chunks); begin += group_size) {
      std::vector<ChunkVoxels> group(static_cast<size_t>(std::min(group_size, std::ssize(chunks) - begin)));
      CLEAVE_RETURN_IF_ERROR(ParallelFor(std::ssize(group), workplace_.threads, [&](int64_t i) {
        const ChunkPoint chunk = chunks[static_cast<size_t>(begin + i)];
        return Annotate(CopyChunk(chunk, segmentation, edges, group[static_cast<size_t>(i)]),
                        absl::StrCat("chunk ", ToString(chunk)));
      }));
      ocdbt::WriteBatch batch;
      for (ChunkVoxels& voxels : group) {
        AddWrites(std::move(voxels.writes), batch);
      }
      CLEAVE_RETURN_IF_ERROR(dataset_.database().Commit(batch).status());
    }
    workplace_.progress.End();
    return absl::OkStatus();
  }

  absl::Status TakeRows() {
    CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<table::DumpReader> reader, table::DumpReader::Open(options_.dump));
    workplace_.progress.Begin("rows", 0, "rows");
    std::vector<table::RowMutation> batch;
    for (;;) {
      CLEAVE_ASSIGN_OR_RETURN(std::optional<table::Row> row, reader->Next());
      if (!row.has_value() || batch.size() >= kRowsPerBatch) {
        CLEAVE_RETURN_IF_ERROR(dataset_.ApplyUnsynced(batch));
        workplace_.progress.Advance(std::ssize(batch));
        batch.clear();
      }
      if (!row.has_value()) {
        break;
      }
      CLEAVE_RETURN_IF_ERROR(Annotate(TakeRow(*std::move(row), batch), options_.dump));
    }
    workplace_.progress.End();
    return absl::OkStatus();
  }

  absl::Status WriteCounters() {
    std::vector<table::RowMutation> rows;
    for (const auto& [chunk, segment] : used_) {
      AppendCounterRow(layout_, layout_.ChunkOf(chunk), Segment{segment}, dataset_.meta().ingested, rows);
    }
    rows.push_back({table::kOperationCounterRowKey,
                    {table::SetCell{columns::kCounter, dataset_.meta().ingested,
                                    table::EncodeCounter(static_cast<int64_t>(last_operation_))}}});
    return dataset_.ApplyUnsynced(rows);
  }

  // Where an operation's row does not say which roots it replaced, the lineage of its new roots does.
  absl::Status FindOldRoots() {
    table::RowRange range = table::NodeRowRange({.first = 1, .last = kFirstNode - 1});
    for (;;) {
      CLEAVE_ASSIGN_OR_RETURN(
          const std::vector<table::Row> rows,
          dataset_.table().ReadRange(range, {.columns = {columns::kRootId, kOldRoots}}, kOperationsPerPage));
      if (rows.empty()) {
        return absl::OkStatus();
      }
      range.begin = absl::StrCat(rows.back().key, absl::string_view("\0", 1));
      std::vector<table::RowMutation> mutations;
      for (const table::Row& row : rows) {
        CLEAVE_RETURN_IF_ERROR(Annotate(FindOldRootsOf(row, mutations), absl::StrCat("row ", row.key)));
      }
      CLEAVE_RETURN_IF_ERROR(dataset_.ApplyUnsynced(mutations));
    }
  }

 private:
  absl::Status CopyChunk(ChunkPoint chunk, const volume::LabelSource& segmentation, store::Store& edges,
                         ChunkVoxels& voxels) const {
    CLEAVE_ASSIGN_OR_RETURN(voxels, ReadChunkVoxels(workplace_, segmentation, chunk, Encode::kYes));
    CLEAVE_RETURN_IF_ERROR(CopyEdgeFile(chunk, edges));
    workplace_.progress.Advance(1);
    return absl::OkStatus();
  }

  absl::Status CopyEdgeFile(ChunkPoint chunk, store::Store& edges) const {
    const std::string name = graph::EdgeFiles::FileName(chunk);
    CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult file, edges.Read(name));
    if (!file.value.has_value()) {
      return absl::OkStatus();
    }
    CLEAVE_RETURN_IF_ERROR(Annotate(graph::DecodeChunkEdges(*file.value).status(), edges.Describe(name)));
    return dataset_.edges().WriteEncoded(chunk, *file.value);
  }

  absl::Status TakeRow(table::Row row, std::vector<table::RowMutation>& batch) {
    absl::string_view rest = row.key;
    if (row.key == table::kOperationCounterRowKey) {
      return TakeCounter(row, [&](uint64_t count) { last_operation_ = std::max(last_operation_, count); });
    }
    if (IsIdKey(row.key)) {
      return TakeNode(std::move(row), batch);
    }
    if (absl::ConsumePrefix(&rest, "i")) {
      return TakeNodeCounter(row, rest);
    }
    const bool is_edited_edges = absl::ConsumePrefix(&rest, "f") && IsIdKey(rest);
    if (!is_edited_edges && row.key != table::kMetaRowKey && row.key != table::kVersionRowKey) {
      ++report_.skipped;
      return absl::OkStatus();
    }
    Take(std::move(row), batch);
    return absl::OkStatus();
  }

  void Take(table::Row row, std::vector<table::RowMutation>& batch) {
    table::RowMutation mutation{std::move(row.key), {}};
    for (auto& [column, cells] : row.cells) {
      if (column == columns::kLock || column == columns::kIndefiniteLock) {
        continue;
      }
      for (table::Cell& cell : cells) {
        mutation.changes.push_back(table::SetCell{column == columns::kFakeEdgesVersion2 ? columns::kFakeEdges : column,
                                                  cell.time, std::move(cell.value)});
      }
    }
    if (mutation.changes.empty()) {
      ++report_.skipped;
      return;
    }
    ++report_.rows;
    batch.push_back(std::move(mutation));
  }

  absl::Status TakeNode(table::Row row, std::vector<table::RowMutation>& batch) {
    uint64_t id = 0;
    if (!absl::SimpleAtoi(row.key, &id)) {
      return absl::DataLossError(absl::StrCat("row key ", row.key, " is larger than any id"));
    }
    if (id < kFirstNode) {
      ++report_.operations;
      last_operation_ = std::max(last_operation_, id);
      if (const table::Cell* status = row.Newest(columns::kStatus)) {
        CLEAVE_ASSIGN_OR_RETURN(const int64_t code, table::DecodePickledInteger(status->value));
        report_.unfinished_operations += code == kSuccess || code == kException || code == kWriteFailed ? 0 : 1;
      }
      Take(std::move(row), batch);
      return absl::OkStatus();
    }
    const NodeId node{id};
    if (const absl::Status valid = layout_.Validate(node); !valid.ok()) {
      return absl::DataLossError(
          absl::StrCat("row ", row.key, ": ", valid.message(), "; is the segmentation or the chunk size another one?"));
    }
    const int layer = layout_.LayerOf(node);
    ++(layer == graph::kSupervoxelLayer ? report_.supervoxels : report_.nodes);
    uint64_t& used = used_[layout_.ChunkIdOf(node)];
    used = std::max(used, Value(layout_.SegmentOf(node)));
    if (layer > graph::kL2Layer) {
      std::erase_if(row.cells, [](const auto& entry) {
        return absl::StartsWith(entry.first.qualifier, "cross_edges_") ||
               absl::StartsWith(entry.first.qualifier, "atomic_cross_edges_");
      });
    }
    Take(std::move(row), batch);
    return absl::OkStatus();
  }

  template <typename Use>
  static absl::Status TakeCounter(const table::Row& row, Use use) {
    if (const table::Cell* cell = row.Newest(columns::kCounter)) {
      absl::StatusOr<int64_t> count = table::DecodeCounter(cell->value);
      CLEAVE_RETURN_IF_ERROR(Annotate(count.status(), absl::StrCat("row ", row.key)));
      use(static_cast<uint64_t>(std::max<int64_t>(*count, 0)));
    }
    return absl::OkStatus();
  }

  // "CHUNK", or "CHUNK_c" of the root chunk, whose counter number c gives the segments n * 256 + c.
  absl::Status TakeNodeCounter(const table::Row& row, absl::string_view name) {
    const size_t digits = std::min<size_t>(name.size(), 20);
    uint64_t chunk = 0;
    uint64_t number = 0;
    absl::string_view rest = name.substr(digits);
    const bool is_striped = absl::ConsumePrefix(&rest, "_");
    if (!IsIdKey(name.substr(0, digits)) || !absl::SimpleAtoi(name.substr(0, digits), &chunk) ||
        (is_striped ? !absl::SimpleAtoi(rest, &number) : !rest.empty()) || !layout_.Validate(NodeId{chunk | 1}).ok()) {
      ++report_.skipped;
      return absl::OkStatus();
    }
    uint64_t last = 0;
    CLEAVE_RETURN_IF_ERROR(TakeCounter(row, [&](uint64_t count) {
      // A striped counter at 0 has given nothing.
      last = is_striped && count > 0 && count <= UINT64_MAX / 2 / table::kRootCountersPerChunk
                 ? count * table::kRootCountersPerChunk + number
                 : count;
    }));
    if (const uint64_t limit = Value(layout_.SegmentLimit(layout_.LayerOf(NodeId{chunk}))); last > limit) {
      return absl::DataLossError(absl::StrCat("row ", row.key, " counts ", last, " ids, more than the ", limit,
                                              " that a chunk of its layer can have"));
    }
    uint64_t& used = used_[NodeId{chunk}];
    used = std::max(used, last);
    return absl::OkStatus();
  }

  absl::Status FindOldRootsOf(const table::Row& row, std::vector<table::RowMutation>& mutations) const {
    const table::Cell* roots = row.Newest(columns::kRootId);
    if (roots == nullptr || row.Newest(kOldRoots) != nullptr) {
      return absl::OkStatus();
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> new_roots, table::DecodeArray<NodeId>(roots->value));
    std::vector<std::string> keys;
    for (const NodeId root : new_roots) {
      keys.push_back(table::NodeRowKey(Value(root)));
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows,
                            dataset_.table().ReadRows(keys, {.columns = {columns::kFormerParent}}));
    std::set<NodeId> old_roots;
    for (const table::Row& root : rows) {
      if (const table::Cell* former = root.Newest(columns::kFormerParent)) {
        CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> ids, table::DecodeArray<NodeId>(former->value));
        old_roots.insert(ids.begin(), ids.end());
      }
    }
    if (!old_roots.empty()) {
      mutations.push_back(
          {row.key,
           {table::SetCell{kOldRoots, roots->time,
                           table::EncodeArray(std::vector<NodeId>(old_roots.begin(), old_roots.end()))}}});
    }
    return absl::OkStatus();
  }

  const Workplace& workplace_;
  Dataset& dataset_;
  const IdLayout& layout_;
  const TableLoadOptions& options_;
  TableLoadReport& report_;
  absl::flat_hash_map<NodeId, uint64_t> used_;  // by chunk id: the largest segment
  uint64_t last_operation_ = 0;
};

}  // namespace

absl::StatusOr<TableLoadReport> LoadTable(const TableLoadOptions& options, Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<volume::LabelSource> segmentation,
                          volume::OpenLabelSource(options.labels));
  CLEAVE_ASSIGN_OR_RETURN(const Scan scan, ScanDump(options.dump, progress));
  CLEAVE_ASSIGN_OR_RETURN(const GraphMeta meta, MakeGraphMeta(*segmentation, options, scan));
  CLEAVE_ASSIGN_OR_RETURN(const IdLayout layout, IdLayout::Create(meta.volume, meta.chunk_size));
  if (scan.meta.has_value()) {
    CLEAVE_RETURN_IF_ERROR(CheckLayout(*scan.meta, layout));
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<store::Store> edges, OpenEdgeFolder(layout, options.edges));
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Dataset> dataset, Dataset::Create(options.project_folder, meta));
  StepClock clock;
  const Workplace workplace{*dataset, options.threads, clock, progress};
  TableLoadReport report;
  Loader loader(workplace, options, report);
  CLEAVE_RETURN_IF_ERROR(loader.CopyVoxelsAndEdges(*segmentation, *edges));
  CLEAVE_RETURN_IF_ERROR(loader.TakeRows());
  CLEAVE_ASSIGN_OR_RETURN(report.recovered_l2_nodes, MakeSupervoxelPairs(workplace));
  CLEAVE_RETURN_IF_ERROR(loader.WriteCounters());
  CLEAVE_RETURN_IF_ERROR(loader.FindOldRoots());
  CLEAVE_RETURN_IF_ERROR(SealProject(workplace));
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

}  // namespace cleave::ingest
