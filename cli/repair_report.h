// What fsck found and what a repair would do, or did, as JSON and as text.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "cli/json_text.h"

#include "edit/fsck.h"
#include "edit/repair.h"

namespace cleave::cli {

[[nodiscard]] Json FindingsJson(const edit::FsckReport& report);
[[nodiscard]] Json FsckJson(const edit::FsckReport& report, absl::Duration total);
[[nodiscard]] std::string FsckText(const edit::FsckReport& report, absl::Duration total);

// Every cell and chunk with what stands there and what would; then what is left.
[[nodiscard]] Json MendsJson(const std::vector<edit::Mend>& mends);
[[nodiscard]] std::string MendsText(const std::vector<edit::Mend>& mends);
[[nodiscard]] Json PlanJson(const edit::RepairPlan& plan);
[[nodiscard]] std::string PlanText(const edit::RepairPlan& plan);

}  // namespace cleave::cli
