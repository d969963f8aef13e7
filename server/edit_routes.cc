// Edits. The user who asks stands in the operation log.
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "server/marked_points.h"
#include "server/service.h"

namespace cleave::server {
namespace {

using nlohmann::json;

// A client that names its request can send it again without its being done twice.
edit::EditTerms TermsOf(const Request& request) {
  edit::EditTerms terms;
  terms.key = std::string(HeaderOf(request, "idempotency-key"));
  return terms;
}

// "done", "refused" (nothing was wrong with us) or "failed".
std::string OutcomeOf(const absl::Status& status) {
  if (status.ok()) {
    return "done";
  }
  const bool is_fault = absl::IsInternal(status) || absl::IsDataLoss(status) || absl::IsUnknown(status);
  return is_fault ? "failed" : "refused";
}

absl::StatusOr<Response> EditAnswer(Service& service, const Call& call, const std::string& kind,
                                    const absl::StatusOr<edit::EditReport>& report) {
  service.metrics.CountEdit(service.name, kind, OutcomeOf(report.status()));
  CLEAVE_RETURN_IF_ERROR(report.status());
  service.metrics.ObserveEdit(service.name, kind, report->stages);
  const bool as_text = WantsText(call.request);
  return JsonResponse(
      {{"operation_id", IdJson(report->operation, as_text)}, {"new_root_ids", IdsJson(report->new_roots, as_text)}});
}

absl::StatusOr<edit::MergeRequest> MergeOf(Service& service, const Request& request) {
  CLEAVE_ASSIGN_OR_RETURN(const MarkedSides sides,
                          TwoPointsOf(request, service.dataset.meta().voxel_size_nm, service.limits));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<VoxelPoint> voxels,
                          VoxelsAt(service, absl::InfiniteFuture(), {sides.sources[0], sides.sinks[0]}));
  edit::MergeRequest merge{.source = voxels[0], .sink = voxels[1], .user = request.user};
  merge.terms = TermsOf(request);
  CLEAVE_ASSIGN_OR_RETURN(merge.chebyshev_distance_max_chunks, ChebyshevDistanceOf(request));
  return merge;
}

absl::StatusOr<Response> AnswerMerge(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const edit::MergeRequest merge, MergeOf(service, call.request));
  return EditAnswer(service, call, "merge", service.editor.Merge(merge));
}

absl::StatusOr<Response> AnswerMergeAdmin(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(edit::MergeRequest merge, MergeOf(service, call.request));
  merge.allow_same_segment_merge = FlagOf(call.request, "allow_same_segment_merge", false);
  if (QueryOf(call.request, "chebyshev_distance") == nullptr) {
    merge.chebyshev_distance_max_chunks = std::nullopt;
  }
  return EditAnswer(service, call, "merge", service.editor.Merge(merge));
}

absl::StatusOr<edit::SplitRequest> SplitOf(Service& service, const Request& request) {
  if (!FlagOf(request, "mincut", true)) {
    return absl::InvalidArgumentError("a split without a minimum cut (mincut=false) is not offered");
  }
  CLEAVE_ASSIGN_OR_RETURN(const MarkedSides sides,
                          SplitPointsOf(request, service.dataset.meta().voxel_size_nm, service.limits));
  edit::SplitRequest split{.user = request.user};
  CLEAVE_ASSIGN_OR_RETURN(split.sources, VoxelsAt(service, absl::InfiniteFuture(), sides.sources));
  CLEAVE_ASSIGN_OR_RETURN(split.sinks, VoxelsAt(service, absl::InfiniteFuture(), sides.sinks));
  for (const std::vector<MarkedPoint>& side : sides.more) {
    CLEAVE_ASSIGN_OR_RETURN(std::vector<VoxelPoint> voxels, VoxelsAt(service, absl::InfiniteFuture(), side));
    split.more_sides.push_back(std::move(voxels));
  }
  split.terms = TermsOf(request);
  return split;
}

absl::StatusOr<Response> AnswerSplit(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const edit::SplitRequest split, SplitOf(service, call.request));
  return EditAnswer(service, call, "split", service.editor.Split(split));
}

// A cut that the present state refuses is an answer, with two empty sides where clients look for them.
absl::StatusOr<Response> AnswerPreview(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const edit::SplitRequest split, SplitOf(service, call.request));
  const absl::StatusOr<edit::EditReport> report = service.editor.Preview(split);
  if (absl::IsFailedPrecondition(report.status())) {
    return JsonResponse({{"supervoxel_connected_components", {json::array(), json::array()}},
                         {"illegal_split", true},
                         {"reason", std::string(report.status().message())}});
  }
  CLEAVE_RETURN_IF_ERROR(report.status());
  size_t id_count = 0;
  for (const std::vector<graph::NodeId>& component : report->supervoxel_components) {
    id_count += component.size();
  }
  CLEAVE_RETURN_IF_ERROR(CheckAnswerIds(service.limits, id_count));
  json components = json::array();
  for (const std::vector<graph::NodeId>& component : report->supervoxel_components) {
    components.push_back(IdsJson(component, WantsText(call.request)));
  }
  return JsonResponse({{"supervoxel_connected_components", components},
                       {"illegal_split", false},
                       {"preview_token", report->preview_token}});
}

// Exactly what a preview showed.
absl::StatusOr<Response> AnswerCommitPreview(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string token, PreviewTokenOf(call.request));
  return EditAnswer(service, call, "split", service.editor.CommitPreview(token, call.request.user));
}

absl::StatusOr<edit::InverseRequest> InverseOf(const Request& request) {
  edit::InverseRequest inverse;
  CLEAVE_ASSIGN_OR_RETURN(inverse.operation, OperationOf(request));
  inverse.user = request.user;
  inverse.terms = TermsOf(request);
  return inverse;
}

absl::StatusOr<Response> AnswerUndo(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(edit::InverseRequest inverse, InverseOf(call.request));
  CLEAVE_ASSIGN_OR_RETURN(inverse.voxels, VoxelsWished(call.request));
  return EditAnswer(service, call, "undo", service.editor.Undo(inverse));
}

absl::StatusOr<Response> AnswerRedo(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const edit::InverseRequest inverse, InverseOf(call.request));
  return EditAnswer(service, call, "redo", service.editor.Redo(inverse));
}

absl::StatusOr<edit::RollbackRequest> RollbackOf(Service& service, const Request& request) {
  const std::string* user = QueryOf(request, "user_id");
  if (user == nullptr || user->empty()) {
    return absl::InvalidArgumentError("user_id is needed");
  }
  if (QueryOf(request, "end_time") != nullptr) {
    return absl::InvalidArgumentError("end_time is not offered: what came later may stand on what would be undone");
  }
  edit::RollbackRequest rollback{.user = *user, .as_user = request.user};
  CLEAVE_ASSIGN_OR_RETURN(const auto since, TimeOf(request, "start_time"));
  rollback.since = since.value_or(absl::InfinitePast());
  CLEAVE_ASSIGN_OR_RETURN(rollback.skip, OperationsOf(request, "skip_operation_ids", service.limits));
  rollback.terms = TermsOf(request);
  return rollback;
}

// The undos that were done, and why others were not.
absl::StatusOr<Response> AnswerRollback(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const edit::RollbackRequest rollback, RollbackOf(service, call.request));
  CLEAVE_ASSIGN_OR_RETURN(const auto items, service.editor.RollbackUser(rollback));
  json body = {{"operation_id", json::array()}, {"timestamp", json::array()}, {"failed", json::object()}};
  for (const edit::RollbackItem& item : items) {
    service.metrics.CountEdit(service.name, "undo", OutcomeOf(item.status));
    if (item.status.ok()) {
      service.metrics.ObserveEdit(service.name, "undo", item.edit.stages);
      body["operation_id"].push_back(IdJson(item.edit.operation, WantsText(call.request)));
      body["timestamp"].push_back(SecondsJson(item.edit.time));
    } else {
      body["failed"][graph::ToString(item.operation)] = std::string(item.status.message());
    }
  }
  return JsonResponse(body);
}

}  // namespace

std::vector<Route> EditRoutes() {
  const std::string base = kSegmentation;
  return {{"POST", base + "merge", Right::kEdit, AnswerMerge},
          {"POST", base + "split", Right::kEdit, AnswerSplit},
          {"POST", base + "graph/split_preview", Right::kView, AnswerPreview},
          {"POST", base + "graph/commit_preview", Right::kEdit, AnswerCommitPreview},
          {"POST", base + "undo", Right::kEdit, AnswerUndo},
          {"POST", base + "redo", Right::kEdit, AnswerRedo},
          {"POST", base + "merge_admin", Right::kAdmin, AnswerMergeAdmin},
          {"POST", base + "rollback_user", Right::kAdmin, AnswerRollback}};
}

}  // namespace cleave::server
