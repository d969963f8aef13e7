// The end that every ingest has: sealing, and the report.
#pragma once

#include "absl/status/status.h"

#include "ingest/atomic_layer.h"
#include "ingest/ingest.h"

namespace cleave::ingest {

// Makes the coarser scales, makes everything durable and ends the ingest: the project can be opened from now on.
[[nodiscard]] absl::Status SealProject(const Workplace& workplace);

// All but the roots and the time.
[[nodiscard]] IngestReport MakeReport(const Workplace& workplace, const AtomicLayerCounts& counts);

}  // namespace cleave::ingest
