#include "edit/task.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/status.h"
#include "cut/graph_cut.h"
#include "edit/edge_plan.h"
#include "edit/split_plan.h"
#include "volume/volume.h"

namespace cleave::edit {
namespace {

using graph::EdgeEnds;
using graph::NodeId;

std::vector<NodeId> SortedOnce(std::vector<NodeId> ids) {
  std::ranges::sort(ids);
  ids.erase(std::ranges::unique(ids).begin(), ids.end());
  return ids;
}

absl::StatusOr<std::vector<NodeId>> RequireRoots(const Draft& draft, const std::vector<NodeId>& supervoxels) {
  CLEAVE_ASSIGN_OR_RETURN(std::vector<NodeId> roots, draft.Now().Roots(supervoxels));
  for (size_t i = 0; i < roots.size(); ++i) {
    if (roots[i] == NodeId{}) {
      return absl::DataLossError(absl::StrCat("supervoxel ", Value(supervoxels[i]), " has no root; run `cleave fsck`"));
    }
  }
  return roots;
}

struct TaskMaker {
  std::unique_ptr<Task> operator()(const MergeRequest& request) const { return MakeMergeTask(request); }
  std::unique_ptr<Task> operator()(const SplitRequest& request) const { return MakeSplitTask(request); }
  std::unique_ptr<Task> operator()(const UndoRequest& request) const { return MakeUndoTask(request); }
  std::unique_ptr<Task> operator()(const RedoRequest& request) const { return MakeRedoTask(request); }
};

}  // namespace

absl::StatusOr<std::vector<NodeId>> Task::Resolve(const Draft& draft) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> supervoxels, Look(draft));
  CLEAVE_ASSIGN_OR_RETURN(std::vector<NodeId> roots, RequireRoots(draft, supervoxels));
  CLEAVE_RETURN_IF_ERROR(Check(draft, supervoxels, roots));
  return SortedOnce(std::move(roots));
}

absl::StatusOr<std::vector<NodeId>> Task::RootsToLock(const Draft& draft) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> supervoxels, Look(draft));
  CLEAVE_ASSIGN_OR_RETURN(std::vector<NodeId> roots, RequireRoots(draft, supervoxels));
  return SortedOnce(std::move(roots));
}

std::unique_ptr<Task> MakeTask(const BatchItem& item) { return std::visit(TaskMaker{}, item); }

absl::StatusOr<std::vector<MarkedPoint>> LookUpPoints(const Draft& draft, const std::vector<VoxelPoint>& points) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<uint64_t> labels,
                          draft.segmentation().ReadVoxels(volume::kFinestScale, points));
  std::vector<MarkedPoint> marked;
  for (size_t i = 0; i < points.size(); ++i) {
    if (labels[i] == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("point ", cleave::ToString(points[i]), " lies on background; move it onto the object"));
    }
    marked.push_back({points[i], NodeId{labels[i]}});
  }
  return marked;
}

absl::Status CheckSides(const std::vector<std::vector<VoxelPoint>>& sides) {
  absl::flat_hash_map<VoxelPoint, size_t> side_of;
  for (size_t side = 0; side < sides.size(); ++side) {
    if (sides[side].empty()) {
      return absl::InvalidArgumentError(absl::StrCat("no ", cut::RoleOfTeam(side), side < 2 ? " point" : "",
                                                     ": give at least one point on each side"));
    }
    for (const VoxelPoint point : sides[side]) {
      if (const size_t other = side_of.try_emplace(point, side).first->second; other != side) {
        return absl::InvalidArgumentError(absl::StrCat("point ", cleave::ToString(point), " is given as ",
                                                       cut::RoleOfTeam(other), " and as ", cut::RoleOfTeam(side),
                                                       "; a voxel has one side"));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status CheckEdges(const Draft& draft, const std::vector<EdgeEnds>& edges) {
  for (const EdgeEnds& edge : edges) {
    if (edge.node1 == edge.node2) {
      return absl::InvalidArgumentError(
          absl::StrCat("edge ", Value(edge.node1), "-", Value(edge.node2), " joins a supervoxel with itself"));
    }
  }
  return RequireSupervoxels(draft, EndsOf(edges));
}

std::string TextOf(const std::vector<VoxelPoint>& points) {
  return absl::StrJoin(points, " ",
                       [](std::string* out, VoxelPoint point) { absl::StrAppend(out, cleave::ToString(point)); });
}

std::string TextOf(const std::vector<EdgeEnds>& edges) {
  return absl::StrJoin(edges, " ", [](std::string* out, const EdgeEnds& edge) {
    absl::StrAppend(out, Value(edge.node1), "-", Value(edge.node2));
  });
}

}  // namespace cleave::edit
