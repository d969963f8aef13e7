// Which step an operation may take next, decided by its row alone.
//
// Whoever works for an operation may have slept while another took its place: a worker whose locks expired, recovery,
// an operator. So each change of how an operation stands is one conditional write of its row, and of two that do not go
// together one is refused:
//
//   begin, fail, abandon   only while it is neither committed nor ended
//   commit                 only if it was begun, and nobody abandoned it meanwhile
//   flip                   claimed first, unless it is being taken back
//   take back              claimed first, only if it is committed and neither flips nor has ended
//
// The claims stand in a column of our own, which goes with the end of the operation. Thread-safe. Each function returns
// whether the step may be taken, or an error of the table, after which that is not known.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "edit/operation_log.h"
#include "graph/ids.h"
#include "table/table.h"

namespace cleave::edit {

enum class Claim { kNone, kFlip, kTakeBack };

// Writes the record of an operation that begins or ends before its commit point.
[[nodiscard]] absl::StatusOr<bool> WriteUncommitted(table::Table& table, const OperationRecord& record);
// Lets an operation that ended before its commit point begin again; false when it did not end so. REQUIRES: nobody
// works on it, as one does whose operation was abandoned.
[[nodiscard]] absl::StatusOr<bool> BeginAgain(table::Table& table, graph::OperationId operation);
// Writes the record that commits the operation.
[[nodiscard]] absl::StatusOr<bool> WriteCommitted(table::Table& table, const OperationRecord& record);

// May be repeated by whoever carries the operation out.
[[nodiscard]] absl::StatusOr<bool> ClaimFlip(table::Table& table, graph::OperationId operation);
// Sets the status to WRITE_FAILED. May be repeated.
[[nodiscard]] absl::StatusOr<bool> ClaimTakeBack(table::Table& table, graph::OperationId operation);

// The record of an operation that has ended, without a claim, for a batch of the caller's.
[[nodiscard]] table::RowMutation EndedRow(const OperationRecord& record);
[[nodiscard]] absl::StatusOr<Claim> ReadClaim(const table::TableReader& table, graph::OperationId operation);

}  // namespace cleave::edit
