// The parts of fsck: what they share, and one function for each thing that is looked through.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "base/progress.h"
#include "edit/fsck.h"
#include "edit/fsck_history.h"
#include "edit/operation_log.h"
#include "graph/dataset.h"
#include "volume/volume.h"

namespace cleave::edit {

// Collects what is found. Thread-safe.
class FsckFindings {
 public:
  explicit FsckFindings(int64_t findings_max) : findings_max_(findings_max) {}

  void Count(int invariant, int64_t checked);
  void Add(FsckFinding finding);
  // Findings in a fixed order, whatever order threads came in.
  [[nodiscard]] FsckReport Take();

 private:
  const int64_t findings_max_;
  std::mutex mutex_;
  FsckReport report_;
};

// One run of fsck. Thread-safe, but for Prepare, which comes first.
class FsckRun {
 public:
  FsckRun(graph::Dataset& dataset, const FsckOptions& options, Progress& progress)
      : dataset_(dataset), options_(options), progress_(progress), findings_(options.findings_max) {}

  [[nodiscard]] absl::Status Prepare();
  [[nodiscard]] absl::Status CheckVoxels();
  [[nodiscard]] absl::Status CheckHierarchy();
  [[nodiscard]] absl::Status CheckOperations();
  [[nodiscard]] absl::Status CheckLocks();
  [[nodiscard]] FsckReport Take();

 private:
  friend class VoxelCheck;
  friend class HierarchyCheck;

  // The segmentation at a generation; lives as long as the run.
  [[nodiscard]] absl::StatusOr<const volume::Volume*> VolumeAt(uint64_t generation);
  [[nodiscard]] absl::Status CheckVoxelsOfChunk(ChunkPoint chunk);
  [[nodiscard]] absl::Status CheckNodesOfChunk(const graph::ChunkAddress& chunk);
  [[nodiscard]] absl::Status CheckMovedVoxels(uint64_t generation, const std::vector<const OperationRecord*>& records);
  [[nodiscard]] absl::Status CheckSplitApart(const OperationRecord& record);
  [[nodiscard]] uint64_t GenerationAt(absl::Time time) const;

  graph::Dataset& dataset_;
  const FsckOptions& options_;
  Progress& progress_;
  FsckFindings findings_;
  std::vector<OperationRecord> log_;
  std::vector<Moment> moments_;
  std::map<ChunkPoint, std::vector<uint64_t>> changes_;  // generations that changed voxels of a chunk, ascending
  std::mutex volumes_mutex_;
  std::map<uint64_t, std::unique_ptr<volume::Volume>> volumes_;
};

}  // namespace cleave::edit
