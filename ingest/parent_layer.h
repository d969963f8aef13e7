// One layer of parents over a whole project.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"

#include "ingest/atomic_layer.h"

namespace cleave::ingest {

// Gives every node of layer `layer` - 1 its parent and returns how many of the new nodes are roots. The layer below
// must be whole. Chunks are planned in parallel, batch by batch, and ids given out in the order of chunks; so the ids
// do not depend on the threads' pace.
[[nodiscard]] absl::StatusOr<int64_t> MakeParentLayer(const Workplace& workplace, int layer);

}  // namespace cleave::ingest
