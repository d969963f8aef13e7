#include "edit/operation_row.h"

#include <algorithm>
#include <array>
#include <limits>

#include "cut/graph_cut.h"
#include "table/columns.h"
#include "table/pickle.h"
#include "table/row_keys.h"

namespace cleave::edit {
namespace {

using graph::EdgeEnds;
using graph::NodeId;
using graph::OperationId;
namespace columns = table::columns;

// Our own columns; readers that do not know them never ask for them.
const table::Column kKind{"2", "cleave_kind"};                         // text: Name(OperationKind)
const table::Column kFailure{"2", "cleave_failure"};                   // text: Name(OperationFailure)
const table::Column kUndoneBy{"2", "cleave_undone_by"};                // id text; 0: done again
const table::Column kCutAgainBy{"2", "cleave_cut_again_by"};           // id text
const table::Column kRestored{"2", "cleave_restored"};                 // array of u64[n, 2]: fragment, supervoxel
const table::Column kOldRoots{"2", "cleave_old_roots"};                // array of u64
const table::Column kNewL2Nodes{"2", "cleave_new_l2_nodes"};           // array of u64
const table::Column kFragments{"2", "cleave_fragments"};               // array of u64
const table::Column kFragmentOrigins{"2", "cleave_fragment_origins"};  // array of u64[n, 3]: former, side, voxels
const table::Column kMorePoints{"2", "cleave_more_points"};            // array of i64[n, 5]: side, point, supervoxel
const table::Column kChangedBoxes{"2", "cleave_changed_boxes"};        // array of i64[n, 6]: lower, upper corner
const table::Column kChangedChunks{"2", "cleave_changed_chunks"};      // u64, a count
const table::Column kOverridden{"2", "cleave_overridden"};             // array of u64
const table::Column kRequestKey{"2", "cleave_request_key"};            // text
const table::Column kBatch{"2", "cleave_batch"};                       // id text
const table::Column kBatchOperations{"2", "cleave_batch_operations"};  // array of u64
const table::Column kReadGeneration{"2", "cleave_read_generation"};    // u64
const table::Column kWrittenGeneration{"2", "cleave_written_generation"};  // u64

constexpr OperationKind kKinds[] = {OperationKind::kMerge, OperationKind::kSplit, OperationKind::kUndo,
                                    OperationKind::kRedo, OperationKind::kRepair};
constexpr OperationFailure kFailures[] = {OperationFailure::kNone, OperationFailure::kRejected,
                                          OperationFailure::kFailed, OperationFailure::kAbandoned,
                                          OperationFailure::kReverted};

class RowWriter {
 public:
  explicit RowWriter(OperationId id) : row_{table::OperationRowKey(Value(id)), {}} {}

  void Text(const table::Column& column, std::string value) {
    row_.changes.push_back(table::SetCell{column, std::nullopt, std::move(value)});
  }
  // Nothing for an empty one.
  template <typename T>
  void Array(const table::Column& column, const std::vector<T>& values) {
    if (!values.empty()) {
      Text(column, table::EncodeArray(values));
    }
  }
  void Id(const table::Column& column, OperationId id) {
    if (id != OperationId{}) {
      Text(column, table::EncodeIdText(Value(id)));
    }
  }
  void Number(const table::Column& column, const std::optional<uint64_t>& number) {
    if (number.has_value()) {
      Text(column, table::EncodeValue(*number));
    }
  }
  table::RowMutation Take() { return std::move(row_); }

 private:
  table::RowMutation row_;
};

std::vector<std::array<uint64_t, 3>> PackOrigins(const std::vector<Fragment>& fragments) {
  std::vector<std::array<uint64_t, 3>> packed;
  packed.reserve(fragments.size());
  for (const Fragment& fragment : fragments) {
    packed.push_back(
        {Value(fragment.former), static_cast<uint64_t>(fragment.side), static_cast<uint64_t>(fragment.voxel_count)});
  }
  return packed;
}

absl::StatusOr<std::vector<Fragment>> UnpackOrigins(const std::vector<NodeId>& ids,
                                                    const std::vector<std::array<uint64_t, 3>>& packed) {
  std::vector<Fragment> fragments;
  if (packed.empty()) {
    return fragments;
  }
  if (packed.size() != ids.size()) {
    return absl::DataLossError("origins and fragments differ in number");
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    fragments.push_back(
        {ids[i], NodeId{packed[i][0]}, static_cast<int>(packed[i][1]), static_cast<int64_t>(packed[i][2])});
  }
  return fragments;
}

std::vector<std::array<int64_t, 5>> PackPoints(const std::vector<SidePoint>& points) {
  std::vector<std::array<int64_t, 5>> packed;
  packed.reserve(points.size());
  for (const SidePoint& point : points) {
    packed.push_back(
        {point.side, point.point.x, point.point.y, point.point.z, static_cast<int64_t>(Value(point.supervoxel))});
  }
  return packed;
}

absl::StatusOr<std::vector<SidePoint>> UnpackPoints(const std::vector<std::array<int64_t, 5>>& packed) {
  std::vector<SidePoint> points;
  points.reserve(packed.size());
  for (const std::array<int64_t, 5>& point : packed) {
    if (point[0] < 3 || point[0] > cut::kTeamsMax) {
      return absl::DataLossError(absl::StrCat(point[0], " is no further side of a split"));
    }
    points.push_back(
        {static_cast<int>(point[0]), {point[1], point[2], point[3]}, NodeId{static_cast<uint64_t>(point[4])}});
  }
  return points;
}

std::vector<std::array<int64_t, 6>> PackBoxes(const std::vector<Box>& boxes) {
  std::vector<std::array<int64_t, 6>> packed;
  packed.reserve(boxes.size());
  for (const Box& box : boxes) {
    packed.push_back({box.lo.x, box.lo.y, box.lo.z, box.hi.x, box.hi.y, box.hi.z});
  }
  return packed;
}

std::vector<Box> UnpackBoxes(const std::vector<std::array<int64_t, 6>>& packed) {
  std::vector<Box> boxes;
  boxes.reserve(packed.size());
  for (const std::array<int64_t, 6>& box : packed) {
    boxes.push_back({{box[0], box[1], box[2]}, {box[3], box[4], box[5]}});
  }
  return boxes;
}

// Our own column, else as the field's readers tell (design reference A, section 9.3).
absl::StatusOr<OperationKind> KindOf(const OperationRowReader& reader) {
  if (const std::string kind = reader.Text(kKind); !kind.empty()) {
    const auto* const found = std::ranges::find(kKinds, kind, [](OperationKind k) { return Name(k); });
    if (found == std::end(kKinds)) {
      return absl::DataLossError(absl::StrCat("'", kind, "' is no kind of operation"));
    }
    return *found;
  }
  if (reader.Cell(columns::kUndoOperationId) != nullptr) {
    return OperationKind::kUndo;
  }
  if (reader.Cell(columns::kRedoOperationId) != nullptr) {
    return OperationKind::kRedo;
  }
  if (reader.Cell(columns::kAddedEdge) != nullptr) {
    return OperationKind::kMerge;
  }
  if (reader.Cell(columns::kRemovedEdge) != nullptr || reader.Cell(columns::kBoundingBoxOffset) != nullptr) {
    return OperationKind::kSplit;
  }
  return absl::DataLossError("no column says whether it is a merge, a split, an undo or a redo");
}

OperationFailure FailureOf(const OperationRowReader& reader, OperationStatus status) {
  const auto* const found =
      std::ranges::find(kFailures, reader.Text(kFailure), [](OperationFailure f) { return Name(f); });
  if (status != OperationStatus::kException) {
    return OperationFailure::kNone;
  }
  return found == std::end(kFailures) ? OperationFailure::kFailed : *found;
}

}  // namespace

absl::string_view Name(OperationKind kind) {
  switch (kind) {
    case OperationKind::kMerge:
      return "merge";
    case OperationKind::kSplit:
      return "split";
    case OperationKind::kUndo:
      return "undo";
    case OperationKind::kRedo:
      return "redo";
    case OperationKind::kRepair:
      return "repair";
  }
  return "unknown";
}

absl::string_view Name(OperationStatus status) {
  switch (status) {
    case OperationStatus::kSuccess:
      return "success";
    case OperationStatus::kCreated:
      return "created";
    case OperationStatus::kException:
      return "exception";
    case OperationStatus::kWriteStarted:
      return "write started";
    case OperationStatus::kWriteFailed:
      return "write failed";
  }
  return "unknown";
}

absl::string_view Name(OperationFailure failure) {
  switch (failure) {
    case OperationFailure::kNone:
      return "none";
    case OperationFailure::kRejected:
      return "rejected";
    case OperationFailure::kFailed:
      return "failed";
    case OperationFailure::kAbandoned:
      return "abandoned";
    case OperationFailure::kReverted:
      return "reverted";
  }
  return "unknown";
}

int SideCountOf(const OperationRecord& record) {
  int count = 2;
  for (const SidePoint& point : record.more_points) {
    count = std::max(count, point.side);
  }
  return count;
}

std::vector<std::vector<VoxelPoint>> MoreSidesOf(const OperationRecord& record) {
  std::vector<std::vector<VoxelPoint>> sides(static_cast<size_t>(SideCountOf(record)) - 2);
  for (const SidePoint& point : record.more_points) {
    sides[static_cast<size_t>(point.side) - 3].push_back(point.point);
  }
  return sides;
}

table::RowMutation OperationLog::RowOf(const OperationRecord& record) {
  RowWriter row(record.id);
  row.Text(columns::kStatus, table::EncodePickledInteger(static_cast<int>(record.status)));
  row.Id(columns::kOperationId, record.id);
  row.Text(columns::kUserId, record.user);
  row.Text(kKind, std::string(Name(record.kind)));
  row.Text(columns::kOperationException, record.exception);
  row.Text(kFailure, std::string(Name(record.failure)));
  if (absl::StatusOr<std::string> time = table::EncodePickledTime(record.time); time.ok()) {
    row.Text(columns::kOperationTimeStamp, *std::move(time));
  }
  if (record.kind == OperationKind::kUndo || record.kind == OperationKind::kRedo) {
    row.Id(record.kind == OperationKind::kUndo ? columns::kUndoOperationId : columns::kRedoOperationId, record.target);
  }
  row.Array(columns::kSourceCoordinate, record.sources);
  row.Array(columns::kSinkCoordinate, record.sinks);
  row.Array(columns::kSourceId, record.source_supervoxels);
  row.Array(columns::kSinkId, record.sink_supervoxels);
  row.Array(columns::kAddedEdge, record.added_edges);
  row.Array(columns::kRemovedEdge, record.removed_edges);
  row.Array(columns::kOperationAffinity, record.affinities);
  if (record.bounding_box_offset.has_value()) {
    row.Array(columns::kBoundingBoxOffset, std::vector<VoxelPoint>{*record.bounding_box_offset});
  }
  row.Text(columns::kRootId, table::EncodeArray(record.new_roots));
  row.Array(kOldRoots, record.old_roots);
  row.Array(kNewL2Nodes, record.new_l2_nodes);
  row.Array(kFragments, record.fragments);
  row.Array(kFragmentOrigins, PackOrigins(record.fragment_origins));
  row.Array(kMorePoints, PackPoints(record.more_points));
  row.Array(kRestored, record.restored);
  row.Array(kChangedBoxes, PackBoxes(record.changed_boxes));
  row.Number(kChangedChunks, record.changed_chunk_count);
  row.Array(kOverridden, record.overridden);
  if (!record.request_key.empty()) {
    row.Text(kRequestKey, record.request_key);
  }
  row.Id(kBatch, record.batch);
  row.Array(kBatchOperations, record.batch_operations);
  row.Text(columns::kL2ChunkLockScope, table::EncodeArray(record.chunk_scope));
  row.Number(kReadGeneration, record.read_generation);
  row.Number(kWrittenGeneration, record.written_generation);
  return row.Take();
}

table::RowMutation OperationLog::UndoneMark(OperationId target, OperationId undo) {
  return {table::OperationRowKey(Value(target)),
          {table::SetCell{kUndoneBy, std::nullopt, table::EncodeIdText(Value(undo))}}};
}

table::RowMutation OperationLog::CutAgainMark(OperationId target, OperationId redo) {
  return {table::OperationRowKey(Value(target)),
          {table::SetCell{kCutAgainBy, std::nullopt, table::EncodeIdText(Value(redo))}}};
}

std::vector<table::Column> OperationLog::ColumnsOfMarks() { return {kUndoneBy, kCutAgainBy}; }

absl::StatusOr<OperationRecord> RecordOfRow(OperationId id, const table::Row& row) {
  OperationRowReader reader(row);
  OperationRecord record;
  record.id = id;
  record.kind = reader.Take(KindOf(reader), kKind);
  if (const table::Cell* status = reader.Cell(columns::kStatus)) {
    record.status =
        static_cast<OperationStatus>(reader.Take(table::DecodePickledInteger(status->value), columns::kStatus));
    record.time = status->time;
  }
  if (const table::Cell* time = reader.Cell(columns::kOperationTimeStamp)) {
    record.time = reader.Take(table::DecodePickledTime(time->value), columns::kOperationTimeStamp);
  }
  record.user = reader.Text(columns::kUserId);
  record.target =
      reader.Id(columns::kUndoOperationId).value_or(reader.Id(columns::kRedoOperationId).value_or(OperationId{}));
  record.undone_by = reader.Id(kUndoneBy);
  record.cut_again_by = reader.Id(kCutAgainBy).value_or(OperationId{});
  record.sources = reader.Array<VoxelPoint>(columns::kSourceCoordinate);
  record.sinks = reader.Array<VoxelPoint>(columns::kSinkCoordinate);
  record.source_supervoxels = reader.Array<NodeId>(columns::kSourceId);
  record.sink_supervoxels = reader.Array<NodeId>(columns::kSinkId);
  record.added_edges = reader.Array<EdgeEnds>(columns::kAddedEdge);
  record.removed_edges = reader.Array<EdgeEnds>(columns::kRemovedEdge);
  record.affinities = reader.Array<float>(columns::kOperationAffinity);
  if (const auto offset = reader.Array<VoxelPoint>(columns::kBoundingBoxOffset); offset.size() == 1) {
    record.bounding_box_offset = offset.front();
  }
  record.new_roots = reader.Array<NodeId>(columns::kRootId);
  record.old_roots = reader.Array<NodeId>(kOldRoots);
  record.new_l2_nodes = reader.Array<NodeId>(kNewL2Nodes);
  record.fragments = reader.Array<NodeId>(kFragments);
  record.fragment_origins = reader.Take(
      UnpackOrigins(record.fragments, reader.Array<std::array<uint64_t, 3>>(kFragmentOrigins)), kFragmentOrigins);
  record.more_points = reader.Take(UnpackPoints(reader.Array<std::array<int64_t, 5>>(kMorePoints)), kMorePoints);
  record.restored = reader.Array<Restored>(kRestored);
  record.changed_boxes = UnpackBoxes(reader.Array<std::array<int64_t, 6>>(kChangedBoxes));
  record.changed_chunk_count = reader.Number(kChangedChunks).value_or(0);
  record.overridden = reader.Array<NodeId>(kOverridden);
  record.request_key = reader.Text(kRequestKey);
  record.batch = reader.Id(kBatch).value_or(OperationId{});
  record.batch_operations = reader.Array<OperationId>(kBatchOperations);
  record.chunk_scope = reader.Array<NodeId>(columns::kL2ChunkLockScope);
  record.read_generation = reader.Number(kReadGeneration);
  record.written_generation = reader.Number(kWrittenGeneration);
  record.exception = reader.Text(columns::kOperationException);
  record.failure = FailureOf(reader, record.status);
  if (!reader.status().ok()) {
    return reader.status();
  }
  return record;
}

absl::StatusOr<std::vector<std::optional<uint64_t>>> ReadWrittenGenerations(const table::TableReader& reader,
                                                                            std::span<const OperationId> ids) {
  std::vector<std::string> keys;
  keys.reserve(ids.size());
  for (const OperationId id : ids) {
    keys.push_back(table::OperationRowKey(Value(id)));
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows,
                          reader.ReadRows(keys, {.columns = {kWrittenGeneration}, .cells_per_column = 1}));
  std::vector<std::optional<uint64_t>> generations;
  generations.reserve(rows.size());
  for (const table::Row& row : rows) {
    OperationRowReader cells(row);
    generations.push_back(cells.Number(kWrittenGeneration));
    CLEAVE_RETURN_IF_ERROR(cells.status());
  }
  return generations;
}

}  // namespace cleave::edit
