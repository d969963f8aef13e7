// Plans the undo of a voxel cut with its ids: fragments become the supervoxels again that they were cut from.
//
//   1. The chunks of these supervoxels and one chunk around them are locked, as for the cut.
//   2. Voxels: in the boxes that the cut changed, every voxel of a fragment gets its supervoxel's id. Each fragment
//   must
//      have as many voxels as it was born with, so that nothing is given back that others have changed.
//   3. Edges: those of the fragments, with the supervoxel in their place, each once; those between fragments of one
//      supervoxel vanish. An edge is active if one of those it stands for was, or if the undo makes it so. Infinite
//      edges that are stored for the supervoxel, and that the cut made stale, hold again. Edges that are not stored
//      under the old id are stored: users' edges to fragments, and those to what was cut since.
//   4. Nodes: the L2 nodes of the fragments, of whoever lists a cross edge to one, and of the ends of edges that become
//      active are planned anew, and the layers above.
//   5. Rows: the supervoxel gets a new parent and says what it was made of. The fragments say what they became, and get
//      the same parent, which does not list them: until the voxels are written, they lead on to the new state
//      (apply.h).
#pragma once

#include <span>
#include <vector>

#include "absl/status/statusor.h"

#include "base/geometry.h"
#include "base/stages.h"
#include "edit/draft.h"
#include "edit/plan.h"
#include "edit/task.h"
#include "graph/edges.h"
#include "graph/ids.h"

namespace cleave::edit {

struct RestoreRequirements {
  graph::OperationId operation{};
  // All fragments of each supervoxel that is restored; all stand.
  std::vector<Fragment> fragments;
  // That hold all their voxels; empty: their chunks.
  std::vector<Box> boxes;
  // Edges that become active, of the fragments as they are.
  std::vector<graph::EdgeEnds> joined_edges;
  // Roots that are locked; empty: none has to be (a preview).
  std::vector<graph::NodeId> roots;
  LockChunks lock_chunks;
};

// The supervoxels that infinite edges will join to the restored ones beside those of the fragments' edges: what their
// roots are is needed for the plan, too.
[[nodiscard]] absl::StatusOr<std::vector<graph::NodeId>> FindStalePartners(const Draft& draft,
                                                                           std::span<const Fragment> fragments);

// FAILED_PRECONDITION when voxels of a fragment were written by others; ABORTED when what infinite edges join changed
// meanwhile.
[[nodiscard]] absl::StatusOr<Plan> PlanRestore(const Draft& draft, const RestoreRequirements& requirements,
                                               Stages& stages);

}  // namespace cleave::edit
