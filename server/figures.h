// Figures of what is served, read when /metrics is asked for (metrics.h lists them).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "server/metrics.h"
#include "server/served_dataset.h"

namespace cleave::server {

// Of all datasets, and of the caches of the process. Reads a few small rows of each dataset, and one for each event
// that waits. `now`: by the clock of the edits.
[[nodiscard]] absl::StatusOr<std::vector<Figure>> ReadFigures(std::span<const ServedDataset> datasets, absl::Time now);

}  // namespace cleave::server
