// Goal: no target of a request, however it is escaped, makes the router crash, find a dataset that is not served, or
// give a handler parts with a slash where the pattern has one component. Method: the first line is the method, the rest
// the target; patterns of each kind, among them those that overlap.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"

#include "server/router.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cleave::server;
  static const Router router({"a", "b.c"}, {{"GET", "/", Right::kNone, nullptr},
                                            {"GET", "/x/{graph}/{}/y", Right::kView, nullptr},
                                            {"POST", "/x/{graph}/{}/y", Right::kEdit, nullptr},
                                            {"GET", "/x/{graph}/**", Right::kView, nullptr},
                                            {"GET", "/x/a/**", Right::kView, nullptr},
                                            {"GET", "/{}/{}", Right::kAdmin, nullptr},
                                            {"GET", "/w/**", Right::kNone, nullptr}});
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::vector<std::string> lines = absl::StrSplit(text, absl::MaxSplits('\n', 1));
  Request request{.method = lines[0], .path = ""};
  SetTarget(request, lines.size() > 1 ? lines[1] : "");
  const absl::StatusOr<Match> match = router.Find(request);
  if (!match.ok()) {
    return 0;
  }
  const std::vector<std::string> pattern = absl::StrSplit(match->route->pattern, '/');
  const auto wild = std::ranges::count_if(pattern, [](const std::string& c) { return c == "{}" || c == "**"; });
  const bool has_graph = absl::StrContains(match->route->pattern, "{graph}");
  bool is_right = static_cast<std::ptrdiff_t>(match->parts.size()) == wild && has_graph == match->dataset.has_value() &&
                  match->dataset.value_or(0) < 2;
  for (size_t i = 0; i < match->parts.size(); ++i) {
    const bool is_rest = pattern.back() == "**" && i + 1 == match->parts.size();
    is_right = is_right && (is_rest || !absl::StrContains(match->parts[i], "/"));
  }
  if (!is_right) {
    std::abort();
  }
  return 0;
}
