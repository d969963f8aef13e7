// What the commands `cleave stuck` say about operations, as JSON and as text.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cli/json_text.h"

#include "edit/stuck.h"
#include "graph/ids.h"

namespace cleave::cli {

// `now`: what ages are counted to.
[[nodiscard]] Json StuckJson(const edit::StuckOperation& operation, absl::Time now);
[[nodiscard]] std::string StuckLine(const edit::StuckOperation& operation, absl::Time now);

[[nodiscard]] Json StuckJson(const edit::StuckDetails& details, const graph::IdLayout& layout, absl::Time now);
[[nodiscard]] std::string StuckPage(const edit::StuckDetails& details, const graph::IdLayout& layout, absl::Time now);

}  // namespace cleave::cli
