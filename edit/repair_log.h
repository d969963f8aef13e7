// Puts back what the log of operations and the rows it speaks of say of each other: lineage, how operations ended, and
// the locks and in-flight rows of those that have.
#pragma once

#include <span>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "edit/fsck_checks.h"
#include "edit/repair_hierarchy.h"
#include "graph/dataset.h"

namespace cleave::edit {

// Lineage from the log. Cells of `suspects` that no operation explains are removed, if the whole log can be read.
[[nodiscard]] absl::Status MendLineage(graph::Dataset& dataset, std::span<const graph::NodeId> suspects,
                                       const OperationLog::Rows& log, const FormerOf& former_of, Mends& mends);

// Operations that have ended otherwise than their row says, and what they left behind. An operation that is committed
// and has an intact intent is put back in flight: the next recovery finishes it. `now`: the time of changed log cells.
[[nodiscard]] absl::Status MendOperations(graph::Dataset& dataset, std::span<const OperationRecord> log, absl::Time now,
                                          Mends& mends);

// The rows of events, from the log.
[[nodiscard]] absl::Status MendEvents(graph::Dataset& dataset, const OperationLog::Rows& log, Mends& mends);

}  // namespace cleave::edit
