// The voxels that belong to a time of the graph.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "edit/voxel_versions.h"
#include "graph/dataset.h"
#include "volume/volume.h"

namespace cleave::server {

// Thread-safe. The dataset must outlive it. Keeps what it found for times that cannot change any more: the first
// question after the start reads the index of events, each later one what is new in it (edit/voxel_versions.h).
class PastVolumes {
 public:
  PastVolumes(graph::Dataset& dataset, Clock& clock) : dataset_(dataset), clock_(clock) {}

  // The segmentation of one instant with the graph at `time` (edit/instant.h); the newest for a time to come.
  // OUT_OF_RANGE before the ingest.
  [[nodiscard]] absl::StatusOr<std::shared_ptr<const volume::Volume>> At(absl::Time time);

 private:
  [[nodiscard]] absl::StatusOr<uint64_t> GenerationAt(absl::Time time);
  [[nodiscard]] absl::StatusOr<uint64_t> BaseGeneration();

  graph::Dataset& dataset_;
  Clock& clock_;
  std::mutex mutex_;
  edit::VoxelVersions versions_;
  std::list<std::pair<uint64_t, std::shared_ptr<const volume::Volume>>> volumes_;  // the last used first
  std::optional<uint64_t> base_generation_;
};

}  // namespace cleave::server
