// Which function answers which request.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "server/access.h"
#include "server/http_message.h"

namespace cleave::server {

struct Service;

// A request and what its path held in place of the pattern's {} and **, in order.
struct Call {
  const Request& request;
  std::vector<std::string> parts;
};

using Handler = absl::StatusOr<Response> (*)(Service& service, const Call& call);

// Components of a pattern: "{graph}" is the name of a dataset and no part of the call, "{}" any one component, "**" (at
// the end) the whole rest, slashes included; anything else is itself.
struct Route {
  std::string method;  // "GET", answered to HEAD too, or "POST"
  std::string pattern;
  Right right = Right::kView;
  Handler handler = nullptr;
};

struct Match {
  const Route* route = nullptr;
  std::optional<size_t> dataset;  // which of the names stands in the path; nullopt: the pattern has none
  std::vector<std::string> parts;
};

// Immutable; safe from several threads.
class Router {
 public:
  // `names` of the datasets, in any order; none twice.
  Router(std::vector<std::string> names, std::vector<Route> routes);

  // NOT_FOUND when no pattern fits, or the dataset is not served here; INVALID_ARGUMENT when only the method does not
  // fit. The first of several that fit.
  [[nodiscard]] absl::StatusOr<Match> Find(const Request& request) const;

  [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<std::string> names_;
  std::vector<Route> routes_;
  std::vector<std::vector<std::string>> patterns_;  // of each route
};

}  // namespace cleave::server
