// Supervoxel voxels on their way into the base.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "base/array.h"
#include "base/geometry.h"
#include "graph/dataset.h"
#include "ingest/step_clock.h"

namespace cleave::ingest {

// Encodes boxes of whole storage chunks and writes them in bulk; nothing can be read back before Finish. Write may be
// called from several threads.
class VoxelWriter {
 public:
  // `dataset` must outlive the writer, and its base be unsealed.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<VoxelWriter>> Create(graph::Dataset& dataset);
  ~VoxelWriter();

  // Writes `ids` to `box`, which must consist of whole storage chunks. Each of them may be written once.
  [[nodiscard]] absl::Status Write(const Box& box, ArrayView3<const uint64_t> ids, StepClock& clock);
  // Ends the writing: everything is durable and can be read.
  [[nodiscard]] absl::Status Finish();

 private:
  struct State;
  explicit VoxelWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cleave::ingest
