#include "edit/stuck_foreign.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/crash_point.h"
#include "base/status.h"
#include "edit/apply.h"
#include "edit/editor.h"
#include "edit/foreign_leftovers.h"
#include "edit/fsck_checks.h"
#include "edit/operation_turns.h"
#include "edit/scope_locks.h"
#include "table/columns.h"
#include "table/pickle.h"
#include "table/row_keys.h"
#include "table/serializers.h"

namespace cleave::edit {
namespace {

using graph::NodeId;
namespace columns = table::columns;

// The rows that it wrote, as changes that take them away. Nothing is changed yet.
absl::StatusOr<std::vector<table::RowMutation>> PlanCleaning(graph::Dataset& dataset, const StuckOperation& operation) {
  CLEAVE_RETURN_IF_ERROR(RequireNoForeignLock(dataset, operation.scope));
  CLEAVE_ASSIGN_OR_RETURN(const bool effective, HasTakenEffect(dataset.table(), *operation.record));
  if (effective) {
    return absl::FailedPreconditionError(
        absl::StrCat("operation ", Value(operation.scope.id),
                     ", which PyChunkedGraph left behind, has turned objects on already; run `cleave fsck --plan`"));
  }
  return RemovalOfForeignRows(dataset, operation.scope);
}

// Rows first: while they are there, the scope must stay closed.
absl::Status CleanForeign(graph::Dataset& dataset, Clock& clock, const StuckOperation& operation,
                          const std::vector<table::RowMutation>& removal) {
  CLEAVE_RETURN_IF_ERROR(dataset.table().Apply(removal));
  CrashPoint("edit.foreign_rows_removed");
  CLEAVE_RETURN_IF_ERROR(FinishOperation(dataset, clock, operation.scope));
  CrashPoint("edit.foreign_cleaned");
  return absl::OkStatus();
}

// Changes the operation's row, if its status is still the one that was looked at.
absl::Status ChangeRow(graph::Dataset& dataset, const OperationRecord& seen, std::vector<table::Change> changes) {
  const std::string key = table::OperationRowKey(Value(seen.id));
  const table::Filter newest{.columns = {columns::kStatus}, .cells_per_column = 1};
  CLEAVE_ASSIGN_OR_RETURN(const table::Row row, dataset.table().ReadRow(key, newest));
  const table::Cell* cell = row.Newest(columns::kStatus);
  bool changed = false;
  if (cell == nullptr) {
    const table::CellMatch any[] = {{.filter = newest}};
    CLEAVE_ASSIGN_OR_RETURN(const bool has_status, dataset.table().ApplyIf(key, any, {}, changes));
    changed = !has_status;
  } else {
    CLEAVE_ASSIGN_OR_RETURN(const int64_t status, table::DecodePickledInteger(cell->value));
    if (status == static_cast<int64_t>(seen.status)) {
      const table::CellMatch same[] = {{.filter = newest, .value = cell->value}};
      CLEAVE_ASSIGN_OR_RETURN(changed, dataset.table().ApplyIf(key, same, changes, {}));
    }
  }
  return changed ? absl::OkStatus()
                 : absl::AbortedError(absl::StrCat("operation ", Value(seen.id),
                                                   " was changed by somebody else meanwhile; look at it again"));
}

// From here on it is an operation that was begun, whatever its row said.
absl::Status MarkBegun(graph::Dataset& dataset, const OperationRecord& seen) {
  return ChangeRow(dataset, seen,
                   {table::SetCell{columns::kStatus, std::nullopt,
                                   table::EncodePickledInteger(static_cast<int>(OperationStatus::kCreated))}});
}

absl::StatusOr<BatchItem> MergeOf(const OperationRecord& record) {
  MergeRequest request{.user = record.user, .edges = record.added_edges, .affinities = record.affinities};
  if (request.affinities.size() != request.edges.size()) {
    request.affinities.clear();
  }
  if (request.edges.empty()) {
    if (record.sources.size() != 1 || record.sinks.size() != 1) {
      return absl::FailedPreconditionError(
          absl::StrCat("the row of merge ", Value(record.id), " names neither its edges nor one point on each side"));
    }
    request.source = record.sources.front();
    request.sink = record.sinks.front();
  }
  return request;
}

absl::StatusOr<BatchItem> SplitOf(const OperationRecord& record) {
  SplitRequest request{.user = record.user};
  if (!record.sources.empty() && !record.sinks.empty()) {
    request.sources = record.sources;
    request.sinks = record.sinks;
  } else if (!record.removed_edges.empty()) {
    request.edges = record.removed_edges;
  } else {
    return absl::FailedPreconditionError(
        absl::StrCat("the row of split ", Value(record.id), " names neither points on both sides nor edges"));
  }
  return request;
}

}  // namespace

absl::StatusOr<BatchItem> RequestOf(const OperationRecord& record) {
  const InverseRequest inverse{.operation = record.target, .user = record.user};
  switch (record.kind) {
    case OperationKind::kMerge:
      return MergeOf(record);
    case OperationKind::kSplit:
      return SplitOf(record);
    case OperationKind::kUndo:
      return BatchItem(UndoRequest{inverse});
    case OperationKind::kRedo:
      return BatchItem(RedoRequest{inverse});
    case OperationKind::kRepair:
      break;
  }
  return absl::FailedPreconditionError(absl::StrCat("operation ", Value(record.id), " is no edit"));
}

absl::StatusOr<StuckOutcome> ReplayForeign(graph::Dataset& dataset, Clock& clock, const StuckOperation& operation) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::RowMutation> removal, PlanCleaning(dataset, operation));
  CLEAVE_ASSIGN_OR_RETURN(const BatchItem item, RequestOf(*operation.record));
  CLEAVE_ASSIGN_OR_RETURN(
      const std::unique_ptr<Editor> editor,
      Editor::Open(dataset, {.clock = &clock, .recover_at_open = false, .recovery_period = absl::ZeroDuration()}));
  CLEAVE_RETURN_IF_ERROR(MarkBegun(dataset, *operation.record));
  CrashPoint("edit.foreign_begun");
  CLEAVE_RETURN_IF_ERROR(CleanForeign(dataset, clock, operation, removal));
  CLEAVE_RETURN_IF_ERROR(editor->RunAs(operation.scope.id, item).status());
  return StuckOutcome::kPlannedAnew;
}

absl::StatusOr<StuckOutcome> RevertForeign(graph::Dataset& dataset, Clock& clock, const StuckOperation& operation) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::RowMutation> removal, PlanCleaning(dataset, operation));
  OperationRecord record = *operation.record;
  CLEAVE_RETURN_IF_ERROR(MarkBegun(dataset, record));
  CrashPoint("edit.foreign_begun");
  CLEAVE_RETURN_IF_ERROR(CleanForeign(dataset, clock, operation, removal));
  record.status = OperationStatus::kException;
  record.failure = OperationFailure::kReverted;
  record.exception = "left behind by PyChunkedGraph, and taken back by an operator: nothing of it is left";
  record.chunk_scope.clear();
  CLEAVE_ASSIGN_OR_RETURN(const bool marked, WriteUncommitted(dataset.table(), record));
  return marked ? absl::StatusOr<StuckOutcome>(StuckOutcome::kTakenBack)
                : absl::AbortedError(absl::StrCat("operation ", Value(record.id), " was replayed meanwhile"));
}

}  // namespace cleave::edit
