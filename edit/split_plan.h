// Plans a split: parts one object so that points of different sides share no root. Sides are the sources, the sinks,
// and any further ones.
//
//   1. The edges of the object around the points (the region: their envelope, grown by whole chunks).
//   2. The graph cut of these edges. Where points of several sides lie in one family of supervoxels, no edge can be
//   cut:
//      the family is cut in voxels, its edges are routed to the fragments, and the graph is cut again, all unwritten.
//   3. New L2 nodes where anything changed, and the layers above.
//   4. If two sides still share a root, something outside the region joins them: the region grows, at last to
//      the whole object. What then still joins them is named in the error.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "base/stages.h"
#include "edit/draft.h"
#include "edit/plan.h"
#include "graph/edges.h"
#include "graph/ids.h"
#include "volume/volume.h"

namespace cleave::edit {

// A point a user marked, and the supervoxel it lies in now.
struct MarkedPoint {
  VoxelPoint point;
  graph::NodeId supervoxel{};
};

// A split with voxels that was undone with them, to be done again: the segmentation with its fragments, and what each
// of them was cut from and on which side it was.
struct EarlierSplit {
  std::shared_ptr<const volume::Volume> voxels;
  std::vector<Fragment> fragments;
};

struct SplitRequirements {
  graph::OperationId operation{};
  graph::NodeId root{};
  std::vector<std::vector<MarkedPoint>> sides;  // two or more
  bool augment_paths = true;                    // cut/graph_cut.h
  bool refuse_isolating_cut = true;             // the same
  // Families that it cut are cut as it did; others, and all without it, between the points.
  std::optional<EarlierSplit> earlier = {};
  // Locks L2 chunks before their voxels are read; called with growing sets. Empty: no locks (a preview).
  std::function<absl::Status(std::span<const ChunkPoint>)> lock_chunks;
};

struct SplitPlan {
  Plan plan;
  std::vector<graph::EdgeEnds> removed_edges;
  // How far around the points edges were looked at, at least, in voxels.
  VoxelPoint margin;
  // The supervoxels at the points of each side after the cut, in the order of the points.
  std::vector<std::vector<graph::NodeId>> side_supervoxels;
};

// FAILED_PRECONDITION, saying what to do, where no cut exists or the points do not allow one.
[[nodiscard]] absl::StatusOr<SplitPlan> PlanSplit(const Draft& draft, const SplitRequirements& requirements,
                                                  Stages& stages);

}  // namespace cleave::edit
