#include "edit/scope_locks.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "edit/lock_keys.h"
#include "table/row_keys.h"

namespace cleave::edit {
namespace {

std::string NameOfLock(const graph::IdLayout& layout, const ScopeLock& lock) {
  return lock.is_chunk ? absl::StrCat("chunk ", ToString(layout.ChunkOf(lock.id).position))
                       : absl::StrCat("object ", Value(lock.id));
}

absl::Status CheckScope(graph::Dataset& dataset, const InFlight& operation, bool all_held) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<ScopeLock> locks, ReadScopeLocks(dataset, operation));
  for (const ScopeLock& lock : locks) {
    const std::optional<table::LockHolder>& holder = lock.state.indefinite;
    if (holder.has_value() && holder->operation_id != Value(operation.id)) {
      return absl::FailedPreconditionError(absl::StrCat(
          NameOfLock(dataset.layout(), lock), ", which operation ", Value(operation.id),
          " was writing, is locked by operation ", holder->operation_id, " since ",
          absl::FormatTime(absl::RFC3339_full, holder->since, absl::UTCTimeZone()), "; look at that operation first"));
    }
    if (!holder.has_value() && all_held) {
      return absl::FailedPreconditionError(
          absl::StrCat(NameOfLock(dataset.layout(), lock), " is not locked by operation ", Value(operation.id),
                       ", nor by any other: somebody cleared its locks, and others may have edited there since"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<std::string> LockKeys(const InFlight& operation) {
  std::vector<std::string> keys = RootLockKeys(operation.locked_roots);
  const std::vector<std::string> chunks = ChunkLockKeys(operation.chunk_scope);
  keys.insert(keys.end(), chunks.begin(), chunks.end());
  return keys;
}

absl::StatusOr<std::vector<ScopeLock>> ReadScopeLocks(graph::Dataset& dataset, const InFlight& operation) {
  CLEAVE_ASSIGN_OR_RETURN(std::vector<table::RowLockState> states,
                          table::ReadLocks(dataset.table(), LockKeys(operation)));
  std::vector<ScopeLock> locks;
  for (size_t i = 0; i < states.size(); ++i) {
    const size_t roots = operation.locked_roots.size();
    const bool is_chunk = i >= roots;
    locks.push_back(
        {is_chunk ? operation.chunk_scope[i - roots] : operation.locked_roots[i], is_chunk, std::move(states[i])});
  }
  return locks;
}

absl::StatusOr<std::vector<ScopeLock>> ListLocks(graph::Dataset& dataset) {
  const graph::IdLayout& layout = dataset.layout();
  const graph::ChunkAddress top{layout.layer_count(), {}};
  const table::RowRange roots =
      table::NodeRowRange({.first = Value(layout.MakeNode(top, graph::Segment{1})),
                           .last = Value(layout.MakeNode(top, layout.SegmentLimit(top.layer)))});
  std::vector<ScopeLock> locks;
  CLEAVE_ASSIGN_OR_RETURN(std::vector<table::RowLockState> of_roots, table::ListLocks(dataset.table(), roots));
  for (table::RowLockState& state : of_roots) {
    CLEAVE_ASSIGN_OR_RETURN(const uint64_t root, table::ParseNodeRowKey(state.key));
    locks.push_back({graph::NodeId{root}, /*is_chunk=*/false, std::move(state)});
  }
  CLEAVE_ASSIGN_OR_RETURN(std::vector<table::RowLockState> of_chunks,
                          table::ListLocks(dataset.table(), table::ChunkLockRowRange()));
  for (table::RowLockState& state : of_chunks) {
    CLEAVE_ASSIGN_OR_RETURN(const uint64_t chunk, table::ParseChunkLockRowKey(state.key));
    locks.push_back({graph::NodeId{chunk}, /*is_chunk=*/true, std::move(state)});
  }
  return locks;
}

absl::Status RequireNoForeignLock(graph::Dataset& dataset, const InFlight& operation) {
  return CheckScope(dataset, operation, /*all_held=*/false);
}

absl::Status RequireLocks(graph::Dataset& dataset, const InFlight& operation) {
  return CheckScope(dataset, operation, /*all_held=*/true);
}

}  // namespace cleave::edit
