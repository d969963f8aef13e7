#include "table/row_locks.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "table/columns.h"
#include "table/serializers.h"

namespace cleave::table {
namespace {

std::vector<std::string> SortedOnce(std::span<const std::string> keys) {
  std::vector<std::string> sorted(keys.begin(), keys.end());
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  return sorted;
}

CellMatch AnyCell(const Column& column) { return {.filter = {.columns = {column}}, .value = std::nullopt}; }

// The newest lock cell is this operation's.
CellMatch HeldBy(const Column& column, uint64_t operation_id) {
  return {.filter = {.columns = {column}, .cells_per_column = 1}, .value = EncodeIdText(operation_id)};
}

// The column's only cell from now on: older ones would let a peer's renewal revive a lost lock.
std::vector<Change> ReplaceLock(const Column& column, uint64_t operation_id, absl::Time now) {
  return {DeleteCells{column, std::nullopt}, SetCell{column, now, EncodeIdText(operation_id)}};
}

absl::Status LockedBy(const std::string& key, const LockHolder& holder, absl::string_view kind) {
  return absl::UnavailableError(
      absl::StrCat("row ", absl::CHexEscape(key), " locked by operation ", holder.operation_id, " since ",
                   absl::FormatTime(absl::RFC3339_full, holder.since, absl::UTCTimeZone()), kind));
}

absl::StatusOr<std::optional<LockHolder>> HolderOf(const Row& row, const Column& column) {
  const Cell* const cell = row.Newest(column);
  if (cell == nullptr) {
    return std::nullopt;
  }
  absl::StatusOr<uint64_t> operation_id = DecodeIdText(cell->value);
  if (!operation_id.ok()) {
    return Annotate(operation_id.status(),
                    absl::StrCat("lock on row ", absl::CHexEscape(row.key), ", column ", column.qualifier));
  }
  return LockHolder{*operation_id, cell->time};
}

absl::StatusOr<std::vector<RowLockState>> StatesOf(const std::vector<Row>& rows) {
  std::vector<RowLockState> states;
  states.reserve(rows.size());
  for (const Row& row : rows) {
    RowLockState state{row.key, {}, {}};
    CLEAVE_ASSIGN_OR_RETURN(state.temporal, HolderOf(row, columns::kLock));
    CLEAVE_ASSIGN_OR_RETURN(state.indefinite, HolderOf(row, columns::kIndefiniteLock));
    states.push_back(std::move(state));
  }
  return states;
}

Filter NewestLocks() { return {.columns = {columns::kLock, columns::kIndefiniteLock}, .cells_per_column = 1}; }

}  // namespace

absl::Status RowLocks::Acquire(std::span<const std::string> keys, uint64_t operation_id) {
  // A cell of exactly the age `expiry` has expired.
  CellMatch unexpired = AnyCell(columns::kLock);
  unexpired.filter.start = clock_.Now() - expiry_ + absl::Milliseconds(1);
  return AcquireAll(keys, operation_id, columns::kLock, {AnyCell(columns::kIndefiniteLock), unexpired});
}

absl::Status RowLocks::AcquireIndefinite(std::span<const std::string> keys, uint64_t operation_id) {
  CLEAVE_RETURN_IF_ERROR(Renew(keys, operation_id));
  return AcquireAll(keys, operation_id, columns::kIndefiniteLock, {AnyCell(columns::kIndefiniteLock)});
}

absl::Status RowLocks::AcquireAll(std::span<const std::string> keys, uint64_t operation_id, const Column& column,
                                  const std::vector<CellMatch>& obstacles) {
  const absl::Time now = clock_.Now();
  std::vector<ConditionalMutation> mutations;
  for (std::string& key : SortedOnce(keys)) {
    mutations.push_back({std::move(key), obstacles, {}, ReplaceLock(column, operation_id, now)});
    if (rows_ == LockedRows::kRoots) {
      mutations.back().predicate.push_back(AnyCell(columns::kNewParent));
    }
  }
  absl::StatusOr<std::vector<bool>> refused = table_.ApplyIfEach(mutations);
  if (!refused.ok()) {
    // Whether a lock was written is not known; those that were must not stay.
    return Annotate(refused.status(), ReleaseAll(keys, operation_id, column).ok()
                                          ? "cannot take locks"
                                          : "cannot take locks, nor release those that may have been taken");
  }
  const auto first = std::find(refused->begin(), refused->end(), true);
  if (first == refused->end()) {
    return absl::OkStatus();
  }
  std::vector<std::string> taken;
  for (size_t i = 0; i < mutations.size(); ++i) {
    if (!(*refused)[i]) {
      taken.push_back(mutations[i].key);
    }
  }
  const absl::Status refusal = Refusal(mutations[static_cast<size_t>(first - refused->begin())].key);
  CLEAVE_RETURN_IF_ERROR(ReleaseAll(taken, operation_id, column));
  return refusal;
}

absl::Status RowLocks::Refusal(const std::string& key) const {
  if (rows_ == LockedRows::kRoots) {
    const std::string keys[] = {key};
    CLEAVE_RETURN_IF_ERROR(CheckNotSuperseded(keys));
  }
  CLEAVE_ASSIGN_OR_RETURN(const Row row, table_.ReadRow(key, NewestLocks()));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<RowLockState> states, StatesOf({row}));
  if (states.front().indefinite) {
    return LockedBy(key, *states.front().indefinite, ", which is writing or was stopped while it wrote");
  }
  if (states.front().temporal) {
    return LockedBy(key, *states.front().temporal, "");
  }
  return absl::UnavailableError(absl::StrCat("row ", absl::CHexEscape(key), " was locked a moment ago; retry"));
}

absl::Status RowLocks::Renew(std::span<const std::string> keys, uint64_t operation_id) {
  // Only the holder of a root's lock writes its kNewParent, so what is seen here stays true while the lock is held.
  if (rows_ == LockedRows::kRoots) {
    CLEAVE_RETURN_IF_ERROR(CheckNotSuperseded(keys));
  }
  const absl::Time now = clock_.Now();
  std::vector<ConditionalMutation> mutations;
  for (std::string& key : SortedOnce(keys)) {
    mutations.push_back(
        {std::move(key), {HeldBy(columns::kLock, operation_id)}, ReplaceLock(columns::kLock, operation_id, now), {}});
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<bool> renewed, table_.ApplyIfEach(mutations));
  const auto lost = std::find(renewed.begin(), renewed.end(), false);
  if (lost == renewed.end()) {
    return absl::OkStatus();
  }
  return absl::AbortedError(absl::StrCat("operation ", operation_id, " no longer holds the lock on row ",
                                         absl::CHexEscape(mutations[static_cast<size_t>(lost - renewed.begin())].key)));
}

absl::Status RowLocks::CheckNotSuperseded(std::span<const std::string> keys) const {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<Row> rows,
                          table_.ReadRows(keys, {.columns = {columns::kNewParent}, .cells_per_column = 1}));
  for (const Row& row : rows) {
    if (!row.cells.empty()) {
      return absl::AbortedError(
          absl::StrCat("root ", absl::CHexEscape(row.key), " has been superseded: read the present roots and retry"));
    }
  }
  return absl::OkStatus();
}

absl::Status RowLocks::Release(std::span<const std::string> keys, uint64_t operation_id) {
  return ReleaseAll(keys, operation_id, columns::kLock);
}

absl::Status RowLocks::ReleaseIndefinite(std::span<const std::string> keys, uint64_t operation_id) {
  return ReleaseAll(keys, operation_id, columns::kIndefiniteLock);
}

absl::Status RowLocks::ReleaseAll(std::span<const std::string> keys, uint64_t operation_id, const Column& column) {
  std::vector<ConditionalMutation> mutations;
  for (std::string& key : SortedOnce(keys)) {
    mutations.push_back({std::move(key), {HeldBy(column, operation_id)}, {DeleteCells{column, std::nullopt}}, {}});
  }
  return table_.ApplyIfEach(mutations).status();
}

absl::StatusOr<std::vector<RowLockState>> ReadLocks(const TableReader& table, std::span<const std::string> keys) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<Row> rows, table.ReadRows(keys, NewestLocks()));
  return StatesOf(rows);
}

absl::StatusOr<std::vector<RowLockState>> ListLocks(const TableReader& table, const RowRange& range) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<Row> rows, table.ReadRange(range, NewestLocks(), 0));
  return StatesOf(rows);
}

}  // namespace cleave::table
