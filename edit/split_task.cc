#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "edit/edge_plan.h"
#include "edit/edge_states.h"
#include "edit/split_plan.h"
#include "edit/task.h"

namespace cleave::edit {
namespace {

using graph::NodeId;

std::string TextOfSplit(const SplitRequest& request) {
  return absl::StrCat("split|", TextOf(request.sources), "|", TextOf(request.sinks), "|", TextOf(request.edges), "|",
                      request.augment_paths, "|", request.refuse_isolating_cut, "|", request.terms.override_protection,
                      "|", request.user);
}

std::vector<NodeId> IdsAt(const std::vector<MarkedPoint>& points) {
  std::vector<NodeId> ids;
  ids.reserve(points.size());
  for (const MarkedPoint& point : points) {
    ids.push_back(point.supervoxel);
  }
  return ids;
}

// Between points.
class MulticutTask final : public Task {
 public:
  explicit MulticutTask(SplitRequest request) : request_(std::move(request)) {}

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
    record.sources = request_.sources;
    record.sinks = request_.sinks;
    record.source_supervoxels = IdsAt(requirements_.sources);
    record.sink_supervoxels = IdsAt(requirements_.sinks);
    CLEAVE_ASSIGN_OR_RETURN(SplitPlan split, PlanSplit(draft, requirements_, stages));
    record.source_supervoxels = split.source_supervoxels;
    record.sink_supervoxels = split.sink_supervoxels;
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
    CLEAVE_RETURN_IF_ERROR(CheckSides(request_.sources, request_.sinks));
    CLEAVE_ASSIGN_OR_RETURN(requirements_.sources, LookUpPoints(draft, request_.sources));
    CLEAVE_ASSIGN_OR_RETURN(requirements_.sinks, LookUpPoints(draft, request_.sinks));
    std::vector<NodeId> supervoxels = IdsAt(requirements_.sources);
    for (const MarkedPoint& sink : requirements_.sinks) {
      supervoxels.push_back(sink.supervoxel);
    }
    return supervoxels;
  }

  absl::Status Check(const Draft&, const std::vector<NodeId>&, const std::vector<NodeId>& roots) override {
    requirements_.root = roots.front();
    const auto other = std::ranges::find_if(roots, [&](NodeId root) { return root != roots.front(); });
    if (other == roots.end()) {
      return absl::OkStatus();
    }
    const auto i = static_cast<size_t>(other - roots.begin());
    const VoxelPoint point =
        i < request_.sources.size() ? request_.sources[i] : request_.sinks[i - request_.sources.size()];
    return absl::FailedPreconditionError(absl::StrCat(
        "the points lie in different objects: ", cleave::ToString(request_.sources.front()), " in ",
        Value(roots.front()), ", ", cleave::ToString(point), " in ", Value(*other), "; there is nothing to split"));
  }

 private:
  const SplitRequest request_;
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
  if (request.edges.empty() || !request.sources.empty() || !request.sinks.empty()) {
    return std::make_unique<MulticutTask>(std::move(request));
  }
  return std::make_unique<EdgeSplitTask>(std::move(request));
}

}  // namespace cleave::edit
