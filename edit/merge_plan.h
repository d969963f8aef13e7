// Plans a merge: joins two objects at two supervoxels.
//
//   1. The edges of both objects around the two points, and the pieces that active edges hold together there.
//   2. Inactive edges between the two pieces, if there are any, become active: the objects touch, and were parted (or
//   never
//      joined) there. Else the two supervoxels get an edge of their own, a fake one.
//   3. The L2 nodes at the ends are replaced, and the layers above.
#pragma once

#include <vector>

#include "absl/status/statusor.h"

#include "base/stages.h"
#include "edit/plan.h"
#include "edit/split_plan.h"
#include "graph/dataset.h"
#include "graph/edges.h"
#include "graph/ids.h"

namespace cleave::edit {

struct MergeRequirements {
  graph::OperationId operation{};
  graph::NodeId source_root{};
  graph::NodeId sink_root{};  // differs from source_root
  MarkedPoint source;
  MarkedPoint sink;
};

struct MergePlan {
  Plan plan;
  std::vector<graph::EdgeEnds> added_edges;
  bool fake_edge = false;
};

[[nodiscard]] absl::StatusOr<MergePlan> PlanMerge(graph::Dataset& dataset, const MergeRequirements& requirements,
                                                  Stages& stages);

}  // namespace cleave::edit
