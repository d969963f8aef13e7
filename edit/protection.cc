#include "edit/protection.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "base/status.h"
#include "table/columns.h"
#include "table/row_keys.h"
#include "table/row_locks.h"
#include "table/table.h"

namespace cleave::edit {
namespace {

using graph::NodeId;
namespace columns = table::columns;

// Our own columns, on the row of a root; their cells' time is since when it is protected.
const table::Column kProtectedBy{"0", "cleave_protected_by"};      // text
const table::Column kProtectedNote{"0", "cleave_protected_note"};  // text

std::string ListKey(NodeId root) { return absl::StrFormat("p%020d", Value(root)); }

table::CellMatch AnyCell(const table::Column& column) {
  return {.filter = {.columns = {column}}, .value = std::nullopt};
}

}  // namespace

absl::Status ProtectedError(const Protection& protection) {
  return absl::FailedPreconditionError(absl::StrCat(
      "object ", Value(protection.root), " is protected by ", protection.user.empty() ? "somebody" : protection.user,
      " since ", absl::FormatTime(absl::RFC3339_full, protection.since, absl::UTCTimeZone()),
      protection.note.empty() ? "" : absl::StrCat(" ('", protection.note, "')"),
      "; ask them, or override the protection"));
}

absl::Status Protect(graph::Dataset& dataset, Clock& clock, absl::Duration lock_expiry, const Protection& protection) {
  CLEAVE_RETURN_IF_ERROR(dataset.Now().RequireCurrentRoot(protection.root));
  table::Table& table = dataset.table();
  const absl::Time now = clock.Now();
  const table::RowMutation listed[] = {
      {ListKey(protection.root), {table::SetCell{kProtectedBy, now, protection.user}}}};
  CLEAVE_RETURN_IF_ERROR(table.ordered().Apply(listed));
  table::CellMatch unexpired = AnyCell(columns::kLock);
  unexpired.filter.start = now - lock_expiry + absl::Milliseconds(1);
  const table::CellMatch obstacles[] = {AnyCell(columns::kNewParent), AnyCell(columns::kIndefiniteLock), unexpired};
  const table::Change marks[] = {
      table::DeleteCells{columns::kLock, std::nullopt}, table::DeleteCells{kProtectedBy, std::nullopt},
      table::DeleteCells{kProtectedNote, std::nullopt}, table::SetCell{kProtectedBy, now, protection.user},
      table::SetCell{kProtectedNote, now, protection.note}};
  const std::string key = table::NodeRowKey(Value(protection.root));
  CLEAVE_ASSIGN_OR_RETURN(const bool refused, table.ApplyIf(key, obstacles, {}, marks));
  if (!refused) {
    return absl::OkStatus();
  }
  CLEAVE_RETURN_IF_ERROR(dataset.Now().RequireCurrentRoot(protection.root));
  const std::string keys[] = {key};
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::RowLockState> locks, table::ReadLocks(table, keys));
  const std::optional<table::LockHolder> holder =
      locks[0].indefinite.has_value() ? locks[0].indefinite : locks[0].temporal;
  return absl::UnavailableError(absl::StrCat(
      "object ", Value(protection.root), " is being edited",
      holder.has_value() ? absl::StrCat(": it is locked by operation ", holder->operation_id, " since ",
                                        absl::FormatTime(absl::RFC3339_full, holder->since, absl::UTCTimeZone()))
                         : "",
      "; try again"));
}

absl::Status Unprotect(graph::Dataset& dataset, NodeId root) {
  const table::CellMatch marked[] = {AnyCell(kProtectedBy)};
  const table::Change clear[] = {table::DeleteCells{kProtectedBy, std::nullopt},
                                 table::DeleteCells{kProtectedNote, std::nullopt}};
  CLEAVE_ASSIGN_OR_RETURN(const bool found, dataset.table().ApplyIf(table::NodeRowKey(Value(root)), marked, clear, {}));
  return found ? absl::OkStatus() : absl::NotFoundError(absl::StrCat("object ", Value(root), " is not protected"));
}

absl::StatusOr<std::vector<Protection>> ProtectionsOf(const table::TableReader& reader, std::span<const NodeId> roots) {
  std::vector<std::string> keys;
  for (const NodeId root : roots) {
    keys.push_back(table::NodeRowKey(Value(root)));
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows,
                          reader.ReadRows(keys, {.columns = {kProtectedBy, kProtectedNote}, .cells_per_column = 1}));
  std::vector<Protection> protections;
  for (size_t i = 0; i < roots.size(); ++i) {
    if (const table::Cell* mark = rows[i].Newest(kProtectedBy)) {
      const table::Cell* note = rows[i].Newest(kProtectedNote);
      protections.push_back({roots[i], mark->value, mark->time, note == nullptr ? std::string() : note->value});
    }
  }
  return protections;
}

absl::StatusOr<std::vector<Protection>> ListProtections(graph::Dataset& dataset) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows,
                          dataset.table().ReadRange({.begin = "p0", .end = "p:"}, {}, 0));
  std::vector<NodeId> roots;
  for (const table::Row& row : rows) {
    uint64_t id = 0;
    if (!absl::SimpleAtoi(row.key.substr(1), &id)) {
      return absl::DataLossError(absl::StrCat("row ", row.key, " names no root"));
    }
    roots.push_back(NodeId{id});
  }
  CLEAVE_ASSIGN_OR_RETURN(std::vector<Protection> protections, ProtectionsOf(dataset.table(), roots));
  std::vector<NodeId> marked;
  marked.reserve(protections.size());
  for (const Protection& protection : protections) {
    marked.push_back(protection.root);
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::vector<NodeId>> successors, dataset.Now().Successors(marked));
  std::vector<Protection> current;
  for (size_t i = 0; i < protections.size(); ++i) {
    if (successors[i].empty()) {
      current.push_back(std::move(protections[i]));
    }
  }
  return current;
}

}  // namespace cleave::edit
