// Coarser scales rewritten where the voxels below them changed, by as many workers as there are.
//
//   CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Downsampler> downsampler, Downsampler::Create(dataset, {}));
//   CLEAVE_RETURN_IF_ERROR(downsampler->Update(boxes).status());
//
// How it works, and why it may be stopped anywhere and run beside others:
//   1. The boxes are handed to blocks (volume/pyramid_blocks.h), tier by tier.
//   2. A block is locked in the table, so that two workers do not make the same voxels twice. The lock is renewed while
//      the worker lives, and expires when it does not.
//   3. The block is made anew from one version of the voxel store. Chunks that are as they should be are left alone.
//   4. The others are written in one commit, on the condition that all chunks that were read, of the scale below and of
//      these, still are what was read; else 3 again. So the result is right whatever became of the lock: the lock saves
//      work, the commit decides.
// A worker that dies between two tiers leaves coarser scales that are older than those below them, until the same boxes
// are updated again: every tier is looked at anew, also where the one below it needs no write.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "base/geometry.h"
#include "base/progress.h"
#include "edit/lock_keeper.h"
#include "graph/dataset.h"
#include "table/row_locks.h"
#include "volume/pyramid_blocks.h"

namespace cleave::work {

struct DownsampleOptions {
  int64_t memory_bytes = int64_t{256} << 20;  // for labels, all threads together
  int threads = 1;
  Clock* clock = &Clock::System();
  absl::Duration lock_expiry = table::kLockExpiry;
};

struct DownsampleCounts {
  int64_t blocks = 0;          // looked at
  int64_t voxels = 0;          // read, of the scales that were downsampled
  int64_t chunks_written = 0;  // that were not as they should be
};

// Thread-safe. The dataset must outlive it.
class Downsampler {
 public:
  // FAILED_PRECONDITION as PyramidBlocks::Create.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Downsampler>> Create(graph::Dataset& dataset,
                                                                           const DownsampleOptions& options);

  // Makes all coarser scales over `changed`, boxes in voxels of scale 0, true to what scale 0 is now. UNAVAILABLE when
  // another worker holds a block for longer than a lock lives, ABORTED when edits kept coming between, CANCELLED after
  // Stop: some blocks are then done, and all may be done again.
  [[nodiscard]] absl::StatusOr<DownsampleCounts> Update(std::span<const Box> changed);
  // The same over the whole volume.
  [[nodiscard]] absl::StatusOr<DownsampleCounts> UpdateAll(Progress& progress);
  // Ends what is under way, soon, and all that comes later.
  void Stop() { stopped_ = true; }

  [[nodiscard]] const volume::PyramidBlocks& blocks() const { return blocks_; }

 private:
  struct Job {
    volume::PyramidBlock block;
    std::optional<Box> changed;  // nullopt: all of it
  };

  Downsampler(graph::Dataset& dataset, const DownsampleOptions& options, volume::PyramidBlocks blocks);
  [[nodiscard]] absl::StatusOr<DownsampleCounts> Run(const std::vector<Job>& jobs, Progress& progress);
  [[nodiscard]] absl::StatusOr<DownsampleCounts> UpdateLocked(const Job& job);
  [[nodiscard]] absl::StatusOr<DownsampleCounts> UpdateBlock(const Job& job);
  [[nodiscard]] absl::StatusOr<int64_t> TryUpdate(const Job& job);

  graph::Dataset& dataset_;
  const DownsampleOptions options_;
  const volume::PyramidBlocks blocks_;
  table::RowLocks locks_;
  edit::LockKeeper keeper_;
  std::atomic<bool> stopped_ = false;
};

}  // namespace cleave::work
