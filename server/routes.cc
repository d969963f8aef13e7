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

std::vector<Route> AllRoutes(bool open_data) {
  std::vector<Route> routes;
  for (std::vector<Route> family :
       {HealthRoutes(), InfoRoutes(), NodeRoutes(), RootRoutes(), NeighbourRoutes(), LineageRoutes(), ChangeRoutes(),
        OperationRoutes(), EventRoutes(), EditRoutes(), MeshRoutes(), OperatorRoutes(), WebRoutes()}) {
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

}  // namespace

Routes::Routes(graph::Dataset& dataset, edit::Editor& editor, RouteOptions options)
    : dataset_(dataset),
      editor_(editor),
      options_(std::move(options)),
      router_(dataset.meta().graph_id, AllRoutes(options_.open_data)),
      past_volumes_(dataset, *options_.clock),
      node_meshes_(dataset, past_volumes_) {}

// Libraries that parse and allocate may throw; a request that makes one do so is answered like any other.
absl::StatusOr<Response> Routes::Handle(Request& request, const Match& match) {
  CLEAVE_ASSIGN_OR_RETURN(request.user, options_.access.Authorize(request, match.route->right));
  Service service{dataset_,
                  editor_,
                  metrics_,
                  past_volumes_,
                  node_meshes_,
                  options_.limits,
                  options_.public_url,
                  options_.web_folder,
                  *options_.clock};
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

Response Routes::Answer(Request request) {
  const absl::Time start = options_.clock->Now();
  metrics_.BeginRequest();
  const absl::StatusOr<Match> match = router_.Find(request);
  absl::StatusOr<Response> answer = match.ok() ? Handle(request, *match) : match.status();
  const absl::Duration duration = options_.clock->Now() - start;
  Response response =
      answer.ok() ? *std::move(answer) : ErrorResponse(answer.status(), absl::ToDoubleMilliseconds(duration));
  const std::string route = match.ok() ? match->route->pattern : "";
  metrics_.EndRequest(route, match.ok() ? request.method : "", response.code, duration);
  if (options_.log != nullptr) {
    options_.log->Write({request, response, route, start, duration});
  }
  return response;
}

}  // namespace cleave::server
