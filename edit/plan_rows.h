// The rows of a plan: how new nodes, lineage and fresh supervoxels stand in the table.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "absl/status/status.h"

#include "edit/plan.h"
#include "graph/graph_view.h"
#include "graph/hierarchy.h"
#include "graph/ids.h"
#include "table/table.h"

namespace cleave::edit {

// Adds what PlanHierarchy found: new nodes' children and cross edges to `prepare`; parents and root lineage to `flip`;
// the roots and L2 nodes to the plan's lists. Lineage is by object: a new root names the old roots that something in it
// came from, which are all of them where there is but one new or one old root (or the stored graph contradicts itself).
// `view`: the state before; fragments in `plan` count as what they are parts of.
[[nodiscard]] absl::Status AddHierarchyRows(const graph::GraphView& view, const graph::HierarchyPlan& hierarchy,
                                            graph::OperationId operation, Plan& plan);

// Adds lineage for every fragment of `plan`. To `prepare`: where it came from, and its former's parents with their old
// times, so that it leads to the old roots until the flip and in the past. To `flip`: what its former became, and
// parents that an earlier plan of the same batch gives the former. Source of the columns: the field's supervoxel
// lineage.
[[nodiscard]] absl::Status AddFragmentRows(const table::TableReader& reader, graph::OperationId operation, Plan& plan);

// The fragments of each supervoxel that they are given back to, in the order of `restored`.
[[nodiscard]] std::map<graph::NodeId, std::vector<graph::NodeId>> FragmentsOfRestored(
    std::span<const Restored> restored);

// Adds lineage for every supervoxel that `plan` restores, all to `flip`: what it comes from, what its fragments are
// from now on, and for each of these the parent that the supervoxel gets in `hierarchy`: it leads there until its
// voxels carry the old id, though that parent does not list it.
void AddRestoredRows(const graph::HierarchyPlan& hierarchy, graph::OperationId operation, Plan& plan);

}  // namespace cleave::edit
