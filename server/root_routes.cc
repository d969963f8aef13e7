// When objects came and went.
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "edit/history.h"
#include "graph/node_times.h"
#include "server/service.h"

namespace cleave::server {
namespace {

using graph::NodeId;
using nlohmann::json;

absl::StatusOr<Response> AnswerIsLatest(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> ids, IdsOf(call.request, "node_ids", service.limits));
  CLEAVE_ASSIGN_OR_RETURN(const graph::GraphView view, ViewOf(service, call.request));
  CLEAVE_ASSIGN_OR_RETURN(const auto lives, graph::RootLives(view, ids));
  json latest = json::array();
  for (const graph::RootLife& life : lives) {
    latest.push_back(life.is_latest());
  }
  return JsonResponse({{"is_latest", latest}});
}

// With ?latest, the last moment at which each was a root: when its successors came, or the time asked about.
absl::StatusOr<std::vector<std::optional<absl::Time>>> TimesOf(Service& service, const Request& request,
                                                               const std::vector<NodeId>& ids) {
  CLEAVE_ASSIGN_OR_RETURN(const graph::GraphView view, ViewOf(service, request));
  if (!FlagOf(request, "latest", false)) {
    return graph::CreationTimes(view, ids);
  }
  const absl::Time asked = view.at() == absl::InfiniteFuture() ? service.clock.Now() : view.at();
  CLEAVE_ASSIGN_OR_RETURN(const auto lives, graph::RootLives(view, ids));
  std::vector<std::optional<absl::Time>> times;
  times.reserve(lives.size());
  for (const graph::RootLife& life : lives) {
    times.push_back(life.created.has_value() ? std::optional(life.superseded.value_or(asked)) : std::nullopt);
  }
  return times;
}

absl::StatusOr<Response> AnswerRootTimes(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> ids, IdsOf(call.request, "node_ids", service.limits));
  CLEAVE_ASSIGN_OR_RETURN(const auto times, TimesOf(service, call.request, ids));
  json seconds = json::array();
  for (size_t i = 0; i < times.size(); ++i) {
    if (!times[i].has_value()) {
      return absl::NotFoundError(absl::StrCat("there is no node ", Value(ids[i]), " at this time"));
    }
    seconds.push_back(SecondsJson(*times[i]));
  }
  return JsonResponse({{"timestamp", seconds}});
}

absl::StatusOr<Response> AnswerValidNodes(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> ids, IdsOf(call.request, "node_ids", service.limits));
  CLEAVE_ASSIGN_OR_RETURN(const auto begin, TimeOf(call.request, "start_timestamp"));
  CLEAVE_ASSIGN_OR_RETURN(const auto end, TimeOf(call.request, "end_timestamp"));
  CLEAVE_ASSIGN_OR_RETURN(
      const std::vector<NodeId> valid,
      graph::NodesWrittenIn(ViewAt(service, absl::InfiniteFuture()), ids, begin.value_or(absl::UnixEpoch()),
                            end.value_or(absl::InfiniteFuture())));
  return JsonResponse({{"valid_roots", IdsJson(valid, WantsText(call.request))}});
}

absl::string_view DelimiterOf(const Request& request) {
  const std::string* text = QueryOf(request, "delimiter");
  return text == nullptr ? absl::string_view(" ") : absl::string_view(*text);
}

absl::StatusOr<Response> AnswerOldest(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const absl::Time time, edit::OldestTime(service.rows, service.dataset.meta().ingested));
  return JsonResponse({{"iso", IsoText(time, DelimiterOf(call.request))}});
}

absl::StatusOr<Response> AnswerLastEdit(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const NodeId root, NodeOf(service, call.parts[0]));
  CLEAVE_ASSIGN_OR_RETURN(const absl::Time time, edit::LastEditOf(ViewAt(service, absl::InfiniteFuture()), root));
  return JsonResponse({{"iso", IsoText(time, DelimiterOf(call.request))}});
}

}  // namespace

std::vector<Route> RootRoutes() {
  const std::string base = kSegmentation;
  return {{"POST", base + "is_latest_roots", Right::kView, AnswerIsLatest},
          {"POST", base + "root_timestamps", Right::kView, AnswerRootTimes},
          {"GET", base + "valid_nodes", Right::kView, AnswerValidNodes},
          {"POST", base + "valid_nodes", Right::kView, AnswerValidNodes},
          {"GET", base + "oldest_timestamp", Right::kView, AnswerOldest},
          {"GET", base + "root/{}/last_edit", Right::kView, AnswerLastEdit}};
}

}  // namespace cleave::server
