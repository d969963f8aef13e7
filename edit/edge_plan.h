// Plans changes of given edges: joins objects by edges that become active, or parts one by edges that cease to be.
// What merges, splits of known edges, undo and redo share.
#pragma once

#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "base/stages.h"
#include "edit/draft.h"
#include "edit/plan.h"
#include "graph/edges.h"
#include "graph/ids.h"

namespace cleave::edit {

// Both ends of each edge, in order.
[[nodiscard]] std::vector<graph::NodeId> EndsOf(std::span<const graph::EdgeEnds> edges);

// INVALID_ARGUMENT unless each is an existing supervoxel, saying what it is instead; FAILED_PRECONDITION when it was
// cut in voxels, naming what took its place.
[[nodiscard]] absl::Status RequireSupervoxels(const Draft& draft, std::span<const graph::NodeId> ids);

// Makes `edges` active. `fake_edges`, which are among them, exist nowhere yet and are stored, in one list per chunk.
// The L2 nodes at the ends are replaced, and the layers above.
[[nodiscard]] absl::StatusOr<Plan> PlanJoin(const Draft& draft, graph::OperationId operation,
                                            std::span<const graph::EdgeEnds> edges,
                                            std::span<const graph::EdgeEnds> fake_edges, Stages& stages);

// Makes `edges` inactive; those that are not active are ignored. An L2 node falls into what its other edges hold
// together. Where other edges lead around those removed, the object stays in one piece, under a new root.
[[nodiscard]] absl::StatusOr<Plan> PlanPart(const Draft& draft, graph::OperationId operation,
                                            std::span<const graph::EdgeEnds> edges, Stages& stages);

}  // namespace cleave::edit
