// The layers of parents over a whole project.
#pragma once

#include <cstdint>
#include <limits>

#include "absl/status/statusor.h"

#include "ingest/atomic_layer.h"
#include "ingest/ingest_state.h"

namespace cleave::ingest {

// Whether an ingest can go on after it was stopped.
enum class Resumable {
  kNo,   // rows go to the table in bulk; the state stays in memory
  kYes,  // the state is stored with each batch of rows, and no batch can be lost while a later one is kept
};

enum class LastLayer : int {};
inline constexpr LastLayer kTopLayer{std::numeric_limits<int>::max()};

// Makes all layers of parents from `state.layer` to `last_layer`, beginning with its chunk `state.next_chunk`, and
// moves `state` on. Chunks are planned in parallel, batch by batch, and ids given out in the order of chunks; so the
// ids depend neither on the threads' pace, nor on where an earlier run was stopped. REQUIRES: the layers below are
// whole.
[[nodiscard]] absl::Status MakeParentLayers(const Workplace& workplace, Resumable resumable, IngestState& state,
                                            LastLayer last_layer = kTopLayer);

}  // namespace cleave::ingest
