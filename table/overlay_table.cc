#include "table/overlay_table.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/status.h"

namespace cleave::table {
namespace {

// Both newest first, of one column. Where times meet, the added cell wins.
std::vector<Cell> MergeCells(std::vector<Cell> stored, std::vector<Cell> added) {
  std::vector<Cell> merged;
  merged.reserve(stored.size() + added.size());
  const auto newer = [](const Cell& a, const Cell& b) { return a.time > b.time; };
  // std::merge takes from its first range on a tie, and std::unique keeps the first of equals: the added cell.
  std::merge(std::make_move_iterator(added.begin()), std::make_move_iterator(added.end()),
             std::make_move_iterator(stored.begin()), std::make_move_iterator(stored.end()), std::back_inserter(merged),
             newer);
  const auto same_time = [](const Cell& a, const Cell& b) { return a.time == b.time; };
  merged.erase(std::unique(merged.begin(), merged.end(), same_time), merged.end());
  return merged;
}

}  // namespace

OverlayTable::OverlayTable(const TableReader& base, absl::Time as_of) : base_(base), as_of_(as_of) {}

absl::Status OverlayTable::Add(std::span<const RowMutation> mutations) {
  CLEAVE_RETURN_IF_ERROR(CheckMutations(mutations));
  const absl::MutexLock lock(&mutex_);
  for (const RowMutation& mutation : mutations) {
    const auto [it, is_new] = deltas_.try_emplace(mutation.key);
    if (is_new) {
      keys_in_order_.insert(mutation.key);
    }
    for (const Change& change : mutation.changes) {
      Add(it->second, change);
    }
  }
  return absl::OkStatus();
}

void OverlayTable::Add(RowDelta& delta, const Change& change) const {
  ApplyChange(delta.added, change, as_of_);
  if (std::holds_alternative<DeleteRow>(change)) {
    delta.hides_row = true;
  } else if (const auto* const erase = std::get_if<DeleteCells>(&change)) {
    if (erase->time) {
      delta.hidden_times_ms[erase->column].insert(CellTimeMs(erase->time, as_of_));
    } else {
      delta.hidden_columns.insert(erase->column);
    }
  }
}

bool OverlayTable::RowDelta::Hides(const Column& column, absl::Time time) const {
  if (hides_row || hidden_columns.contains(column)) {
    return true;
  }
  const auto it = hidden_times_ms.find(column);
  return it != hidden_times_ms.end() && it->second.contains(absl::ToUnixMillis(time));
}

absl::StatusOr<std::vector<Row>> OverlayTable::ReadRows(std::span<const std::string> keys, const Filter& filter) const {
  const absl::ReaderMutexLock lock(&mutex_);
  return ReadRowsLocked(keys, filter);
}

absl::StatusOr<std::vector<Row>> OverlayTable::ReadRowsLocked(std::span<const std::string> keys,
                                                              const Filter& filter) const {
  CLEAVE_ASSIGN_OR_RETURN(std::vector<Row> rows, base_.ReadRows(keys, filter));
  // The newest cells of a column are among the newest stored and the newest added ones, unless stored ones are hidden:
  // then those behind them count too.
  std::vector<size_t> short_rows;
  std::vector<std::string> short_keys;
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto it = deltas_.find(keys[i]);
    if (it != deltas_.end() && filter.cells_per_column > 0 && it->second.hides_cells()) {
      short_rows.push_back(i);
      short_keys.push_back(keys[i]);
    }
  }
  if (!short_rows.empty()) {
    Filter all_cells = filter;
    all_cells.cells_per_column = 0;
    CLEAVE_ASSIGN_OR_RETURN(std::vector<Row> whole_rows, base_.ReadRows(short_keys, all_cells));
    for (size_t i = 0; i < short_rows.size(); ++i) {
      rows[short_rows[i]] = std::move(whole_rows[i]);
    }
  }
  for (Row& row : rows) {
    if (const auto it = deltas_.find(row.key); it != deltas_.end()) {
      Merge(it->second, filter, row);
    }
  }
  return rows;
}

void OverlayTable::Merge(const RowDelta& delta, const Filter& filter, Row& row) {
  if (delta.hides_cells()) {
    for (auto& [column, cells] : row.cells) {
      std::erase_if(cells, [&, &name = column](const Cell& cell) { return delta.Hides(name, cell.time); });
    }
  }
  for (auto& [column, added] : Select(delta.added, filter)) {
    std::vector<Cell>& cells = row.cells[column];
    cells = MergeCells(std::move(cells), std::move(added));
  }
  for (auto it = row.cells.begin(); it != row.cells.end();) {
    if (filter.cells_per_column > 0 && std::ssize(it->second) > filter.cells_per_column) {
      it->second.resize(static_cast<size_t>(filter.cells_per_column));
    }
    it = it->second.empty() ? row.cells.erase(it) : std::next(it);
  }
}

absl::StatusOr<std::vector<Row>> OverlayTable::ReadRange(const RowRange& range, const Filter& filter,
                                                         int64_t limit) const {
  const absl::ReaderMutexLock lock(&mutex_);
  const bool is_backward = !range.end.empty() && range.end < range.begin;
  const auto first = keys_in_order_.lower_bound(range.begin);
  const auto last = range.end.empty() || is_backward ? keys_in_order_.end() : keys_in_order_.lower_bound(range.end);
  const std::vector<std::string> changed_keys(first, is_backward ? first : last);
  CLEAVE_ASSIGN_OR_RETURN(std::vector<Row> changed, ReadRowsLocked(changed_keys, filter));
  std::erase_if(changed, [](const Row& row) { return row.cells.empty(); });

  // Of the stored rows those are dropped that are in `changed_keys`; so many more are asked for.
  const int64_t stored_limit = limit > 0 ? limit + std::ssize(changed_keys) : 0;
  CLEAVE_ASSIGN_OR_RETURN(std::vector<Row> stored, base_.ReadRange(range, filter, stored_limit));
  std::erase_if(stored,
                [this](const Row& row) ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return deltas_.contains(row.key); });

  std::vector<Row> rows;
  rows.reserve(stored.size() + changed.size());
  std::merge(std::make_move_iterator(stored.begin()), std::make_move_iterator(stored.end()),
             std::make_move_iterator(changed.begin()), std::make_move_iterator(changed.end()), std::back_inserter(rows),
             [](const Row& a, const Row& b) { return a.key < b.key; });
  if (limit > 0 && std::ssize(rows) > limit) {
    rows.resize(static_cast<size_t>(limit));
  }
  return rows;
}

absl::Status OverlayTable::VisitNewest(std::span<const std::string> keys, const Column& column, absl::Time until,
                                       CellVisitor visit) const {
  std::vector<size_t> changed;
  std::vector<std::string> changed_keys;
  std::vector<bool> is_changed(keys.size());
  std::vector<Row> rows;
  {
    const absl::ReaderMutexLock lock(&mutex_);
    for (size_t i = 0; i < keys.size(); ++i) {
      if (deltas_.contains(keys[i])) {
        is_changed[i] = true;
        changed.push_back(i);
        changed_keys.push_back(keys[i]);
      }
    }
    CLEAVE_ASSIGN_OR_RETURN(
        rows, ReadRowsLocked(changed_keys,
                             {.columns = {column}, .end = until, .end_inclusive = true, .cells_per_column = 1}));
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    if (const Cell* const cell = rows[i].Newest(column)) {
      CLEAVE_RETURN_IF_ERROR(visit({changed[i], cell->time, cell->value}));
    }
  }
  return base_.VisitNewest(keys, column, until, [&](const FoundCell& cell) {
    return is_changed[cell.index] ? absl::OkStatus() : visit(cell);
  });
}

}  // namespace cleave::table
