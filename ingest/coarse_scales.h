// The coarser scales of a new project.
#pragma once

#include "absl/status/status.h"

#include "ingest/atomic_layer.h"

namespace cleave::ingest {

// Makes all coarser scales of the voxels that the base has (of an overlay: that its original has), in parallel, tier by
// tier (volume/pyramid_blocks.h), each in one commit of the base, and says in the table that they are kept from now on.
// Safe to be stopped and run again; nothing when it was done before. REQUIRES: the base is unsealed.
[[nodiscard]] absl::Status FillCoarserScales(const Workplace& workplace);

}  // namespace cleave::ingest
