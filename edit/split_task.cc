#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "edit/edge_plan.h"
#include "edit/edge_states.h"
#include "edit/painted_points.h"
#include "edit/split_plan.h"
#include "edit/task.h"

namespace cleave::edit {
namespace {

using graph::NodeId;

std::string TextOfSplit(const SplitRequest& request) {
  std::string text = absl::StrCat("split|", TextOf(request.sources), "|", TextOf(request.sinks), "|",
                                  TextOf(request.edges), "|", request.augment_paths, "|", request.refuse_isolating_cut,
                                  "|", request.terms.override_protection, "|", request.user);
  for (const std::vector<VoxelPoint>& side : request.more_sides) {
    absl::StrAppend(&text, "|", TextOf(side));
  }
  if (!request.paint.empty()) {
    absl::StrAppend(&text, "|paint|", TextOf(request.paint));
  }
  return text;
}

// What the log keeps of a side: points that were given, and of painted voxels one for each supervoxel afterwards.
std::vector<SidePoint> PointsForTheLog(const std::vector<MarkedPoint>& points, const std::vector<NodeId>& now,
                                       size_t given, int side) {
  std::vector<SidePoint> kept;
  absl::flat_hash_set<NodeId> seen;
  for (size_t i = 0; i < points.size(); ++i) {
    if (seen.insert(now[i]).second || i < given) {
      kept.push_back({side, points[i].point, now[i]});
    }
  }
  return kept;
}

// Between points.
class MulticutTask final : public Task {
 public:
  explicit MulticutTask(SplitRequest request, std::optional<EarlierSplit> earlier = std::nullopt)
      : request_(std::move(request)) {
    requirements_.earlier = std::move(earlier);
  }

  OperationKind kind() const override { return OperationKind::kSplit; }
  const std::string& user() const override { return request_.user; }
  const EditTerms& terms() const override { return request_.terms; }
  std::string Text() const override { return TextOfSplit(request_); }

  absl::StatusOr<cleave::edit::Plan> Plan(const Draft& draft, const LockChunks& lock_chunks, OperationRecord& record,
                                          Stages& stages) override {
    requirements_.operation = record.id;
    requirements_.augment_paths = request_.augment_paths;
    requirements_.refuse_isolating_cut = request_.refuse_isolating_cut;
    requirements_.lock_chunks = lock_chunks;
    CLEAVE_ASSIGN_OR_RETURN(SplitPlan split, PlanSplit(draft, requirements_, stages));
    FillPoints(split.side_supervoxels, record);
    record.removed_edges = split.removed_edges;
    record.bounding_box_offset = split.margin;
    return std::move(split.plan);
  }

 protected:
  absl::StatusOr<std::vector<NodeId>> Look(const Draft& draft) override {
    if (!request_.edges.empty()) {
      return absl::InvalidArgumentError(
          "a split is given points, between which a cut is computed, or the edges to cut, not both");
    }
    std::vector<std::vector<VoxelPoint>> given = {request_.sources, request_.sinks};
    given.insert(given.end(), request_.more_sides.begin(), request_.more_sides.end());
    given.resize(std::max(given.size(), GreatestSide(request_.paint)));
    given_ = given;
    if (request_.paint.empty()) {
      CLEAVE_RETURN_IF_ERROR(CheckSides(given));
    }
    requirements_.sides.clear();
    for (const std::vector<VoxelPoint>& side : given) {
      CLEAVE_ASSIGN_OR_RETURN(std::vector<MarkedPoint> points, LookUpPoints(draft, side));
      requirements_.sides.push_back(std::move(points));
    }
    if (!request_.paint.empty()) {
      CLEAVE_RETURN_IF_ERROR(AddPaint(draft));
    }
    std::vector<NodeId> supervoxels;
    for (const std::vector<MarkedPoint>& side : requirements_.sides) {
      for (const MarkedPoint& point : side) {
        if (supervoxels.empty() || supervoxels.back() != point.supervoxel) {
          supervoxels.push_back(point.supervoxel);
        }
      }
    }
    return supervoxels;
  }

  absl::Status Check(const Draft&, const std::vector<NodeId>& supervoxels, const std::vector<NodeId>& roots) override {
    requirements_.root = roots.front();
    const auto other = std::ranges::find_if(roots, [&](NodeId root) { return root != roots.front(); });
    if (other == roots.end()) {
      return absl::OkStatus();
    }
    const NodeId stranger = supervoxels[static_cast<size_t>(other - roots.begin())];
    return absl::FailedPreconditionError(
        absl::StrCat("the points lie in different objects: ", cleave::ToString(PointIn(supervoxels.front())), " in ",
                     Value(roots.front()), ", ", cleave::ToString(PointIn(stranger)), " in ", Value(*other),
                     "; there is nothing to split"));
  }

 private:
  // Painted voxels come after the points that were given.
  absl::Status AddPaint(const Draft& draft) {
    NodeId root{};
    for (const std::vector<MarkedPoint>& side : requirements_.sides) {
      if (!side.empty() && root == NodeId{}) {
        const NodeId first[] = {side.front().supervoxel};
        CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> roots, draft.Now().Roots(first));
        root = roots.front();
      }
    }
    CLEAVE_ASSIGN_OR_RETURN(std::vector<std::vector<MarkedPoint>> painted,
                            FindPainted(draft, request_.paint, requirements_.sides.size(), root));
    std::vector<std::vector<VoxelPoint>> all(painted.size());
    for (size_t side = 0; side < painted.size(); ++side) {
      std::vector<MarkedPoint>& points = requirements_.sides[side];
      points.insert(points.end(), painted[side].begin(), painted[side].end());
      for (const MarkedPoint& point : points) {
        all[side].push_back(point.point);
      }
    }
    return CheckSides(all);
  }

  VoxelPoint PointIn(NodeId supervoxel) const {
    for (const std::vector<MarkedPoint>& side : requirements_.sides) {
      for (const MarkedPoint& point : side) {
        if (point.supervoxel == supervoxel) {
          return point.point;
        }
      }
    }
    return {};
  }

  void FillPoints(const std::vector<std::vector<NodeId>>& supervoxels, OperationRecord& record) const {
    for (size_t side = 0; side < supervoxels.size(); ++side) {
      std::vector<SidePoint> points = PointsForTheLog(requirements_.sides[side], supervoxels[side], given_[side].size(),
                                                      static_cast<int>(side) + 1);
      if (side >= 2) {
        record.more_points.insert(record.more_points.end(), points.begin(), points.end());
        continue;
      }
      for (const SidePoint& point : points) {
        (side == 0 ? record.sources : record.sinks).push_back(point.point);
        (side == 0 ? record.source_supervoxels : record.sink_supervoxels).push_back(point.supervoxel);
      }
    }
  }

  const SplitRequest request_;
  std::vector<std::vector<VoxelPoint>> given_;  // points by side
  SplitRequirements requirements_;
};

// Along edges that are given.
class EdgeSplitTask final : public Task {
 public:
  explicit EdgeSplitTask(SplitRequest request) : request_(std::move(request)) {}

  OperationKind kind() const override { return OperationKind::kSplit; }
  const std::string& user() const override { return request_.user; }
  const EditTerms& terms() const override { return request_.terms; }
  std::string Text() const override { return TextOfSplit(request_); }

  absl::StatusOr<cleave::edit::Plan> Plan(const Draft& draft, const LockChunks&, OperationRecord& record,
                                          Stages& stages) override {
    CLEAVE_ASSIGN_OR_RETURN(const EdgeStates states, FindEdgeStates(draft, request_.edges));
    if (states.active.empty()) {
      return absl::FailedPreconditionError(absl::StrCat(
          "none of the edges is there to be removed: no active edge joins supervoxels ", Value(request_.edges[0].node1),
          " and ", Value(request_.edges[0].node2),
          request_.edges.size() > 1 ? absl::StrCat(", nor ", request_.edges.size() - 1, " other pairs") : "",
          "; give points, and the edges to cut are found"));
    }
    record.removed_edges = states.active;
    return PlanPart(draft, record.id, states.active, stages);
  }

 protected:
  absl::StatusOr<std::vector<NodeId>> Look(const Draft& draft) override {
    CLEAVE_RETURN_IF_ERROR(CheckEdges(draft, request_.edges));
    return EndsOf(request_.edges);
  }

  absl::Status Check(const Draft&, const std::vector<NodeId>& supervoxels, const std::vector<NodeId>& roots) override {
    for (size_t i = 0; i < roots.size(); ++i) {
      if (roots[i] != roots.front()) {
        return absl::FailedPreconditionError(absl::StrCat(
            "the edges lie in different objects: supervoxel ", Value(supervoxels.front()), " in ", Value(roots.front()),
            ", ", Value(supervoxels[i]), " in ", Value(roots[i]), "; split one object at a time"));
      }
    }
    return absl::OkStatus();
  }

 private:
  const SplitRequest request_;
};

}  // namespace

std::unique_ptr<Task> MakeSplitTask(SplitRequest request) {
  if (request.edges.empty() || !request.sources.empty() || !request.sinks.empty() || !request.more_sides.empty() ||
      !request.paint.empty()) {
    return std::make_unique<MulticutTask>(std::move(request));
  }
  return std::make_unique<EdgeSplitTask>(std::move(request));
}

std::unique_ptr<Task> MakeSplitAgainTask(SplitRequest request, EarlierSplit earlier) {
  return std::make_unique<MulticutTask>(std::move(request), std::move(earlier));
}

}  // namespace cleave::edit
