// What an ingest made, as `init` and `ingest` say it.
#pragma once

#include <string>

#include "cli/json_text.h"

#include "ingest/ingest.h"

namespace cleave::cli {

[[nodiscard]] Json IngestReportJson(const std::string& project, const ingest::IngestReport& report);
[[nodiscard]] std::string IngestReportText(const std::string& project, const ingest::IngestReport& report);

}  // namespace cleave::cli
