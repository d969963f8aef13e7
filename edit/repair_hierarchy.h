// Puts back cells of the hierarchy from their witnesses.
//
// The rule that makes it possible: a node's parent cells are written when, and only when, the parent is made. So
//   - the parents of a node are { (time P was made, P) : P lists it as a child };
//   - the children of P are { X : X has a parent cell P of the time P was made };
//   - a supervoxel born in a cut has, before its birth, the parents of what it was cut from;
//   - the cross edges of an L2 node are those edges of its supervoxels that their other side lists when it was made;
//     of a higher node, those of its children;
// and each of these can be told from the other side. Where both sides stand against each other, the third witness is
// the life of the nodes: a node belongs to one parent at a time, and an edge is active exactly if its ends share an
// ancestor one layer above it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "edit/fsck_checks.h"
#include "edit/operation_log.h"
#include "edit/repair_record.h"
#include "graph/dataset.h"

namespace cleave::edit {

struct Mends {
  std::vector<Mend> mends;
  std::vector<std::string> doubts;
};

// `table`: the dataset's, or an overlay. Looks at `suspects` and what is next to them, and adds to `mends`. The
// changes' `before` is left empty.
[[nodiscard]] absl::Status MendHierarchy(graph::Dataset& dataset, const table::TableReader& table,
                                         std::span<const graph::NodeId> suspects, std::span<const OperationRecord> log,
                                         const FormerOf& former_of, Mends& mends);

}  // namespace cleave::edit
