#include "edit/operation_turns.h"

#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "table/columns.h"
#include "table/pickle.h"
#include "table/row_keys.h"
#include "table/serializers.h"

namespace cleave::edit {
namespace {

namespace columns = table::columns;

const table::Column kClaim{"2", "cleave_claim"};  // text
constexpr char kFlipText[] = "flip";
constexpr char kTakeBackText[] = "take back";

std::string StatusText(OperationStatus status) { return table::EncodePickledInteger(static_cast<int>(status)); }

table::CellMatch HasStatus(OperationStatus status) {
  return {.filter = {.columns = {columns::kStatus}, .cells_per_column = 1}, .value = StatusText(status)};
}

table::CellMatch HasClaim(const char* claim) { return {.filter = {.columns = {kClaim}}, .value = std::string(claim)}; }

// One cell, at time zero, so that the newest is the only one.
table::SetCell SetClaim(const char* claim) { return {kClaim, absl::UnixEpoch(), claim}; }

}  // namespace

absl::StatusOr<bool> WriteUncommitted(table::Table& table, const OperationRecord& record) {
  const table::CellMatch obstacles[] = {HasStatus(OperationStatus::kSuccess), HasStatus(OperationStatus::kException),
                                        HasStatus(OperationStatus::kWriteStarted),
                                        HasStatus(OperationStatus::kWriteFailed)};
  const table::RowMutation row = OperationLog::RowOf(record);
  CLEAVE_ASSIGN_OR_RETURN(const bool refused, table.ApplyIf(row.key, obstacles, {}, row.changes));
  return !refused;
}

absl::StatusOr<bool> BeginAgain(table::Table& table, graph::OperationId operation) {
  const table::CellMatch ended[] = {HasStatus(OperationStatus::kException)};
  const table::Change begun[] = {table::SetCell{columns::kStatus, std::nullopt, StatusText(OperationStatus::kCreated)}};
  return table.ApplyIf(table::OperationRowKey(Value(operation)), ended, begun, {});
}

absl::StatusOr<bool> WriteCommitted(table::Table& table, const OperationRecord& record) {
  const table::CellMatch begun[] = {HasStatus(OperationStatus::kCreated)};
  const table::RowMutation row = OperationLog::RowOf(record);
  return table.ApplyIf(row.key, begun, row.changes, {});
}

absl::StatusOr<bool> ClaimFlip(table::Table& table, graph::OperationId operation) {
  const table::CellMatch obstacles[] = {HasClaim(kTakeBackText), HasStatus(OperationStatus::kException),
                                        HasStatus(OperationStatus::kWriteFailed)};
  const table::Change claim[] = {SetClaim(kFlipText)};
  CLEAVE_ASSIGN_OR_RETURN(const bool refused,
                          table.ApplyIf(table::OperationRowKey(Value(operation)), obstacles, {}, claim));
  return !refused;
}

absl::StatusOr<bool> ClaimTakeBack(table::Table& table, graph::OperationId operation) {
  const table::CellMatch obstacles[] = {HasClaim(kFlipText), HasStatus(OperationStatus::kSuccess),
                                        HasStatus(OperationStatus::kException), HasStatus(OperationStatus::kCreated)};
  const table::Change claim[] = {SetClaim(kTakeBackText), table::SetCell{columns::kStatus, std::nullopt,
                                                                         StatusText(OperationStatus::kWriteFailed)}};
  CLEAVE_ASSIGN_OR_RETURN(const bool refused,
                          table.ApplyIf(table::OperationRowKey(Value(operation)), obstacles, {}, claim));
  return !refused;
}

table::RowMutation EndedRow(const OperationRecord& record) {
  table::RowMutation row = OperationLog::RowOf(record);
  row.changes.insert(row.changes.begin(), table::DeleteCells{kClaim, std::nullopt});
  return row;
}

absl::StatusOr<Claim> ReadClaim(const table::TableReader& table, graph::OperationId operation) {
  CLEAVE_ASSIGN_OR_RETURN(const table::Row row,
                          table.ReadRow(table::OperationRowKey(Value(operation)), {.columns = {kClaim}}));
  const table::Cell* claim = row.Newest(kClaim);
  return claim == nullptr ? Claim::kNone : claim->value == kFlipText ? Claim::kFlip : Claim::kTakeBack;
}

}  // namespace cleave::edit
