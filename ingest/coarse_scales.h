// The coarser scales of a new project.
#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "ingest/atomic_layer.h"
#include "volume/pyramid_blocks.h"
#include "volume/volume.h"

namespace cleave::ingest {

// Makes all coarser scales of the voxels that the base has (of an overlay: that its original has), in parallel, tier by
// tier (volume/pyramid_blocks.h), each in one commit of the base, and says in the table that they are kept from now on.
// Safe to be stopped and run again; nothing when it was done before. REQUIRES: the base is unsealed.
[[nodiscard]] absl::Status FillCoarserScales(const Workplace& workplace);

// Calls `put` with key and value of every chunk of the part, which consists of whole ones; not for chunks that have no
// key. The first error ends it.
[[nodiscard]] absl::Status PutChunks(const volume::Volume& volume, const volume::ScalePart& part,
                                     absl::FunctionRef<absl::Status(absl::string_view, absl::string_view)> put);

}  // namespace cleave::ingest
