// Finishes operations that a process left behind.
#pragma once

#include <vector>

#include "absl/status/statusor.h"

#include "base/clock.h"
#include "edit/editor.h"
#include "graph/dataset.h"

namespace cleave::edit {

// For every operation in flight: past its commit point, it is carried out to its end; before it, its locks are
// released, its intent is removed, and its row says that it was abandoned. REQUIRES: no operation of this dataset is
// running (an embedded dataset has one process, which calls this before its first edit). Safe to be stopped and run
// again.
[[nodiscard]] absl::StatusOr<std::vector<RecoveredOperation>> RecoverOperations(graph::Dataset& dataset, Clock& clock);

}  // namespace cleave::edit
