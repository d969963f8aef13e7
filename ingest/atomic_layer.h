// The atomic layer of a project: supervoxels, edges and L2 nodes of every chunk.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"

#include "base/geometry.h"
#include "base/progress.h"
#include "graph/dataset.h"
#include "ingest/label_map.h"
#include "ingest/node_rows.h"
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

// Labels become the input that rows are made of (AtomicChunk): writes voxels, edge files and rows of layers 1 and 2, in
// parallel over chunks. Of an overlay the voxels are read and checked only: INVALID_ARGUMENT as TakeSupervoxels.
[[nodiscard]] absl::StatusOr<AtomicLayerCounts> MakeAtomicLayer(const Workplace& workplace,
                                                                const AtomicLayerInput& input);

}  // namespace cleave::ingest
