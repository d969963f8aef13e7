#include "server/router.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace cleave::server {
namespace {

struct Fit {
  std::vector<std::string> parts;
  std::optional<std::string> name;
};

std::optional<Fit> FitPath(const std::vector<std::string>& pattern, const std::vector<std::string>& path) {
  Fit fit;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == "**") {
      fit.parts.push_back(
          absl::StrJoin(path.begin() + static_cast<std::ptrdiff_t>(std::min(i, path.size())), path.end(), "/"));
      return i <= path.size() ? std::optional(std::move(fit)) : std::nullopt;
    }
    if (i >= path.size()) {
      return std::nullopt;
    }
    if (pattern[i] == "{graph}") {
      fit.name = path[i];
    } else if (pattern[i] == "{}") {
      fit.parts.push_back(path[i]);
    } else if (pattern[i] != path[i]) {
      return std::nullopt;
    }
  }
  return path.size() == pattern.size() ? std::optional(std::move(fit)) : std::nullopt;
}

}  // namespace

Router::Router(std::vector<std::string> names, std::vector<Route> routes)
    : names_(std::move(names)), routes_(std::move(routes)) {
  for (const Route& route : routes_) {
    patterns_.push_back(absl::StrSplit(route.pattern, '/'));
  }
}

absl::StatusOr<Match> Router::Find(const Request& request) const {
  const std::vector<std::string> path = absl::StrSplit(request.path, '/');
  const std::string method = request.method == "HEAD" ? "GET" : request.method;
  std::set<std::string> methods;
  std::optional<std::string> unknown;
  for (size_t i = 0; i < routes_.size(); ++i) {
    std::optional<Fit> fit = FitPath(patterns_[i], path);
    if (!fit.has_value()) {
      continue;
    }
    std::optional<size_t> dataset;
    if (fit->name.has_value()) {
      dataset = static_cast<size_t>(std::ranges::find(names_, *fit->name) - names_.begin());
    }
    if (dataset == names_.size()) {
      unknown = *fit->name;
    } else if (routes_[i].method == method) {
      return Match{&routes_[i], dataset, std::move(fit->parts)};
    } else {
      methods.insert(routes_[i].method);
    }
  }
  if (!methods.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(request.path, " takes ", absl::StrJoin(methods, " and "), ", not ", request.method));
  }
  return absl::NotFoundError(
      unknown.has_value() ? absl::StrCat("there is no graph ", *unknown, " here, only ", absl::StrJoin(names_, ", "))
                          : absl::StrCat("there is nothing at ", request.path));
}

}  // namespace cleave::server
