// What an edit did, as `merge`, `split` and their like tell it.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "nlohmann/json_fwd.hpp"

#include "base/stages.h"
#include "edit/editor.h"

namespace cleave::cli {

// `total`: from the request to the answer.
[[nodiscard]] nlohmann::ordered_json EditJson(const edit::EditReport& report, absl::Duration total);
[[nodiscard]] std::string EditText(const edit::EditReport& report, absl::Duration total);
// An error as members of a report.
[[nodiscard]] nlohmann::ordered_json ErrorJson(const absl::Status& status);
// The stages of a profile; empty, and null, where none was taken.
[[nodiscard]] std::string ProfileText(const Stages& stages);
[[nodiscard]] nlohmann::ordered_json ProfileJson(const Stages& stages);
// One line: "operation 7: split, 1 -> 2, 3".
[[nodiscard]] std::string EditLine(const edit::EditReport& report);

}  // namespace cleave::cli
