#include "server/shallow_json.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace cleave::server {
namespace {

constexpr int kDepthMax = 8;

// How deep brackets are nested, those in strings not counted.
int DepthOf(absl::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      i += c == '\\' ? 1 : 0;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return deepest;
}

}  // namespace

absl::StatusOr<nlohmann::json> ParseShallowJson(absl::string_view text, absl::string_view what) {
  if (DepthOf(text) > kDepthMax) {
    return absl::InvalidArgumentError(absl::StrCat(what, " is nested too deep"));
  }
  nlohmann::json value = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
  if (value.is_discarded()) {
    return absl::InvalidArgumentError(absl::StrCat(what, " is not JSON"));
  }
  return value;
}

}  // namespace cleave::server
