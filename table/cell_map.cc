#include "table/cell_map.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "table/serializers.h"

namespace cleave::table {
namespace {

absl::Status CheckTime(const std::optional<absl::Time>& time) {
  // Sums and complements of what is in these bounds stay in 64 bits; they are 290,000 years from now.
  constexpr int64_t kLimitMs = std::numeric_limits<int64_t>::max() / 1000;
  const int64_t ms = time ? absl::ToUnixMillis(*time) : 0;
  if (ms > -kLimitMs && ms < kLimitMs) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("a cell cannot have the time ", absl::FormatTime(*time)));
}

absl::Status CheckChange(const Change& change) {
  const auto* const set = std::get_if<SetCell>(&change);
  const auto* const erase = std::get_if<DeleteCells>(&change);
  if ((set != nullptr && set->column.family.empty()) || (erase != nullptr && erase->column.family.empty())) {
    return absl::InvalidArgumentError("a column must have a family");
  }
  if (set != nullptr) {
    return CheckTime(set->time);
  }
  return erase != nullptr ? CheckTime(erase->time) : absl::OkStatus();
}

}  // namespace

TimeRangeMs TimeRangeOf(const Filter& filter) {
  TimeRangeMs range{absl::ToUnixMillis(filter.start), absl::ToUnixMillis(filter.end)};
  if (filter.end_inclusive && range.end != std::numeric_limits<int64_t>::max()) {
    ++range.end;
  }
  return range;
}

std::vector<Column> SortedColumns(const Filter& filter) {
  std::vector<Column> columns = filter.columns;
  std::sort(columns.begin(), columns.end());
  columns.erase(std::unique(columns.begin(), columns.end()), columns.end());
  return columns;
}

absl::Status CheckKey(absl::string_view key) {
  return key.empty() ? absl::InvalidArgumentError("a row key must not be empty") : absl::OkStatus();
}

absl::Status CheckChanges(std::span<const Change> changes) {
  for (const Change& change : changes) {
    CLEAVE_RETURN_IF_ERROR(CheckChange(change));
  }
  return absl::OkStatus();
}

absl::Status CheckMutations(std::span<const RowMutation> mutations) {
  for (const RowMutation& mutation : mutations) {
    CLEAVE_RETURN_IF_ERROR(CheckKey(mutation.key));
    CLEAVE_RETURN_IF_ERROR(
        Annotate(CheckChanges(mutation.changes), absl::StrCat("row ", absl::CHexEscape(mutation.key))));
  }
  return absl::OkStatus();
}

absl::Status CheckConditionalMutations(std::span<const ConditionalMutation> mutations) {
  std::set<absl::string_view> keys;
  for (const ConditionalMutation& mutation : mutations) {
    CLEAVE_RETURN_IF_ERROR(CheckKey(mutation.key));
    const std::string row = absl::StrCat("row ", absl::CHexEscape(mutation.key));
    CLEAVE_RETURN_IF_ERROR(Annotate(CheckChanges(mutation.if_matched), row));
    CLEAVE_RETURN_IF_ERROR(Annotate(CheckChanges(mutation.if_not_matched), row));
    if (!keys.insert(mutation.key).second) {
      return absl::InvalidArgumentError(absl::StrCat(row, " is named twice"));
    }
  }
  return absl::OkStatus();
}

int64_t CellTimeMs(const std::optional<absl::Time>& time, absl::Time now) {
  return absl::ToUnixMillis(time.value_or(now));
}

std::map<Column, std::vector<Cell>> Select(const CellMap& cells, const Filter& filter) {
  const TimeRangeMs range = TimeRangeOf(filter);
  const size_t limit =
      filter.cells_per_column > 0 ? static_cast<size_t>(filter.cells_per_column) : std::numeric_limits<size_t>::max();
  std::map<Column, std::vector<Cell>> selected;
  const auto take = [&](const Column& column, const CellVersions& versions) {
    std::vector<Cell> taken;
    for (auto it = versions.begin(); it != versions.end() && it->first >= range.begin && taken.size() < limit; ++it) {
      if (it->first < range.end) {
        taken.push_back({absl::FromUnixMillis(it->first), it->second});
      }
    }
    if (!taken.empty()) {
      selected[column] = std::move(taken);
    }
  };
  for (const auto& [column, versions] : cells) {
    if (filter.columns.empty() ||
        std::find(filter.columns.begin(), filter.columns.end(), column) != filter.columns.end()) {
      take(column, versions);
    }
  }
  return selected;
}

void ApplyChange(CellMap& cells, const Change& change, absl::Time now) {
  if (const auto* const set = std::get_if<SetCell>(&change)) {
    cells[set->column][CellTimeMs(set->time, now)] = set->value;
    return;
  }
  const auto* const erase = std::get_if<DeleteCells>(&change);
  if (erase == nullptr) {
    cells.clear();
    return;
  }
  const auto it = cells.find(erase->column);
  if (it == cells.end()) {
    return;
  }
  if (erase->time) {
    it->second.erase(CellTimeMs(erase->time, now));
  }
  if (!erase->time || it->second.empty()) {
    cells.erase(it);
  }
}

absl::StatusOr<CounterStep> StepCounter(const Row& row, const Column& column, int64_t delta, absl::Time now) {
  const Cell* const newest = row.Newest(column);
  int64_t count = 0;
  if (newest != nullptr) {
    const std::string where =
        absl::StrCat("row ", absl::CHexEscape(row.key), ", column ", column.family, ":", column.qualifier);
    absl::StatusOr<int64_t> stored = DecodeCounter(newest->value);
    if (!stored.ok()) {
      return Annotate(stored.status(), where);
    }
    count = *stored;
    now = std::max(now, newest->time);  // a clock that went back must not hide the new sum behind the old one
  }
  CounterStep step;
  if (__builtin_add_overflow(count, delta, &step.sum)) {
    return absl::OutOfRangeError(absl::StrCat("row ", absl::CHexEscape(row.key), ": the counter stands at ", count,
                                              " and cannot take ", delta, " more"));
  }
  step.changes = {DeleteCells{column, std::nullopt}, SetCell{column, now, EncodeCounter(step.sum)}};
  return step;
}

bool Matches(const std::map<Column, std::vector<Cell>>& selected, const CellMatch& match) {
  if (!match.value) {
    return !selected.empty();
  }
  return std::any_of(selected.begin(), selected.end(), [&](const auto& column_cells) {
    const auto& cells = column_cells.second;
    return std::any_of(cells.begin(), cells.end(), [&](const Cell& cell) { return cell.value == *match.value; });
  });
}

}  // namespace cleave::table
