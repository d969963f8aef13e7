#include "server/routes.h"

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

#include "base/status.h"
#include "server/service.h"

namespace cleave::server {
namespace {

std::vector<std::string> NamesOf(const std::vector<ServedDataset>& datasets) {
  std::vector<std::string> names;
  names.reserve(datasets.size());
  for (const ServedDataset& served : datasets) {
    names.push_back(served.name);
  }
  return names;
}

}  // namespace

std::vector<Route> AllRoutes(bool open_data) {
  std::vector<Route> routes;
  for (std::vector<Route> family :
       {HealthRoutes(), InfoRoutes(), NodeRoutes(), RootRoutes(), NeighbourRoutes(), LineageRoutes(), ChangeRoutes(),
        OperationRoutes(), EventRoutes(), EditRoutes(), BatchRoutes(), MeshRoutes(), OperatorRoutes(), WebRoutes()}) {
    std::ranges::move(family, std::back_inserter(routes));
  }
  for (std::vector<Route> family : {MeshFileRoutes(), DataRoutes()}) {
    for (Route& route : family) {
      route.right = open_data ? Right::kNone : route.right;
      routes.push_back(std::move(route));
    }
  }
  return routes;
}

Routes::Routes(std::vector<ServedDataset> datasets, RouteOptions options)
    : datasets_(std::move(datasets)),
      options_(std::move(options)),
      login_url_(options_.access.login_url()),
      router_(NamesOf(datasets_), AllRoutes(options_.open_data)) {
  for (const ServedDataset& served : datasets_) {
    kept_.emplace_back(served, options_);
  }
}

Routes::Routes(graph::Dataset& dataset, edit::Editor& editor, RouteOptions options)
    : Routes({{dataset.meta().graph_id, &dataset, &editor}}, std::move(options)) {}

Routes::Permission Routes::Authorize(const Request& request, const Match& match) const {
  const Right needed = match.route->right;
  if (match.dataset.has_value()) {
    return {options_.access.Authorize(request, needed, datasets_[*match.dataset].name), datasets_};
  }
  Permission permission;
  for (const ServedDataset& served : datasets_) {
    Decision decision = options_.access.Authorize(request, needed, served.name);
    const bool is_allowed = decision.status.ok();
    if (permission.visible.empty()) {  // the first that is allowed, else the last refusal
      permission.decision = std::move(decision);
    }
    if (is_allowed) {
      permission.visible.push_back(served);
    }
  }
  return permission;
}

// Libraries that parse and allocate may throw; a request that makes one do so is answered like any other.
absl::StatusOr<Response> Routes::Handle(const Request& request, const Match& match,
                                        const std::vector<ServedDataset>& visible, absl::Time start) {
  const size_t which = match.dataset.value_or(0);
  const bool is_edit = match.route->right >= Right::kEdit;
  const TimedReader rows(datasets_[which].dataset->table(), *options_.clock, start,
                         is_edit ? absl::InfiniteDuration() : options_.limits.read_time_max,
                         is_edit ? ReadInstant::kEachRead : ReadInstant::kFirstRead);
  Service service{datasets_[which].name,
                  *datasets_[which].dataset,
                  *datasets_[which].editor,
                  metrics_,
                  kept_[which].past_volumes,
                  kept_[which].node_meshes,
                  kept_[which].manifests,
                  options_.limits,
                  rows,
                  options_.public_url,
                  options_.web_folder,
                  *options_.clock,
                  datasets_,
                  visible,
                  options_.more_figures,
                  login_url_};
  try {
    return match.route->handler(service, {request, match.parts});
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("an exception: ", error.what()));
  }
}

bool Routes::IsSlow(const Request& request) const {
  if (request.method != "POST") {
    return false;
  }
  const absl::StatusOr<Match> match = router_.Find(request);
  return match.ok() && (match->route->right >= Right::kEdit || absl::EndsWith(match->route->pattern, "split_preview"));
}

Response Routes::Respond(Request& request, const absl::StatusOr<Match>& match, absl::Time start) {
  const auto duration_ms = [&] { return absl::ToDoubleMilliseconds(options_.clock->Now() - start); };
  if (!match.ok()) {
    return ErrorResponse(match.status(), duration_ms());
  }
  const Permission permission = Authorize(request, *match);
  request.user = permission.decision.user;
  if (!permission.decision.status.ok()) {
    return RefusalResponse(permission.decision, match->route->right, duration_ms());
  }
  absl::StatusOr<Response> answer = Handle(request, *match, permission.visible, start);
  return answer.ok() ? *std::move(answer) : ErrorResponse(answer.status(), duration_ms());
}

Response Routes::Answer(Request request) {
  const absl::Time start = options_.clock->Now();
  metrics_.BeginRequest();
  const absl::StatusOr<Match> match = router_.Find(request);
  Response response = Respond(request, match, start);
  const absl::Duration duration = options_.clock->Now() - start;
  const std::string route = match.ok() ? match->route->pattern : "";
  const bool has_dataset = match.ok() && match->dataset.has_value();
  metrics_.EndRequest({.dataset = has_dataset ? datasets_[*match->dataset].name : "",
                       .route = route,
                       .method = match.ok() ? request.method : "",
                       .code = response.code,
                       .duration = duration});
  if (options_.log != nullptr) {
    options_.log->Write({request, response, route, start, duration});
  }
  return response;
}

}  // namespace cleave::server
