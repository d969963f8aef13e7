#include "table/memory_table.h"

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace cleave::table {

absl::StatusOr<std::vector<Row>> MemoryTable::ReadRows(std::span<const std::string> keys, const Filter& filter) const {
  const absl::ReaderMutexLock lock(&mutex_);
  std::vector<Row> rows;
  rows.reserve(keys.size());
  for (const std::string& key : keys) {
    CLEAVE_RETURN_IF_ERROR(CheckKey(key));
    const auto it = rows_.find(key);
    rows.push_back({key, it == rows_.end() ? decltype(Row::cells){} : Select(it->second, filter)});
  }
  return rows;
}

absl::StatusOr<std::vector<Row>> MemoryTable::ReadRange(const RowRange& range, const Filter& filter,
                                                        int64_t limit) const {
  const absl::ReaderMutexLock lock(&mutex_);
  std::vector<Row> rows;
  for (auto it = rows_.lower_bound(range.begin); it != rows_.end() && (range.end.empty() || it->first < range.end);
       ++it) {
    auto cells = Select(it->second, filter);
    if (!cells.empty()) {
      rows.push_back({it->first, std::move(cells)});
    }
    if (limit > 0 && std::ssize(rows) == limit) {
      break;
    }
  }
  return rows;
}

absl::Status MemoryTable::Apply(std::span<const RowMutation> mutations) {
  CLEAVE_RETURN_IF_ERROR(CheckMutations(mutations));
  const absl::MutexLock lock(&mutex_);
  const absl::Time now = clock_.Now();
  for (const RowMutation& mutation : mutations) {
    ApplyChanges(mutation.key, mutation.changes, now);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> MemoryTable::ApplyIf(absl::string_view key, std::span<const CellMatch> predicate,
                                          std::span<const Change> if_matched, std::span<const Change> if_not_matched) {
  const ConditionalMutation mutation[] = {{std::string(key),
                                           {predicate.begin(), predicate.end()},
                                           {if_matched.begin(), if_matched.end()},
                                           {if_not_matched.begin(), if_not_matched.end()}}};
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<bool> matched, ApplyIfEach(mutation));
  return static_cast<bool>(matched.front());
}

absl::StatusOr<std::vector<bool>> MemoryTable::ApplyIfEach(std::span<const ConditionalMutation> mutations) {
  CLEAVE_RETURN_IF_ERROR(CheckConditionalMutations(mutations));
  const absl::MutexLock lock(&mutex_);
  const absl::Time now = clock_.Now();
  std::vector<bool> matched;
  for (const ConditionalMutation& mutation : mutations) {
    matched.push_back(ApplyIfLocked(mutation, now));
  }
  return matched;
}

bool MemoryTable::ApplyIfLocked(const ConditionalMutation& mutation, absl::Time now) {
  const auto it = rows_.find(mutation.key);
  const bool matched =
      it != rows_.end() && std::any_of(mutation.predicate.begin(), mutation.predicate.end(),
                                       [&](const CellMatch& m) { return Matches(Select(it->second, m.filter), m); });
  ApplyChanges(mutation.key, matched ? mutation.if_matched : mutation.if_not_matched, now);
  return matched;
}

absl::StatusOr<int64_t> MemoryTable::Increment(absl::string_view key, const Column& column, int64_t delta) {
  CLEAVE_RETURN_IF_ERROR(CheckKey(key));
  const absl::MutexLock lock(&mutex_);
  Row row{std::string(key), {}};
  if (const auto it = rows_.find(row.key); it != rows_.end()) {
    row.cells = Select(it->second, {.columns = {column}, .cells_per_column = 1});
  }
  const absl::Time now = clock_.Now();
  CLEAVE_ASSIGN_OR_RETURN(const CounterStep step, StepCounter(row, column, delta, now));
  CLEAVE_RETURN_IF_ERROR(CheckChanges(step.changes));
  ApplyChanges(row.key, step.changes, now);
  return step.sum;
}

void MemoryTable::ApplyChanges(const std::string& key, std::span<const Change> changes, absl::Time now) {
  if (changes.empty()) {
    return;
  }
  CellMap& cells = rows_[key];
  for (const Change& change : changes) {
    ApplyChange(cells, change, now);
  }
  if (cells.empty()) {
    rows_.erase(key);
  }
}

}  // namespace cleave::table
