#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/status.h"
#include "edit/edge_plan.h"
#include "edit/merge_plan.h"
#include "edit/task.h"
#include "graph/l2_components.h"

namespace cleave::edit {
namespace {

using graph::EdgeEnds;
using graph::NodeId;

class MergeTask final : public Task {
 public:
  explicit MergeTask(MergeRequest request) : request_(std::move(request)) {}

  OperationKind kind() const override { return OperationKind::kMerge; }
  const std::string& user() const override { return request_.user; }
  const EditTerms& terms() const override { return request_.terms; }

  std::string Text() const override {
    return absl::StrCat("merge|", TextOf(Points(request_.source)), "|", TextOf(Points(request_.sink)), "|",
                        TextOf(request_.edges), "|", absl::StrJoin(request_.affinities, " "), "|",
                        request_.allow_same_segment_merge, "|", request_.chebyshev_distance_max_chunks.value_or(-1),
                        "|", request_.terms.override_protection, "|", request_.user);
  }

  absl::StatusOr<cleave::edit::Plan> Plan(const Draft& draft, const LockChunks&, OperationRecord& record,
                                          Stages& stages) override {
    record.sources = Points(request_.source);
    record.sinks = Points(request_.sink);
    record.affinities = request_.affinities;
    for (const MergePair& pair : pairs_) {
      record.source_supervoxels.push_back(pair.ends.node1);
      record.sink_supervoxels.push_back(pair.ends.node2);
    }
    CLEAVE_ASSIGN_OR_RETURN(const MergeEdges found, FindMergeEdges(draft, pairs_, Around(draft), stages));
    record.added_edges = found.active;
    return PlanJoin(draft, record.id, found.active, found.fake, stages);
  }

 protected:
  absl::StatusOr<std::vector<NodeId>> Look(const Draft& draft) override {
    CLEAVE_RETURN_IF_ERROR(CheckForm());
    std::vector<EdgeEnds> edges = request_.edges;
    if (edges.empty()) {
      CLEAVE_RETURN_IF_ERROR(CheckSides({Points(request_.source), Points(request_.sink)}));
      CLEAVE_ASSIGN_OR_RETURN(const std::vector<MarkedPoint> marked,
                              LookUpPoints(draft, {*request_.source, *request_.sink}));
      edges = {{marked[0].supervoxel, marked[1].supervoxel}};
    } else {
      CLEAVE_RETURN_IF_ERROR(CheckEdges(draft, edges));
    }
    CLEAVE_RETURN_IF_ERROR(CheckDistance(draft, edges));
    pairs_.clear();
    for (const EdgeEnds& edge : edges) {
      pairs_.push_back({edge, {}});
    }
    return EndsOf(edges);
  }

  absl::Status Check(const Draft&, const std::vector<NodeId>&, const std::vector<NodeId>& roots) override {
    for (size_t i = 0; i < pairs_.size(); ++i) {
      pairs_[i].roots = {roots[2 * i], roots[2 * i + 1]};
      if (pairs_[i].ends.node1 == pairs_[i].ends.node2) {
        return absl::FailedPreconditionError(
            absl::StrCat("both points lie in supervoxel ", Value(pairs_[i].ends.node1), "; there is nothing to merge"));
      }
    }
    if (request_.allow_same_segment_merge) {
      return CheckOneObject(roots);
    }
    for (const MergePair& pair : pairs_) {
      if (pair.roots.node1 == pair.roots.node2) {
        return absl::FailedPreconditionError(
            request_.edges.empty()
                ? absl::StrCat("both points lie in object ", Value(pair.roots.node1), "; there is nothing to merge")
                : absl::StrCat("supervoxels ", Value(pair.ends.node1), " and ", Value(pair.ends.node2),
                               " both lie in object ", Value(pair.roots.node1), "; there is nothing to merge"));
      }
    }
    return CheckOneObject(roots);
  }

 private:
  static std::vector<VoxelPoint> Points(const std::optional<VoxelPoint>& point) {
    return point.has_value() ? std::vector<VoxelPoint>{*point} : std::vector<VoxelPoint>{};
  }

  absl::Status CheckForm() const {
    if (request_.source.has_value() != request_.sink.has_value()) {
      return CheckSides({Points(request_.source), Points(request_.sink)});
    }
    if (request_.edges.empty() && !request_.source.has_value()) {
      return absl::InvalidArgumentError("a merge needs a source and a sink point, or edges");
    }
    if (!request_.affinities.empty() && request_.affinities.size() != request_.edges.size()) {
      return absl::InvalidArgumentError(absl::StrCat(request_.affinities.size(), " affinities are given for ",
                                                     request_.edges.size(), " edges; give one each, or none"));
    }
    if (std::ranges::any_of(request_.affinities, [](float affinity) { return std::isnan(affinity); })) {
      return absl::InvalidArgumentError("an affinity is not a number");
    }
    return absl::OkStatus();
  }

  absl::Status CheckDistance(const Draft& draft, const std::vector<EdgeEnds>& edges) const {
    for (const EdgeEnds& edge : edges) {
      const ChunkPoint a = draft.layout().ChunkOf(edge.node1).position;
      const ChunkPoint b = draft.layout().ChunkOf(edge.node2).position;
      const int64_t distance = std::max({std::abs(a.x - b.x), std::abs(a.y - b.y), std::abs(a.z - b.z)});
      if (distance > request_.chebyshev_distance_max_chunks.value_or(distance)) {
        return absl::InvalidArgumentError(
            absl::StrCat("supervoxels ", Value(edge.node1), " and ", Value(edge.node2), " lie ", distance,
                         " chunks apart, at most ", *request_.chebyshev_distance_max_chunks,
                         " are allowed; choose points nearer to each other, or allow a larger distance"));
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckOneObject(const std::vector<NodeId>& roots) const {
    std::vector<EdgeEnds> joined;
    joined.reserve(pairs_.size());
    for (const MergePair& pair : pairs_) {
      joined.push_back(pair.roots);
    }
    std::vector<NodeId> objects = roots;
    std::ranges::sort(objects);
    objects.erase(std::ranges::unique(objects).begin(), objects.end());
    if (const auto components = graph::ComponentsOf(objects, joined); components.size() > 1) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the edges make ", components.size(), " objects, not one: nothing joins object ",
          Value(components[0].front()), " to object ", Value(components[1].front()), "; merge them one by one"));
    }
    return absl::OkStatus();
  }

  // What the user marked: his points, and the chunks of the edges that he named.
  Box Around(const Draft& draft) const {
    std::optional<Box> box;
    const auto add = [&](const Box& part) { box = box.has_value() ? Envelope(*box, part) : part; };
    for (const std::optional<VoxelPoint>& point : {request_.source, request_.sink}) {
      if (point.has_value()) {
        add(BoxAt(*point, {1, 1, 1}));
      }
    }
    for (const NodeId end : EndsOf(request_.edges)) {
      add(draft.layout().ChunkBox(draft.layout().ChunkOf(end)));
    }
    return *box;
  }

  const MergeRequest request_;
  std::vector<MergePair> pairs_;
};

}  // namespace

std::unique_ptr<Task> MakeMergeTask(MergeRequest request) { return std::make_unique<MergeTask>(std::move(request)); }

}  // namespace cleave::edit
