// JSON from strangers.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace cleave::server {

// INVALID_ARGUMENT, beginning with `what`, for what is not JSON, and before anything is built for what is nested deeper
// than any message that this server reads: printing or destroying a deep value takes stack.
[[nodiscard]] absl::StatusOr<nlohmann::json> ParseShallowJson(absl::string_view text, absl::string_view what);

}  // namespace cleave::server
