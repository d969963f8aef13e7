#include "edit/event_index.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

#include "base/status.h"
#include "table/serializers.h"

namespace cleave::edit {
namespace {

using graph::OperationId;

const table::Column kEvent{"0", "cleave_event"};
const table::Column kIndexed{"0", "cleave_indexed"};
const table::Column kAcknowledged{"0", "cleave_acknowledged"};
const table::Column kReverted{"0", "cleave_reverted"};
constexpr char kIndexRowKey[] = "events";
constexpr size_t kDigits = 20;
constexpr int kAcknowledgeTries = 1000;

std::string TimePrefix(int64_t ms) { return absl::StrFormat("e%020d", std::max<int64_t>(ms, 0)); }

table::Change OneCell(const table::Column& column, std::string value) {
  return table::SetCell{column, absl::UnixEpoch(), std::move(value)};
}

absl::StatusOr<uint64_t> ParseDigits(const std::string& key, size_t begin) {
  uint64_t number = 0;
  if (key.size() < begin + kDigits || !absl::SimpleAtoi(absl::string_view(key).substr(begin, kDigits), &number)) {
    return absl::DataLossError(absl::StrCat("row '", key, "' of the table is no event"));
  }
  return number;
}

absl::StatusOr<EventRef> ParseEvent(const table::Row& row) {
  CLEAVE_ASSIGN_OR_RETURN(const uint64_t ms, ParseDigits(row.key, 1));
  CLEAVE_ASSIGN_OR_RETURN(const uint64_t id, ParseDigits(row.key, 1 + kDigits));
  return EventRef{absl::FromUnixMillis(static_cast<int64_t>(ms)), OperationId{id}};
}

constexpr char kGroupKeyPrefix[] = "g";

absl::StatusOr<std::string> GroupRowKey(absl::string_view group) {
  const bool is_name = !group.empty() && std::ranges::all_of(group, [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
  });
  if (!is_name) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", group, "' cannot name a group of consumers: letters, digits, '_' and '-' can"));
  }
  return absl::StrCat(kGroupKeyPrefix, group);
}

std::string RevertedRowKey(OperationId operation) { return absl::StrFormat("v%020d", Value(operation)); }

}  // namespace

std::string EventRowKey(const EventRef& event) {
  return absl::StrCat(TimePrefix(absl::ToUnixMillis(event.time)), absl::StrFormat("%020d", Value(event.operation)));
}

table::RowMutation EventRow(const EventRef& event) {
  return {EventRowKey(event), {OneCell(kEvent, table::EncodeIdText(Value(event.operation)))}};
}

absl::StatusOr<std::vector<EventRef>> ListEvents(const table::TableReader& table, absl::Time after, int64_t limit) {
  const std::string begin = after == absl::InfinitePast() ? "e0" : TimePrefix(absl::ToUnixMillis(after) + 1);
  const table::Filter filter{.columns = {kEvent}, .cells_per_column = 1};
  CLEAVE_ASSIGN_OR_RETURN(std::vector<table::Row> rows, table.ReadRange({begin, "e:"}, filter, limit));
  if (limit > 0 && std::ssize(rows) == limit) {
    CLEAVE_ASSIGN_OR_RETURN(const EventRef last, ParseEvent(rows.back()));
    CLEAVE_ASSIGN_OR_RETURN(std::vector<table::Row> same_time,
                            table.ReadRange({absl::StrCat(rows.back().key, absl::string_view("\0", 1)),
                                             TimePrefix(absl::ToUnixMillis(last.time) + 1)},
                                            filter, 0));
    std::ranges::move(same_time, std::back_inserter(rows));
  }
  std::vector<EventRef> events;
  events.reserve(rows.size());
  for (const table::Row& row : rows) {
    CLEAVE_ASSIGN_OR_RETURN(events.emplace_back(), ParseEvent(row));
  }
  return events;
}

absl::StatusOr<bool> EventIndexIsWhole(const table::TableReader& table) {
  CLEAVE_ASSIGN_OR_RETURN(const table::Row row, table.ReadRow(kIndexRowKey, {.columns = {kIndexed}}));
  return !row.cells.empty();
}

// Whoever ends while this runs writes its own row, whether or not it is in the log that is read here.
absl::Status EnsureEventIndex(table::Table& table) {
  CLEAVE_ASSIGN_OR_RETURN(const bool is_whole, EventIndexIsWhole(table));
  if (is_whole) {
    return absl::OkStatus();
  }
  CLEAVE_ASSIGN_OR_RETURN(const OperationLog::Rows log, OperationLog::ReadEach(table));
  std::vector<table::RowMutation> rows;
  for (const OperationRecord& record : log.records) {
    if (record.status == OperationStatus::kSuccess) {
      rows.push_back(EventRow({record.time, record.id}));
    }
  }
  rows.push_back({kIndexRowKey, {OneCell(kIndexed, "1")}});
  return table.Apply(rows);
}

absl::StatusOr<absl::Time> ReadAcknowledged(const table::TableReader& table, absl::string_view group) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string key, GroupRowKey(group));
  CLEAVE_ASSIGN_OR_RETURN(const table::Row row,
                          table.ReadRow(key, {.columns = {kAcknowledged}, .cells_per_column = 1}));
  const table::Cell* const cell = row.Newest(kAcknowledged);
  if (cell == nullptr) {
    return absl::InfinitePast();
  }
  const absl::StatusOr<int64_t> ms = table::DecodeValue<int64_t>(cell->value);
  return ms.ok() ? absl::StatusOr<absl::Time>(absl::FromUnixMillis(*ms))
                 : Annotate(ms.status(), absl::StrCat("row '", key, "' of the table"));
}

absl::Status Acknowledge(table::Table& table, absl::string_view group, absl::Time until) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string key, GroupRowKey(group));
  const int64_t until_ms = absl::ToUnixMillis(until);
  for (int attempt = 0; attempt < kAcknowledgeTries; ++attempt) {
    CLEAVE_ASSIGN_OR_RETURN(const absl::Time before, ReadAcknowledged(table, group));
    if (before >= absl::FromUnixMillis(until_ms)) {
      return absl::OkStatus();
    }
    const bool is_new = before == absl::InfinitePast();
    std::vector<table::CellMatch> predicate = {{.filter = {.columns = {kAcknowledged}}}};
    if (!is_new) {
      predicate[0].value = table::EncodeValue(absl::ToUnixMillis(before));
    }
    const table::Change set[] = {OneCell(kAcknowledged, table::EncodeValue(until_ms))};
    table::Table& ordered = table.ordered();
    CLEAVE_ASSIGN_OR_RETURN(const bool matched, is_new ? ordered.ApplyIf(key, predicate, {}, set)
                                                       : ordered.ApplyIf(key, predicate, set, {}));
    if (matched != is_new) {
      return absl::OkStatus();
    }
  }
  return absl::UnavailableError(absl::StrCat("too many consumers acknowledge for group '", group, "' at once"));
}

table::RowMutation RemoveEventGroupRow(absl::string_view group) {
  return {absl::StrCat(kGroupKeyPrefix, group), {table::DeleteRow{}}};
}

absl::StatusOr<std::vector<EventGroup>> ListEventGroups(const table::TableReader& table) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows,
                          table.ReadRange({"g", "h"}, {.columns = {kAcknowledged}, .cells_per_column = 1}, 0));
  std::vector<EventGroup> groups;
  for (const table::Row& row : rows) {
    EventGroup group{row.key.substr(1), {}};
    CLEAVE_ASSIGN_OR_RETURN(group.acknowledged, ReadAcknowledged(table, group.name));
    groups.push_back(std::move(group));
  }
  return groups;
}

table::RowMutation RevertedVoxelsRow(OperationId operation) {
  return {RevertedRowKey(operation), {OneCell(kReverted, table::EncodeIdText(Value(operation)))}};
}

table::RowMutation RemoveRevertedVoxelsRow(OperationId operation) {
  return {RevertedRowKey(operation), {table::DeleteRow{}}};
}

absl::StatusOr<std::vector<OperationId>> ListRevertedVoxels(const table::TableReader& table) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows,
                          table.ReadRange({"v0", "v:"}, {.columns = {kReverted}, .cells_per_column = 1}, 0));
  std::vector<OperationId> operations;
  for (const table::Row& row : rows) {
    CLEAVE_ASSIGN_OR_RETURN(const uint64_t id, ParseDigits(row.key, 1));
    operations.push_back(OperationId{id});
  }
  return operations;
}

}  // namespace cleave::edit
