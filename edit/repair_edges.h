// The cross edges of doubtful nodes, from their other sides: the last part of repair_hierarchy.h.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "edit/fsck_history.h"
#include "edit/repair_hierarchy.h"
#include "graph/dataset.h"
#include "graph/ids.h"

namespace cleave::edit {

// The hierarchy as it will be.
struct EdgeSources {
  NodeHistories* histories = nullptr;
  std::function<std::optional<absl::Time>(graph::NodeId)> made_at;
  std::function<std::vector<graph::NodeId>(graph::NodeId)> children_of;
  std::function<graph::NodeId(graph::NodeId, absl::Time)> parent_at;
};

// `nodes`: of layers >= 2, ascending; each has a time at which it was made.
[[nodiscard]] absl::Status MendCrossEdges(graph::Dataset& dataset, const table::TableReader& table,
                                          std::span<const graph::NodeId> nodes, const EdgeSources& sources,
                                          Mends& mends);

}  // namespace cleave::edit
