// The locks that an operation in flight should hold, and who holds them.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "edit/operation_log.h"
#include "graph/dataset.h"
#include "graph/ids.h"
#include "table/row_locks.h"

namespace cleave::edit {

// The rows of its roots, then those of its chunks.
[[nodiscard]] std::vector<std::string> LockKeys(const InFlight& operation);

struct ScopeLock {
  graph::NodeId id{};  // a root, or the id of an L2 chunk
  bool is_chunk = false;
  table::RowLockState state;
};

[[nodiscard]] absl::StatusOr<std::vector<ScopeLock>> ReadScopeLocks(graph::Dataset& dataset, const InFlight& operation);

// Every root and every chunk with a lock cell, expired ones too; roots first, each ascending by key.
[[nodiscard]] absl::StatusOr<std::vector<ScopeLock>> ListLocks(graph::Dataset& dataset);

// FAILED_PRECONDITION, naming row and holder, when another operation has the indefinite lock of one of these.
[[nodiscard]] absl::Status RequireNoForeignLock(graph::Dataset& dataset, const InFlight& operation);
// The same also when nobody has one of them.
[[nodiscard]] absl::Status RequireLocks(graph::Dataset& dataset, const InFlight& operation);

}  // namespace cleave::edit
