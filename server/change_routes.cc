// The edits that made an object what it is.
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "edit/history.h"
#include "server/column_json.h"
#include "server/service.h"

namespace cleave::server {
namespace {

using graph::NodeId;
using nlohmann::json;

// The whole of a log that is read in parts. An operation at the border of two parts is in both.
absl::StatusOr<edit::ChangeLog> WholeChangeLog(Service& service, edit::ChangeQuery query) {
  edit::ChangeLog whole;
  std::map<graph::OperationId, edit::ObjectChange> changes;
  do {
    CLEAVE_ASSIGN_OR_RETURN(edit::ChangeLog part, edit::ReadChangeLog(ViewAt(service, absl::InfiniteFuture()),
                                                                      service.dataset.meta().ingested, query));
    for (edit::ObjectChange& change : part.changes) {
      changes.emplace(change.operation.id, std::move(change));
    }
    whole.past_roots.insert(whole.past_roots.end(), part.past_roots.begin(), part.past_roots.end());
    if (std::ssize(whole.past_roots) > service.limits.history_roots_max) {
      return LimitError(absl::StrCat("the object has ", whole.past_roots.size(), " former objects, or more"),
                        service.limits.history_roots_max, "history-roots-max", "ask with a later timestamp");
    }
    query.continue_from = std::move(part.continue_from);
  } while (!query.continue_from.empty());
  for (auto& [id, change] : changes) {
    whole.changes.push_back(std::move(change));
  }
  return whole;
}

absl::StatusOr<edit::ChangeLog> ChangesOf(Service& service, const Request& request, NodeId root, bool filtered) {
  CLEAVE_ASSIGN_OR_RETURN(const auto since, TimeOf(request, "timestamp"));
  return WholeChangeLog(service,
                        {.root = root, .not_before = since.value_or(absl::InfinitePast()), .filtered = filtered});
}

json CountJson(const edit::ChangeCount& count) { return {{"n_splits", count.splits}, {"n_mergers", count.merges}}; }

absl::StatusOr<Response> AnswerChangeLog(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const NodeId root, NodeOf(service, call.parts[0]));
  CLEAVE_ASSIGN_OR_RETURN(const edit::ChangeLog log,
                          ChangesOf(service, call.request, root, FlagOf(call.request, "filtered", false)));
  const edit::ChangeSummary summary = edit::Summarize(log);
  json body = CountJson(summary.all);
  body["user_info"] = json::object();
  for (const auto& [user, count] : summary.by_user) {
    body["user_info"][user] = CountJson(count);
  }
  body["operations_ids"] = json::array();
  for (const graph::OperationId id : summary.operations) {
    body["operations_ids"].push_back(IdJson(id, WantsText(call.request)));
  }
  body["past_ids"] = IdsJson(log.past_roots, WantsText(call.request));
  return JsonResponse(body);
}

json PairsJson(const std::vector<graph::EdgeEnds>& edges, bool as_text) {
  json list = json::array();
  for (const graph::EdgeEnds& edge : edges) {
    list.push_back({IdJson(edge.node1, as_text), IdJson(edge.node2, as_text)});
  }
  return list;
}

absl::StatusOr<Response> AnswerMergeLog(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const NodeId root, NodeOf(service, call.parts[0]));
  CLEAVE_ASSIGN_OR_RETURN(const edit::ChangeLog log, ChangesOf(service, call.request, root, false));
  json edges = json::array();
  json places = json::array();
  for (const edit::MergeEntry& merge : edit::MergesOf(log)) {
    edges.push_back(PairsJson(merge.edges, WantsText(call.request)));
    places.push_back({VoxelsJson(merge.sources), VoxelsJson(merge.sinks)});
  }
  return JsonResponse({{"merge_edges", edges}, {"merge_edge_coords", places}});
}

// Users are names here; the field keeps a number of its own accounts, and looks the name up.
json ChangeTable(const edit::ChangeLog& log, bool as_text) {
  ColumnJson columns({"operation_id", "timestamp", "user_id", "before_root_ids", "after_root_ids", "is_merge",
                      "in_neuron", "is_relevant", "user_name", "user_affiliation"});
  for (const edit::ObjectChange& change : log.changes) {
    const edit::OperationRecord& operation = change.operation;
    columns.AddRow({IdJson(operation.id, as_text), absl::ToUnixMillis(operation.time), operation.user,
                    IdsJson(change.before_roots, as_text), IdsJson(change.after_roots, as_text), change.is_merge,
                    change.in_neuron, change.is_relevant, operation.user, ""});
  }
  return std::move(columns).Take();
}

absl::StatusOr<Response> AnswerChangeTable(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const NodeId root, NodeOf(service, call.parts[0]));
  CLEAVE_ASSIGN_OR_RETURN(const edit::ChangeLog log,
                          ChangesOf(service, call.request, root, FlagOf(call.request, "filtered", true)));
  return JsonResponse(ChangeTable(log, WantsText(call.request)));
}

// Each value is a text that itself is JSON: so CAVEclient reads it.
absl::StatusOr<Response> AnswerChangeTables(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> roots, IdsOf(call.request, "root_ids", service.limits));
  json body = json::object();
  for (const NodeId root : roots) {
    CLEAVE_RETURN_IF_ERROR(service.dataset.layout().Validate(root));
    CLEAVE_ASSIGN_OR_RETURN(const edit::ChangeLog log,
                            ChangesOf(service, call.request, root, FlagOf(call.request, "filtered", true)));
    body[graph::ToString(root)] = ChangeTable(log, WantsText(call.request)).dump();
  }
  return JsonResponse(body);
}

}  // namespace

std::vector<Route> ChangeRoutes() {
  const std::string base = kSegmentation;
  return {{"GET", base + "root/{}/change_log", Right::kView, AnswerChangeLog},
          {"GET", base + "root/{}/merge_log", Right::kView, AnswerMergeLog},
          {"GET", base + "root/{}/tabular_change_log", Right::kView, AnswerChangeTable},
          {"GET", base + "tabular_change_log_many", Right::kView, AnswerChangeTables},
          {"POST", base + "tabular_change_log_many", Right::kView, AnswerChangeTables}};
}

}  // namespace cleave::server
