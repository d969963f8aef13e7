// Builds the hierarchy anew above L2 nodes that contradict the edges: what no single cell can mend.
//
// The nodes that findings name lead to L2 nodes: their own, or one below them. These are retired and come back as the
// pieces that their edges hold together, and everything above follows (graph/hierarchy.h), as in an edit: new roots,
// with lineage from the old ones. The past keeps the state it had.
#pragma once

#include <span>
#include <vector>

#include "absl/status/statusor.h"

#include "edit/plan.h"
#include "edit/repair_record.h"
#include "graph/dataset.h"
#include "graph/ids.h"
#include "table/table.h"

namespace cleave::edit {

struct Rebuild {
  Plan plan;  // rows without times; empty when nothing is to be built
  Mend mend;
};

// `reader`: the table as it will be by the mends so far. FAILED_PRECONDITION or INTERNAL when the graph contradicts
// itself in a way that this cannot undo.
[[nodiscard]] absl::StatusOr<Rebuild> PlanRebuild(graph::Dataset& dataset, const table::TableReader& reader,
                                                  std::span<const graph::NodeId> suspects,
                                                  graph::OperationId operation);

}  // namespace cleave::edit
