#include "edit/editor.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "base/status.h"
#include "edit/apply.h"
#include "edit/merge_plan.h"
#include "edit/recovery.h"
#include "edit/session.h"
#include "volume/volume.h"

namespace cleave::edit {
namespace {

using graph::NodeId;

std::vector<NodeId> SupervoxelsOf(const std::vector<MarkedPoint>& points) {
  std::vector<NodeId> ids;
  for (const MarkedPoint& point : points) {
    ids.push_back(point.supervoxel);
  }
  return ids;
}

absl::Status CheckSides(const std::vector<VoxelPoint>& sources, const std::vector<VoxelPoint>& sinks) {
  if (sources.empty() || sinks.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("no ", sources.empty() ? "source" : "sink", " point: give at least one point on each side"));
  }
  const absl::flat_hash_set<VoxelPoint> seen(sources.begin(), sources.end());
  for (const VoxelPoint point : sinks) {
    if (seen.contains(point)) {
      return absl::InvalidArgumentError(
          absl::StrCat("point ", cleave::ToString(point), " is given as source and as sink; a voxel has one side"));
    }
  }
  return absl::OkStatus();
}

EditReport ReportOf(const OperationRecord& record, const Plan& plan) {
  EditReport report;
  report.operation = record.id;
  report.kind = record.kind;
  report.time = record.time;
  report.old_roots = plan.old_roots;
  report.new_roots = plan.new_roots;
  report.new_l2_nodes = plan.new_l2_nodes;
  report.fragments = plan.fragments;
  report.added_edges = record.added_edges;
  report.removed_edges = record.removed_edges;
  report.changed_boxes = plan.changed_boxes;
  report.changed_chunk_count = static_cast<int64_t>(plan.voxels.size());
  return report;
}

// Commits a plan and reports on it.
absl::StatusOr<EditReport> Finish(graph::Dataset& dataset, Session& session, Plan plan, Stages& stages) {
  EditReport report = ReportOf(session.record(), plan);
  CLEAVE_ASSIGN_OR_RETURN(const OperationRecord done, session.Commit(std::move(plan), stages));
  report.time = done.time;
  if (done.written_generation.has_value()) {
    report.generation = *done.written_generation;
  } else {
    CLEAVE_ASSIGN_OR_RETURN(report.generation, VoxelGeneration(dataset));
  }
  report.stages = stages;
  return report;
}

// Calls `attempt` until it gets its locks, or an error that waiting does not mend.
absl::Status WithRetries(const EditorOptions& options, const std::function<absl::Status()>& attempt) {
  absl::Status status;
  for (int i = 0; i < options.lock_tries; ++i) {
    status = attempt();
    if (!absl::IsUnavailable(status) && !absl::IsAborted(status)) {
      return status;
    }
    absl::SleepFor(options.lock_wait);
  }
  return status;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Editor>> Editor::Open(graph::Dataset& dataset, const EditorOptions& options) {
  std::unique_ptr<Editor> editor(new Editor(dataset, options));
  CLEAVE_RETURN_IF_ERROR(editor->Recover());
  return editor;
}

absl::Status Editor::Recover() {
  CLEAVE_ASSIGN_OR_RETURN(recovered_, RecoverOperations(dataset_, *options_.clock));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<MarkedPoint>> Editor::LookUp(const std::vector<VoxelPoint>& points) const {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<uint64_t> labels,
                          dataset_.segmentation().ReadVoxels(volume::kFinestScale, points));
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

absl::StatusOr<SplitRequirements> Editor::Resolve(const SplitRequest& request) const {
  CLEAVE_RETURN_IF_ERROR(CheckSides(request.sources, request.sinks));
  SplitRequirements requirements;
  CLEAVE_ASSIGN_OR_RETURN(requirements.sources, LookUp(request.sources));
  CLEAVE_ASSIGN_OR_RETURN(requirements.sinks, LookUp(request.sinks));
  std::vector<NodeId> supervoxels = SupervoxelsOf(requirements.sources);
  for (const MarkedPoint& sink : requirements.sinks) {
    supervoxels.push_back(sink.supervoxel);
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> roots, dataset_.Now().Roots(supervoxels));
  requirements.root = roots.front();
  for (size_t i = 0; i < roots.size(); ++i) {
    if (roots[i] == NodeId{}) {
      return absl::DataLossError(absl::StrCat("supervoxel ", Value(supervoxels[i]), " has no root; run `cleave fsck`"));
    }
    if (roots[i] != requirements.root) {
      const VoxelPoint point =
          i < request.sources.size() ? request.sources[i] : request.sinks[i - request.sources.size()];
      return absl::FailedPreconditionError(
          absl::StrCat("the points lie in different objects: ", cleave::ToString(request.sources.front()), " in ",
                       Value(requirements.root), ", ", cleave::ToString(point), " in ", Value(roots[i]),
                       "; there is nothing to split"));
    }
  }
  return requirements;
}

absl::StatusOr<EditReport> Editor::Split(const SplitRequest& request) {
  Stages stages;
  CLEAVE_ASSIGN_OR_RETURN(SplitRequirements requirements, Resolve(request));
  OperationRecord record;
  CLEAVE_ASSIGN_OR_RETURN(record.id, dataset_.ids().NewOperation());
  record.kind = OperationKind::kSplit;
  record.user = request.user;
  record.sources = request.sources;
  record.sinks = request.sinks;
  Session session(dataset_, *options_.clock, std::move(record));
  SplitPlan split;
  absl::Status planned = WithRetries(options_, [&]() -> absl::Status {
    {
      const Stages::Scope scope(stages, "lock");
      CLEAVE_ASSIGN_OR_RETURN(requirements, Resolve(request));
      const NodeId roots[] = {requirements.root};
      CLEAVE_RETURN_IF_ERROR(session.Begin(roots));
      CLEAVE_ASSIGN_OR_RETURN(requirements, Resolve(request));
      if (requirements.root != roots[0]) {
        return absl::AbortedError("the object changed before it was locked");
      }
    }
    requirements.operation = session.record().id;
    requirements.lock_chunks = [&](std::span<const ChunkPoint> chunks) { return session.LockChunks(chunks); };
    CLEAVE_ASSIGN_OR_RETURN(session.record().read_generation, VoxelGeneration(dataset_));
    CLEAVE_ASSIGN_OR_RETURN(split, PlanSplit(dataset_, requirements, stages));
    return absl::OkStatus();
  });
  if (!planned.ok()) {
    return session.Fail(planned);
  }
  session.record().source_supervoxels = split.source_supervoxels;
  session.record().sink_supervoxels = split.sink_supervoxels;
  session.record().removed_edges = split.removed_edges;
  CLEAVE_ASSIGN_OR_RETURN(EditReport report, Finish(dataset_, session, std::move(split.plan), stages));
  report.supervoxel_components = std::move(split.components);
  return report;
}

absl::StatusOr<EditReport> Editor::PreviewSplit(const SplitRequest& request) {
  EditReport report;
  CLEAVE_ASSIGN_OR_RETURN(const SplitRequirements requirements, Resolve(request));
  CLEAVE_ASSIGN_OR_RETURN(SplitPlan split, PlanSplit(dataset_, requirements, report.stages));
  OperationRecord record;
  record.kind = OperationKind::kSplit;
  record.removed_edges = split.removed_edges;
  const Stages stages = report.stages;
  report = ReportOf(record, split.plan);
  report.stages = stages;
  report.supervoxel_components = std::move(split.components);
  CLEAVE_ASSIGN_OR_RETURN(report.generation, VoxelGeneration(dataset_));
  return report;
}

absl::StatusOr<EditReport> Editor::Merge(const MergeRequest& request) {
  Stages stages;
  CLEAVE_RETURN_IF_ERROR(CheckSides({request.source}, {request.sink}));
  MergeRequirements requirements;
  const auto resolve = [&]() -> absl::Status {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<MarkedPoint> points, LookUp({request.source, request.sink}));
    requirements.source = points[0];
    requirements.sink = points[1];
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> roots, dataset_.Now().Roots(SupervoxelsOf(points)));
    requirements.source_root = roots[0];
    requirements.sink_root = roots[1];
    if (roots[0] == NodeId{} || roots[1] == NodeId{}) {
      return absl::DataLossError("a supervoxel at the points has no root; run `cleave fsck`");
    }
    if (roots[0] == roots[1]) {
      return absl::FailedPreconditionError(
          absl::StrCat("both points lie in object ", Value(roots[0]), "; there is nothing to merge"));
    }
    return absl::OkStatus();
  };
  CLEAVE_RETURN_IF_ERROR(resolve());
  OperationRecord record;
  CLEAVE_ASSIGN_OR_RETURN(record.id, dataset_.ids().NewOperation());
  record.kind = OperationKind::kMerge;
  record.user = request.user;
  record.sources = {request.source};
  record.sinks = {request.sink};
  Session session(dataset_, *options_.clock, std::move(record));
  MergePlan merge;
  absl::Status planned = WithRetries(options_, [&]() -> absl::Status {
    {
      const Stages::Scope scope(stages, "lock");
      CLEAVE_RETURN_IF_ERROR(resolve());
      const NodeId roots[] = {requirements.source_root, requirements.sink_root};
      CLEAVE_RETURN_IF_ERROR(session.Begin(roots));
      CLEAVE_RETURN_IF_ERROR(resolve());
      if (requirements.source_root != roots[0] || requirements.sink_root != roots[1]) {
        return absl::AbortedError("an object changed before it was locked");
      }
    }
    requirements.operation = session.record().id;
    CLEAVE_ASSIGN_OR_RETURN(session.record().read_generation, VoxelGeneration(dataset_));
    CLEAVE_ASSIGN_OR_RETURN(merge, PlanMerge(dataset_, requirements, stages));
    return absl::OkStatus();
  });
  if (!planned.ok()) {
    return session.Fail(planned);
  }
  session.record().source_supervoxels = {requirements.source.supervoxel};
  session.record().sink_supervoxels = {requirements.sink.supervoxel};
  session.record().added_edges = merge.added_edges;
  return Finish(dataset_, session, std::move(merge.plan), stages);
}

}  // namespace cleave::edit
