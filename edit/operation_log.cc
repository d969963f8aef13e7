#include "edit/operation_log.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "base/status.h"
#include "edit/operation_row.h"
#include "table/columns.h"
#include "table/row_keys.h"
#include "table/serializers.h"

namespace cleave::edit {
namespace {

using graph::NodeId;
using graph::OperationId;
namespace columns = table::columns;

// Our own columns; readers that do not know them never ask for them.
const table::Column kCommitTime{"0", "cleave_commit_time"};      // i64, ms since 1970; row kCommitTimeRowKey
const table::Column kLaterThan{"2", "cleave_later_than"};        // i64, ms since 1970; row in flight
const table::Column kFollowers{"2", "cleave_batch_operations"};  // array of u64; row in flight
const table::Column kSince{"2", "cleave_since"};                 // i64, ms since 1970; row in flight
const table::Column kCommitting{"2", "cleave_committing"};       // text; row in flight
const table::Column kRowKind{"2", "cleave_kind"};                // text: Name(OperationKind); both rows

constexpr char kCommitTimeRowKey[] = "icommit_time";
constexpr int kCommitTimeTries = 1000;
constexpr uint64_t kFirstNode = uint64_t{1} << 56;  // operation ids are smaller than every node id: rows below layer 1

OperationKind InFlightKind(const std::string& text) {
  for (const OperationKind kind :
       {OperationKind::kSplit, OperationKind::kUndo, OperationKind::kRedo, OperationKind::kRepair}) {
    if (text == Name(kind)) {
      return kind;
    }
  }
  return OperationKind::kMerge;
}

std::string InFlightRowKey(OperationId id) { return absl::StrFormat("o%020d", Value(id)); }

}  // namespace

absl::Status OperationLog::Write(const OperationRecord& record) {
  const table::RowMutation rows[] = {RowOf(record)};
  return table_.Apply(rows);
}

absl::StatusOr<OperationRecord> OperationLog::ReadFrom(const table::TableReader& reader, OperationId id) {
  CLEAVE_ASSIGN_OR_RETURN(const table::Row row, reader.ReadRow(table::OperationRowKey(Value(id)), {}));
  if (row.cells.empty() || Value(id) >= kFirstNode) {
    return absl::NotFoundError(absl::StrCat("there is no operation ", Value(id)));
  }
  return RecordOfRow(id, row);
}

absl::StatusOr<bool> OperationLog::IsForeign(const table::TableReader& reader, OperationId id) {
  CLEAVE_ASSIGN_OR_RETURN(const table::Row row,
                          reader.ReadRow(table::OperationRowKey(Value(id)), {.columns = {kRowKind}}));
  return row.cells.empty();
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
    absl::StatusOr<OperationRecord> record = RecordOfRow(OperationId{id}, row);
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
  const auto put = [&](const table::Column& column, std::string value) {
    row.changes.push_back(table::SetCell{column, std::nullopt, std::move(value)});
  };
  put(columns::kOperationId, table::EncodeIdText(Value(operation.id)));
  put(columns::kRootId, table::EncodeArray(operation.locked_roots));
  put(columns::kL2ChunkLockScope, table::EncodeArray(operation.chunk_scope));
  if (!operation.followers.empty()) {
    put(kFollowers, table::EncodeArray(operation.followers));
  }
  if (operation.is_committing) {
    put(kCommitting, "yes");
  }
  if (operation.since != absl::InfinitePast()) {
    put(kSince, table::EncodeValue(absl::ToUnixMillis(operation.since)));
    put(kRowKind, std::string(Name(operation.kind)));
  }
  return row;
}

absl::Status OperationLog::WriteInFlight(const InFlight& operation) {
  table::RowMutation row = RowOfInFlight(operation);
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<int64_t> last_ms, LastCommitTimeMs());
  if (last_ms.has_value()) {
    row.changes.push_back(table::SetCell{kLaterThan, std::nullopt, table::EncodeValue(*last_ms)});
  }
  const table::RowMutation rows[] = {std::move(row)};
  return table_.Apply(rows);
}

absl::Status OperationLog::WriteFollowers(const InFlight& operation, std::span<const OperationRecord> followers) {
  std::vector<table::RowMutation> rows = {RowOfInFlight(operation)};
  std::ranges::transform(followers, std::back_inserter(rows), RowOf);
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
    OperationRowReader reader(row);
    InFlight& operation = operations.emplace_back();
    operation.id =
        OperationId{reader.Take(table::DecodeIdText(reader.Text(columns::kOperationId)), columns::kOperationId)};
    operation.locked_roots = reader.Array<NodeId>(columns::kRootId);
    operation.chunk_scope = reader.Array<NodeId>(columns::kL2ChunkLockScope);
    operation.followers = reader.Array<OperationId>(kFollowers);
    if (const std::optional<uint64_t> later_than_ms = reader.Number(kLaterThan)) {
      operation.later_than = absl::FromUnixMillis(static_cast<int64_t>(*later_than_ms));
    }
    if (const std::optional<uint64_t> since_ms = reader.Number(kSince)) {
      operation.since = absl::FromUnixMillis(static_cast<int64_t>(*since_ms));
    }
    operation.is_committing = reader.Cell(kCommitting) != nullptr;
    operation.kind = InFlightKind(reader.Text(kRowKind));
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

absl::StatusOr<absl::Time> OperationLog::NextCommitTime(absl::Time now, int64_t count) {
  for (int attempt = 0; attempt < kCommitTimeTries; ++attempt) {
    CLEAVE_ASSIGN_OR_RETURN(const std::optional<int64_t> last_ms, LastCommitTimeMs());
    int64_t time_ms = absl::ToUnixMillis(now);
    if (last_ms.has_value()) {
      time_ms = std::max(time_ms, *last_ms + 1);
    }
    CLEAVE_ASSIGN_OR_RETURN(const bool moved, MoveCommitTime(last_ms, time_ms + count - 1));
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
