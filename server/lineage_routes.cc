// Which objects others were made from.
#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "edit/history.h"
#include "graph/lineage.h"
#include "server/service.h"

namespace cleave::server {
namespace {

using graph::NodeId;
using nlohmann::json;

constexpr int64_t kOperationsOfPage = 10'000;

absl::Status TooLong(const RequestLimits& limits) {
  return LimitError("the history has more objects than that", limits.history_roots_max, "history-roots-max",
                    "ask for a shorter time, or for fewer objects");
}

// The whole of a lineage that is read in parts.
absl::StatusOr<graph::Lineage> WholeLineage(Service& service, graph::LineageQuery query) {
  const graph::GraphView view = ViewAt(service, absl::InfiniteFuture());
  graph::Lineage whole;
  absl::flat_hash_set<NodeId> seen;
  absl::flat_hash_set<graph::EdgeEnds> linked;
  while (!query.past_of.empty() || !query.future_of.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(graph::Lineage part, graph::ReadLineage(view, query));
    for (graph::RootRow& root : part.roots) {
      if (seen.insert(root.id).second) {
        whole.roots.push_back(std::move(root));
      }
    }
    for (const graph::EdgeEnds& link : part.links) {
      if (linked.insert(link).second) {
        whole.links.push_back(link);
      }
    }
    if (std::ssize(whole.roots) > service.limits.history_roots_max) {
      return TooLong(service.limits);
    }
    query.past_of = std::move(part.more_past_of);
    query.future_of = std::move(part.more_future_of);
  }
  return whole;
}

json LineageJson(const graph::Lineage& lineage, bool as_text) {
  json nodes = json::array();
  json links = json::array();
  for (const graph::RootRow& root : lineage.roots) {
    json node = {{"id", IdJson(root.id, as_text)}, {"timestamp", SecondsJson(root.created)}};
    // As in the field, the operation that replaced the root, not the one that made it.
    if (root.superseded_by != graph::OperationId{}) {
      node["operation_id"] = IdJson(root.superseded_by, as_text);
    }
    nodes.push_back(std::move(node));
  }
  for (const graph::EdgeEnds& link : lineage.links) {
    links.push_back({{"source", IdJson(link.node1, as_text)}, {"target", IdJson(link.node2, as_text)}});
  }
  return {{"directed", true}, {"multigraph", false}, {"graph", json::object()}, {"nodes", nodes}, {"links", links}};
}

absl::StatusOr<Response> LineageAnswer(Service& service, const Request& request, const std::vector<NodeId>& roots) {
  CLEAVE_ASSIGN_OR_RETURN(const auto past, TimeOf(request, "timestamp_past"));
  CLEAVE_ASSIGN_OR_RETURN(const auto future, TimeOf(request, "timestamp_future"));
  CLEAVE_ASSIGN_OR_RETURN(const graph::Lineage lineage,
                          WholeLineage(service, {.past_of = roots,
                                                 .future_of = roots,
                                                 .not_before = past.value_or(absl::InfinitePast()),
                                                 .not_after = future.value_or(absl::InfiniteFuture()),
                                                 .with_border = true}));
  return JsonResponse(LineageJson(lineage, WantsText(request)));
}

absl::StatusOr<Response> AnswerLineage(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const NodeId root, NodeOf(service, call.parts[0]));
  return LineageAnswer(service, call.request, {root});
}

absl::StatusOr<Response> AnswerLineageOfMany(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> roots, IdsOf(call.request, "root_ids", service.limits));
  return LineageAnswer(service, call.request, roots);
}

absl::StatusOr<Response> AnswerPastIds(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> roots, IdsOf(call.request, "root_ids", service.limits));
  CLEAVE_ASSIGN_OR_RETURN(const auto past, TimeOf(call.request, "timestamp_past"));
  CLEAVE_ASSIGN_OR_RETURN(const auto future, TimeOf(call.request, "timestamp_future"));
  CLEAVE_ASSIGN_OR_RETURN(
      const graph::PastFutureIds ids,
      graph::MapPastFuture(ViewAt(service, absl::InfiniteFuture()), roots, past.value_or(absl::InfinitePast()),
                           future.value_or(absl::InfiniteFuture()), service.limits.history_roots_max));
  if (ids.is_cut) {
    return TooLong(service.limits);
  }
  const bool as_text = WantsText(call.request);
  json body = {{"past_id_map", json::object()}, {"future_id_map", json::object()}};
  for (const auto& [root, list] : ids.past) {
    body["past_id_map"][graph::ToString(root)] = IdsJson(list, as_text);
  }
  for (const auto& [id, latest] : ids.future) {
    body["future_id_map"][graph::ToString(id)] = IdJson(latest, as_text);
  }
  return JsonResponse(body);
}

absl::StatusOr<Response> AnswerDeltaRoots(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const auto past, TimeOf(call.request, "timestamp_past"));
  CLEAVE_ASSIGN_OR_RETURN(const auto future, TimeOf(call.request, "timestamp_future"));
  if (!past.has_value()) {
    return absl::InvalidArgumentError("timestamp_past is needed");
  }
  const edit::LogWindow window{.after = *past, .until = future.value_or(absl::InfiniteFuture())};
  std::vector<NodeId> old_roots;
  std::vector<NodeId> new_roots;
  std::optional<graph::OperationId> from = graph::OperationId{};
  while (from.has_value()) {
    CLEAVE_ASSIGN_OR_RETURN(const edit::DeltaRoots page, edit::ReadDeltaRoots(ViewAt(service, absl::InfiniteFuture()),
                                                                              window, *from, kOperationsOfPage));
    old_roots.insert(old_roots.end(), page.old_roots.begin(), page.old_roots.end());
    new_roots.insert(new_roots.end(), page.new_roots.begin(), page.new_roots.end());
    CLEAVE_RETURN_IF_ERROR(CheckAnswerIds(service.limits, old_roots.size() + new_roots.size()));
    from = page.next;
  }
  std::ranges::sort(old_roots);
  std::ranges::sort(new_roots);
  const bool as_text = WantsText(call.request);
  return JsonResponse({{"old_roots", IdsJson(old_roots, as_text)}, {"new_roots", IdsJson(new_roots, as_text)}});
}

}  // namespace

std::vector<Route> LineageRoutes() {
  const std::string base = kSegmentation;
  return {{"GET", base + "root/{}/lineage_graph", Right::kView, AnswerLineage},
          {"POST", base + "lineage_graph_multiple", Right::kView, AnswerLineageOfMany},
          {"GET", base + "past_id_mapping", Right::kView, AnswerPastIds},
          {"POST", base + "past_id_mapping", Right::kView, AnswerPastIds},
          {"GET", base + "delta_roots", Right::kView, AnswerDeltaRoots}};
}

}  // namespace cleave::server
