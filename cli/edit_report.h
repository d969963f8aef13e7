// What an edit did, as `merge` and `split` tell it.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "nlohmann/json_fwd.hpp"

#include "edit/editor.h"

namespace cleave::cli {

// `total`: from the request to the answer.
[[nodiscard]] nlohmann::ordered_json EditJson(const edit::EditReport& report, absl::Duration total);
[[nodiscard]] std::string EditText(const edit::EditReport& report, absl::Duration total);

}  // namespace cleave::cli
