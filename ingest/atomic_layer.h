// The atomic layer of a project: supervoxels, edges and L2 nodes of every chunk.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"

#include "base/geometry.h"
#include "base/progress.h"
#include "graph/dataset.h"
#include "ingest/label_map.h"
#include "ingest/step_clock.h"
#include "volume/label_source.h"

namespace cleave::ingest {

// What the stages of an ingest work on.
struct Workplace {
  graph::Dataset& dataset;  // unsealed
  int threads;
  StepClock& clock;
  Progress& progress;
};

struct AtomicLayerInput {
  const volume::LabelSource& source;  // of the extent of the dataset's volume
  const LabelMap& label_map;
  const LabelMap& pieces;  // of an overlay: GivenSupervoxels::pieces
};

struct AtomicLayerCounts {
  int64_t supervoxels = 0;
  int64_t edges_inside = 0;
  int64_t edges_between = 0;  // each counted once though stored on both sides
  int64_t edges_cross = 0;    // likewise
  int64_t l2_nodes = 0;
};

// Writes voxels, edge files and rows of layers 1 and 2, in parallel over chunks. Of an overlay the voxels are read and
// checked only: INVALID_ARGUMENT as TakeSupervoxels.
[[nodiscard]] absl::StatusOr<AtomicLayerCounts> MakeAtomicLayer(const Workplace& workplace,
                                                                const AtomicLayerInput& input);

}  // namespace cleave::ingest
