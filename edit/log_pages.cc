#include "edit/log_pages.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "table/columns.h"
#include "table/pickle.h"
#include "table/row_keys.h"
#include "table/serializers.h"

namespace cleave::edit {
namespace {

using graph::OperationId;
namespace columns = table::columns;

constexpr uint64_t kLastOperation = (uint64_t{1} << 56) - 1;  // rows above are nodes
constexpr int64_t kScanRows = 1'000;                          // of the log, read together

// Rows that were read before, as a reader.
class ReadBefore final : public table::TableReader {
 public:
  explicit ReadBefore(std::vector<table::Row> rows) {
    for (table::Row& row : rows) {
      std::string key = row.key;
      rows_[std::move(key)] = std::move(row);
    }
  }
  absl::StatusOr<std::vector<table::Row>> ReadRows(std::span<const std::string> keys,
                                                   const table::Filter& /*filter*/) const override {
    std::vector<table::Row> rows;
    for (const std::string& key : keys) {
      const auto row = rows_.find(key);
      rows.push_back(row == rows_.end() ? table::Row{key, {}} : row->second);
    }
    return rows;
  }
  absl::StatusOr<std::vector<table::Row>> ReadRange(const table::RowRange& /*range*/, const table::Filter& /*filter*/,
                                                    int64_t /*limit*/) const override {
    return absl::UnimplementedError("rows that were read before have no ranges");
  }

 private:
  absl::flat_hash_map<std::string, table::Row> rows_;
};

std::vector<std::string> Keys(std::span<const OperationId> ids) {
  std::vector<std::string> keys;
  for (const OperationId id : ids) {
    if (Value(id) <= kLastOperation) {
      keys.push_back(table::OperationRowKey(Value(id)));
    }
  }
  std::ranges::sort(keys);
  keys.erase(std::ranges::unique(keys).begin(), keys.end());
  return keys;
}

// When a successful operation's changes hold from; nullopt for all others.
absl::StatusOr<std::optional<absl::Time>> SuccessTime(const table::Row& row) {
  const table::Cell* status = row.Newest(columns::kStatus);
  const table::Cell* time = row.Newest(columns::kOperationTimeStamp);
  if (status == nullptr) {
    return std::nullopt;
  }
  const absl::StatusOr<int64_t> code = table::DecodePickledInteger(status->value);
  if (!code.ok()) {
    return Annotate(code.status(), absl::StrCat("operation ", row.key, ", column operation_status"));
  }
  if (*code != static_cast<int64_t>(OperationStatus::kSuccess)) {
    return std::nullopt;
  }
  if (time == nullptr) {
    return status->time;
  }
  const absl::StatusOr<absl::Time> decoded = table::DecodePickledTime(time->value);
  if (!decoded.ok()) {
    return Annotate(decoded.status(), absl::StrCat("operation ", row.key, ", column operation_ts"));
  }
  return *decoded;
}

// The last number that was given to an operation; 0 when there was none.
absl::StatusOr<uint64_t> NewestNumber(const table::TableReader& reader) {
  const std::string key[] = {table::kOperationCounterRowKey};
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows,
                          reader.ReadRows(key, {.columns = {columns::kCounter}, .cells_per_column = 1}));
  const table::Cell* counter = rows[0].Newest(columns::kCounter);
  if (counter == nullptr) {
    return 0;
  }
  CLEAVE_ASSIGN_OR_RETURN(const int64_t count, table::DecodeCounter(counter->value));
  return static_cast<uint64_t>(std::max<int64_t>(0, count));
}

table::RowRange LogFrom(OperationId from) {
  return table::NodeRowRange({.first = std::max<uint64_t>(1, Value(from)), .last = kLastOperation});
}

template <typename T>
absl::StatusOr<DetailValue> Detail(absl::StatusOr<T> value) {
  CLEAVE_RETURN_IF_ERROR(value.status());
  return DetailValue(*std::move(value));
}

DetailValue UnknownDetail(const std::string& value) {
  const bool is_text = std::ranges::all_of(value, [](char c) { return absl::ascii_isprint(c); });
  return is_text ? value : absl::StrCat("0x", absl::BytesToHexString(value));
}

absl::StatusOr<DetailValue> DecodeDetail(const table::Column& column, const std::string& value) {
  if (column == columns::kRootId || column == columns::kSourceId || column == columns::kSinkId ||
      column == columns::kL2ChunkLockScope) {
    return Detail(table::DecodeArray<uint64_t>(value));
  }
  if (column == columns::kAddedEdge || column == columns::kRemovedEdge) {
    return Detail(table::DecodeArray<graph::EdgeEnds>(value));
  }
  if (column == columns::kSourceCoordinate || column == columns::kSinkCoordinate) {
    return Detail(table::DecodeArray<VoxelPoint>(value));
  }
  if (column == columns::kBoundingBoxOffset) {
    CLEAVE_ASSIGN_OR_RETURN(std::vector<VoxelPoint> offset, table::DecodeArray<VoxelPoint>(value));
    return offset.size() == 1 ? DetailValue(offset.front()) : DetailValue(std::move(offset));
  }
  if (column == columns::kOperationAffinity) {
    return Detail(table::DecodeArray<float>(value));
  }
  if (column == columns::kUndoOperationId || column == columns::kRedoOperationId || column == columns::kOperationId) {
    CLEAVE_ASSIGN_OR_RETURN(const uint64_t id, table::DecodeIdText(value));
    return DetailValue(static_cast<int64_t>(id));
  }
  if (column == columns::kStatus) {
    return Detail(table::DecodePickledInteger(value));
  }
  if (column == columns::kOperationTimeStamp) {
    return Detail(table::DecodePickledTime(value));
  }
  if (column == columns::kUserId || column == columns::kOperationException) {
    return Detail(table::DecodeText(value));
  }
  constexpr absl::string_view kIdLists[] = {"cleave_old_roots", "cleave_fragments", "cleave_new_l2_nodes",
                                            "cleave_overridden", "cleave_batch_operations"};
  if (std::ranges::count(kIdLists, column.qualifier) > 0 && value.size() % 8 == 0) {
    return Detail(table::DecodeArray<uint64_t>(value));
  }
  if (column.qualifier == "cleave_read_generation" || column.qualifier == "cleave_written_generation") {
    CLEAVE_ASSIGN_OR_RETURN(const uint64_t number, table::DecodeValue<uint64_t>(value));
    return DetailValue(static_cast<int64_t>(number));
  }
  return UnknownDetail(value);
}

}  // namespace

absl::StatusOr<std::vector<OperationRecord>> ReadOperations(const table::TableReader& reader,
                                                            std::span<const OperationId> ids) {
  const std::vector<std::string> keys = Keys(ids);
  CLEAVE_ASSIGN_OR_RETURN(std::vector<table::Row> rows, reader.ReadRows(keys, {}));
  const ReadBefore read(std::move(rows));
  std::vector<OperationRecord> records;
  for (const std::string& key : keys) {
    CLEAVE_ASSIGN_OR_RETURN(const uint64_t id, table::ParseOperationRowKey(key));
    absl::StatusOr<OperationRecord> record = OperationLog::ReadFrom(read, OperationId{id});
    if (record.ok()) {
      records.push_back(*std::move(record));
    } else if (!absl::IsNotFound(record.status())) {
      return record.status();
    }
  }
  return records;
}

absl::StatusOr<LogPage> ReadLogPage(const table::TableReader& reader, const LogWindow& window, OperationId from,
                                    int64_t operations_max) {
  if (operations_max < 1) {
    return absl::InvalidArgumentError("a page of the log needs room for at least one operation");
  }
  LogPage page;
  std::vector<OperationId> found;
  for (bool is_end = false; !is_end && !page.next.has_value();) {
    CLEAVE_ASSIGN_OR_RETURN(
        const std::vector<table::Row> rows,
        reader.ReadRange(LogFrom(from),
                         {.columns = {columns::kStatus, columns::kOperationTimeStamp}, .cells_per_column = 1},
                         kScanRows));
    is_end = std::ssize(rows) < kScanRows;
    for (const table::Row& row : rows) {
      CLEAVE_ASSIGN_OR_RETURN(const uint64_t id, table::ParseOperationRowKey(row.key));
      from = OperationId{id + 1};
      CLEAVE_ASSIGN_OR_RETURN(const std::optional<absl::Time> time, SuccessTime(row));
      if (!time.has_value() || *time <= window.after || *time > window.until) {
        continue;
      }
      if (std::ssize(found) == operations_max) {
        page.next = OperationId{id};
        break;
      }
      found.push_back(OperationId{id});
    }
  }
  CLEAVE_ASSIGN_OR_RETURN(page.operations, ReadOperations(reader, found));
  return page;
}

absl::StatusOr<std::vector<OperationRecord>> ReadNewestOperations(const table::TableReader& reader,
                                                                  const OperationStretch& stretch,
                                                                  int64_t operations_max) {
  if (operations_max < 1) {
    return absl::InvalidArgumentError("a page of the log needs room for at least one operation");
  }
  CLEAVE_ASSIGN_OR_RETURN(const uint64_t newest, NewestNumber(reader));
  std::vector<OperationRecord> found;
  uint64_t end = std::min(newest + 1, Value(stretch.before));
  const auto wanted = static_cast<uint64_t>(operations_max);
  while (found.size() < wanted && end > Value(stretch.after) + 1) {
    const uint64_t begin = end - std::min(end - Value(stretch.after) - 1, wanted);
    std::vector<OperationId> ids;
    for (uint64_t id = begin; id < end; ++id) {
      ids.push_back(OperationId{id});
    }
    CLEAVE_ASSIGN_OR_RETURN(std::vector<OperationRecord> records, ReadOperations(reader, ids));
    std::move(records.rbegin(), records.rend(), std::back_inserter(found));
    end = begin;
  }
  found.resize(std::min<size_t>(found.size(), wanted));
  return found;
}

absl::StatusOr<UndoneOperations> ReadUndone(const table::TableReader& reader) {
  CLEAVE_ASSIGN_OR_RETURN(
      const std::vector<table::Row> rows,
      reader.ReadRange(LogFrom(OperationId{1}),
                       {.columns = {columns::kUndoOperationId, columns::kRedoOperationId}, .cells_per_column = 1}, 0));
  std::vector<std::string> keys;
  keys.reserve(rows.size());
  for (const table::Row& row : rows) {
    keys.push_back(row.key);
  }
  CLEAVE_ASSIGN_OR_RETURN(
      const std::vector<table::Row> ends,
      reader.ReadRows(keys, {.columns = {columns::kStatus, columns::kOperationTimeStamp}, .cells_per_column = 1}));
  struct Step {
    absl::Time time;
    OperationId id{};
    OperationId target{};
    bool undoes = false;
  };
  std::vector<Step> steps;
  for (size_t i = 0; i < rows.size(); ++i) {
    CLEAVE_ASSIGN_OR_RETURN(const std::optional<absl::Time> time, SuccessTime(ends[i]));
    if (!time.has_value()) {
      continue;
    }
    const table::Cell* undo = rows[i].Newest(columns::kUndoOperationId);
    const table::Cell* target = undo != nullptr ? undo : rows[i].Newest(columns::kRedoOperationId);
    CLEAVE_ASSIGN_OR_RETURN(const uint64_t id, table::ParseOperationRowKey(rows[i].key));
    CLEAVE_ASSIGN_OR_RETURN(const uint64_t target_id, table::DecodeIdText(target->value));
    steps.push_back({*time, OperationId{id}, OperationId{target_id}, undo != nullptr});
  }
  std::ranges::sort(steps, {}, [](const Step& step) { return std::pair(step.time, step.id); });
  UndoneOperations result;
  std::map<OperationId, std::pair<OperationId, bool>>
      meaning;  // of undo and redo: the merge or split, and whether undone
  for (const Step& step : steps) {
    OperationId target = step.target;
    bool undoes = step.undoes;
    if (const auto chained = meaning.find(target); chained != meaning.end()) {
      target = chained->second.first;
      undoes = undoes != chained->second.second;
    }
    meaning[step.id] = {target, undoes};
    result.undo_or_redo.insert(step.id);
    if (undoes) {
      result.undone.insert(target);
    } else {
      result.undone.erase(target);
    }
  }
  return result;
}

absl::StatusOr<std::map<OperationId, std::vector<OperationDetail>>> ReadOperationDetails(
    const table::TableReader& reader, std::span<const OperationId> ids) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows, reader.ReadRows(Keys(ids), {.cells_per_column = 1}));
  std::map<OperationId, std::vector<OperationDetail>> details;
  for (const table::Row& row : rows) {
    CLEAVE_ASSIGN_OR_RETURN(const uint64_t id, table::ParseOperationRowKey(row.key));
    for (const auto& [column, cells] : row.cells) {
      absl::StatusOr<DetailValue> value = DecodeDetail(column, cells.front().value);
      if (!value.ok()) {
        return Annotate(value.status(), absl::StrCat("operation ", id, ", column ", column.qualifier));
      }
      details[OperationId{id}].push_back({column.qualifier, *std::move(value)});
    }
  }
  return details;
}

}  // namespace cleave::edit
