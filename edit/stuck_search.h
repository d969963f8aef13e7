// Finds operations that were left in the middle, for stuck.h.
#pragma once

#include <map>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "edit/stuck.h"
#include "graph/dataset.h"
#include "graph/ids.h"

namespace cleave::edit {

// By number; whatever their age.
[[nodiscard]] absl::StatusOr<std::map<graph::OperationId, StuckOperation>> FindStuck(graph::Dataset& dataset);

// Errors as ShowStuck.
[[nodiscard]] absl::StatusOr<StuckOperation> FindOneStuck(graph::Dataset& dataset, graph::OperationId operation);

}  // namespace cleave::edit
