#include "edit/operation_log.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "base/status.h"
#include "table/columns.h"
#include "table/pickle.h"
#include "table/row_keys.h"
#include "table/serializers.h"

namespace cleave::edit {
namespace {

using graph::EdgeEnds;
using graph::NodeId;
using graph::OperationId;
namespace columns = table::columns;

// Our own columns; readers that do not know them never ask for them.
const table::Column kKind{"2", "cleave_kind"};                             // text: "merge", "split", "repair"
const table::Column kOldRoots{"2", "cleave_old_roots"};                    // array of u64
const table::Column kFragments{"2", "cleave_fragments"};                   // array of u64
const table::Column kReadGeneration{"2", "cleave_read_generation"};        // u64
const table::Column kWrittenGeneration{"2", "cleave_written_generation"};  // u64
const table::Column kCommitTime{"0", "cleave_commit_time"};                // i64, ms since 1970; row kCommitTimeRowKey

const table::Column kLaterThan{"2", "cleave_later_than"};  // i64, ms since 1970; row in flight

constexpr char kCommitTimeRowKey[] = "icommit_time";
constexpr int kCommitTimeTries = 1000;
constexpr uint64_t kFirstNode = uint64_t{1} << 56;  // operation ids are smaller than every node id: rows below layer 1

std::string InFlightRowKey(OperationId id) { return absl::StrFormat("o%020d", Value(id)); }

template <typename T>
void Put(table::RowMutation& row, const table::Column& column, const std::vector<T>& values) {
  if (!values.empty()) {
    row.changes.push_back(table::SetCell{column, std::nullopt, table::EncodeArray(values)});
  }
}

void PutText(table::RowMutation& row, const table::Column& column, std::string value) {
  row.changes.push_back(table::SetCell{column, std::nullopt, std::move(value)});
}

// Reads the columns of one row; the first thing that does not decode ends up in status().
class RowReader {
 public:
  explicit RowReader(const table::Row& row) : row_(row) {}

  template <typename T>
  std::vector<T> Array(const table::Column& column) {
    const table::Cell* cell = row_.Newest(column);
    return cell == nullptr ? std::vector<T>{} : Take(table::DecodeArray<T>(cell->value), column);
  }
  std::string Text(const table::Column& column) const {
    const table::Cell* cell = row_.Newest(column);
    return cell == nullptr ? std::string() : cell->value;
  }
  std::optional<uint64_t> Number(const table::Column& column) {
    const table::Cell* cell = row_.Newest(column);
    return cell == nullptr ? std::nullopt : std::optional(Take(table::DecodeValue<uint64_t>(cell->value), column));
  }
  template <typename T>
  T Take(absl::StatusOr<T> value, const table::Column& column) {
    if (!value.ok()) {
      status_.Update(Annotate(value.status(), absl::StrCat("operation ", row_.key, ", column ", column.qualifier)));
      return T{};
    }
    return *std::move(value);
  }
  const table::Cell* Cell(const table::Column& column) const { return row_.Newest(column); }
  const absl::Status& status() const { return status_; }

 private:
  const table::Row& row_;
  absl::Status status_;
};

OperationKind KindOf(RowReader& reader) {
  if (const std::string kind = reader.Text(kKind); !kind.empty()) {
    for (const OperationKind known : {OperationKind::kMerge, OperationKind::kRepair}) {
      if (kind == Name(known)) {
        return known;
      }
    }
    return OperationKind::kSplit;
  }
  return reader.Cell(columns::kAddedEdge) != nullptr ? OperationKind::kMerge : OperationKind::kSplit;
}

absl::StatusOr<OperationRecord> FromRow(OperationId id, const table::Row& row) {
  RowReader reader(row);
  OperationRecord record;
  record.id = id;
  record.kind = KindOf(reader);
  if (const table::Cell* status = reader.Cell(columns::kStatus)) {
    record.status =
        static_cast<OperationStatus>(reader.Take(table::DecodePickledInteger(status->value), columns::kStatus));
    record.time = status->time;
  }
  if (const table::Cell* time = reader.Cell(columns::kOperationTimeStamp)) {
    record.time = reader.Take(table::DecodePickledTime(time->value), columns::kOperationTimeStamp);
  }
  record.user = reader.Text(columns::kUserId);
  record.sources = reader.Array<VoxelPoint>(columns::kSourceCoordinate);
  record.sinks = reader.Array<VoxelPoint>(columns::kSinkCoordinate);
  record.source_supervoxels = reader.Array<NodeId>(columns::kSourceId);
  record.sink_supervoxels = reader.Array<NodeId>(columns::kSinkId);
  record.added_edges = reader.Array<EdgeEnds>(columns::kAddedEdge);
  record.removed_edges = reader.Array<EdgeEnds>(columns::kRemovedEdge);
  record.new_roots = reader.Array<NodeId>(columns::kRootId);
  record.old_roots = reader.Array<NodeId>(kOldRoots);
  record.fragments = reader.Array<NodeId>(kFragments);
  record.chunk_scope = reader.Array<NodeId>(columns::kL2ChunkLockScope);
  record.read_generation = reader.Number(kReadGeneration);
  record.written_generation = reader.Number(kWrittenGeneration);
  record.exception = reader.Text(columns::kOperationException);
  if (!reader.status().ok()) {
    return reader.status();
  }
  return record;
}

}  // namespace

absl::string_view Name(OperationKind kind) {
  switch (kind) {
    case OperationKind::kMerge:
      return "merge";
    case OperationKind::kSplit:
      return "split";
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

table::RowMutation OperationLog::RowOf(const OperationRecord& record) {
  table::RowMutation row{table::OperationRowKey(Value(record.id)), {}};
  PutText(row, columns::kStatus, table::EncodePickledInteger(static_cast<int>(record.status)));
  PutText(row, columns::kUserId, record.user);
  PutText(row, kKind, std::string(Name(record.kind)));
  PutText(row, columns::kOperationException, record.exception);
  if (absl::StatusOr<std::string> time = table::EncodePickledTime(record.time); time.ok()) {
    PutText(row, columns::kOperationTimeStamp, *std::move(time));
  }
  Put(row, columns::kSourceCoordinate, record.sources);
  Put(row, columns::kSinkCoordinate, record.sinks);
  Put(row, columns::kSourceId, record.source_supervoxels);
  Put(row, columns::kSinkId, record.sink_supervoxels);
  Put(row, columns::kAddedEdge, record.added_edges);
  Put(row, columns::kRemovedEdge, record.removed_edges);
  Put(row, columns::kRootId, record.new_roots);
  Put(row, kOldRoots, record.old_roots);
  Put(row, kFragments, record.fragments);
  PutText(row, columns::kL2ChunkLockScope, table::EncodeArray(record.chunk_scope));
  if (record.read_generation.has_value()) {
    PutText(row, kReadGeneration, table::EncodeValue(*record.read_generation));
  }
  if (record.written_generation.has_value()) {
    PutText(row, kWrittenGeneration, table::EncodeValue(*record.written_generation));
  }
  return row;
}

absl::Status OperationLog::Write(const OperationRecord& record) {
  const table::RowMutation rows[] = {RowOf(record)};
  return table_.Apply(rows);
}

absl::StatusOr<OperationRecord> OperationLog::ReadFrom(const table::TableReader& reader, OperationId id) {
  CLEAVE_ASSIGN_OR_RETURN(const table::Row row, reader.ReadRow(table::OperationRowKey(Value(id)), {}));
  if (row.cells.empty() || Value(id) >= kFirstNode) {
    return absl::NotFoundError(absl::StrCat("there is no operation ", Value(id)));
  }
  return FromRow(id, row);
}

absl::StatusOr<std::vector<OperationRecord>> OperationLog::ReadAll() const {
  CLEAVE_ASSIGN_OR_RETURN(Rows rows, ReadEach(table_));
  return rows.unreadable.empty() ? absl::StatusOr<std::vector<OperationRecord>>(std::move(rows.records))
                                 : rows.unreadable.front().second;
}

absl::StatusOr<OperationLog::Rows> OperationLog::ReadEach(const table::TableReader& reader) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows,
                          reader.ReadRange(table::NodeRowRange({.first = 1, .last = kFirstNode - 1}), {}, 0));
  Rows result;
  for (const table::Row& row : rows) {
    CLEAVE_ASSIGN_OR_RETURN(const uint64_t id, table::ParseOperationRowKey(row.key));
    absl::StatusOr<OperationRecord> record = FromRow(OperationId{id}, row);
    if (record.ok()) {
      result.records.push_back(*std::move(record));
    } else {
      result.unreadable.emplace_back(OperationId{id}, record.status());
    }
  }
  return result;
}

table::RowMutation OperationLog::RowOfInFlight(const InFlight& operation) {
  table::RowMutation row{InFlightRowKey(operation.id), {}};
  PutText(row, columns::kOperationId, table::EncodeIdText(Value(operation.id)));
  PutText(row, columns::kRootId, table::EncodeArray(operation.locked_roots));
  PutText(row, columns::kL2ChunkLockScope, table::EncodeArray(operation.chunk_scope));
  return row;
}

absl::Status OperationLog::WriteInFlight(const InFlight& operation) {
  table::RowMutation row = RowOfInFlight(operation);
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<int64_t> last_ms, LastCommitTimeMs());
  if (last_ms.has_value()) {
    PutText(row, kLaterThan, table::EncodeValue(*last_ms));
  }
  const table::RowMutation rows[] = {std::move(row)};
  return table_.Apply(rows);
}

absl::Status OperationLog::RemoveInFlight(OperationId id) {
  const table::RowMutation rows[] = {{InFlightRowKey(id), {table::DeleteRow{}}}};
  return table_.Apply(rows);
}

absl::StatusOr<std::vector<InFlight>> OperationLog::ListInFlight(const table::TableReader& table) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows, table.ReadRange({.begin = "o", .end = "p"}, {}, 0));
  std::vector<InFlight> operations;
  for (const table::Row& row : rows) {
    RowReader reader(row);
    const uint64_t id = reader.Take(table::DecodeIdText(reader.Text(columns::kOperationId)), columns::kOperationId);
    operations.push_back(
        {OperationId{id}, reader.Array<NodeId>(columns::kRootId), reader.Array<NodeId>(columns::kL2ChunkLockScope)});
    if (const std::optional<uint64_t> later_than_ms = reader.Number(kLaterThan)) {
      operations.back().later_than = absl::FromUnixMillis(static_cast<int64_t>(*later_than_ms));
    }
    CLEAVE_RETURN_IF_ERROR(reader.status());
  }
  return operations;
}

absl::StatusOr<std::optional<int64_t>> OperationLog::LastCommitTimeMs() const {
  CLEAVE_ASSIGN_OR_RETURN(const table::Row row,
                          table_.ReadRow(kCommitTimeRowKey, {.columns = {kCommitTime}, .cells_per_column = 1}));
  const table::Cell* last = row.Newest(kCommitTime);
  if (last == nullptr) {
    return std::nullopt;
  }
  CLEAVE_ASSIGN_OR_RETURN(const int64_t last_ms, table::DecodeValue<int64_t>(last->value));
  return last_ms;
}

absl::StatusOr<bool> OperationLog::MoveCommitTime(std::optional<int64_t> last_ms, int64_t time_ms) {
  std::vector<table::CellMatch> predicate = {{.filter = {.columns = {kCommitTime}}}};
  if (last_ms.has_value()) {
    predicate[0].value = table::EncodeValue(*last_ms);
  }
  // One cell, at time zero, so that the newest is the only one.
  const table::Change set[] = {table::SetCell{kCommitTime, absl::UnixEpoch(), table::EncodeValue(time_ms)}};
  CLEAVE_ASSIGN_OR_RETURN(const bool matched, last_ms.has_value()
                                                  ? table_.ApplyIf(kCommitTimeRowKey, predicate, set, {})
                                                  : table_.ApplyIf(kCommitTimeRowKey, predicate, {}, set));
  return matched == last_ms.has_value();
}

absl::StatusOr<absl::Time> OperationLog::NextCommitTime(absl::Time now) {
  for (int attempt = 0; attempt < kCommitTimeTries; ++attempt) {
    CLEAVE_ASSIGN_OR_RETURN(const std::optional<int64_t> last_ms, LastCommitTimeMs());
    int64_t time_ms = absl::ToUnixMillis(now);
    if (last_ms.has_value()) {
      time_ms = std::max(time_ms, *last_ms + 1);
    }
    CLEAVE_ASSIGN_OR_RETURN(const bool moved, MoveCommitTime(last_ms, time_ms));
    if (moved) {
      return absl::FromUnixMillis(time_ms);
    }
  }
  return absl::UnavailableError("too many operations want a commit time at once; try again");
}

absl::StatusOr<absl::Time> OperationLog::CloseTimesUpTo(absl::Time now) {
  const int64_t now_ms = absl::ToUnixMillis(now);
  for (int attempt = 0; attempt < kCommitTimeTries; ++attempt) {
    CLEAVE_ASSIGN_OR_RETURN(const std::optional<int64_t> last_ms, LastCommitTimeMs());
    if (last_ms.has_value() && *last_ms >= now_ms) {
      return absl::FromUnixMillis(*last_ms);
    }
    CLEAVE_ASSIGN_OR_RETURN(const bool moved, MoveCommitTime(last_ms, now_ms));
    if (moved) {
      return absl::FromUnixMillis(now_ms);
    }
  }
  return absl::UnavailableError("too many operations want a commit time at once; try again");
}

}  // namespace cleave::edit
