// Edits. The user who asks stands in the operation log.
#include <utility>

#include "base/status.h"
#include "server/edit_calls.h"
#include "server/service.h"

namespace cleave::server {
namespace {

using nlohmann::json;

absl::StatusOr<Response> EditAnswer(Service& service, const Call& call, const std::string& kind,
                                    const absl::StatusOr<edit::EditReport>& report) {
  service.metrics.CountEdit(service.name, kind, OutcomeOf(report.status()));
  CLEAVE_RETURN_IF_ERROR(report.status());
  service.metrics.ObserveEdit(service.name, kind, report->stages);
  return JsonResponse(EditJson(*report, WantsText(call.request)));
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

absl::StatusOr<Response> AnswerUndo(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const edit::UndoRequest inverse, UndoOf(call.request));
  return EditAnswer(service, call, "undo", service.editor.Undo(inverse));
}

absl::StatusOr<Response> AnswerRedo(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const edit::RedoRequest inverse, RedoOf(call.request));
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
  rollback.terms = EditTermsOf(request);
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
