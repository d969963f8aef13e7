#include "work/downsample.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "base/crash_point.h"
#include "base/parallel.h"
#include "base/status.h"
#include "ocdbt/database.h"
#include "table/row_keys.h"
#include "volume/volume.h"
#include "work/job_id.h"

namespace cleave::work {
namespace {

constexpr int kCommitTries = 20;
constexpr absl::Duration kLockWait = absl::Milliseconds(20);

}  // namespace

Downsampler::Downsampler(graph::Dataset& dataset, const DownsampleOptions& options, volume::PyramidBlocks blocks)
    : dataset_(dataset),
      options_(options),
      blocks_(std::move(blocks)),
      locks_(dataset.table().ordered(), *options.clock, table::LockedRows::kChunks, options.lock_expiry),
      keeper_(dataset.table().ordered(), *options.clock, options.lock_expiry) {}

absl::StatusOr<std::unique_ptr<Downsampler>> Downsampler::Create(graph::Dataset& dataset,
                                                                 const DownsampleOptions& options) {
  CLEAVE_ASSIGN_OR_RETURN(volume::PyramidBlocks blocks,
                          volume::PyramidBlocks::Create(dataset.segmentation().info(),
                                                        options.memory_bytes / std::max(1, options.threads)));
  return std::unique_ptr<Downsampler>(new Downsampler(dataset, options, std::move(blocks)));
}

// What changed in one block is one box: the smallest that holds all that did.
absl::StatusOr<DownsampleCounts> Downsampler::Update(std::span<const Box> changed) {
  DownsampleCounts counts;
  for (int tier = 0; tier < blocks_.tier_count(); ++tier) {
    std::map<std::tuple<int64_t, int64_t, int64_t>, Job> jobs;
    for (const Box& box : changed) {
      for (const ChunkPoint p : blocks_.BlocksOver(tier, box)) {
        const auto [job, is_new] = jobs.try_emplace({p.z, p.y, p.x}, Job{{tier, p}, box});
        job->second.changed = is_new ? box : Envelope(*job->second.changed, box);
      }
    }
    std::vector<Job> list;
    for (auto& [key, job] : jobs) {
      list.push_back(std::move(job));
    }
    CLEAVE_ASSIGN_OR_RETURN(const DownsampleCounts done, Run(list, Progress::Silent()));
    counts.blocks += done.blocks;
    counts.voxels += done.voxels;
    counts.chunks_written += done.chunks_written;
    CrashPoint("downsample.tier_done");
  }
  return counts;
}

absl::StatusOr<DownsampleCounts> Downsampler::UpdateAll(Progress& progress) {
  DownsampleCounts counts;
  for (int tier = 0; tier < blocks_.tier_count(); ++tier) {
    std::vector<Job> jobs;
    for (const ChunkPoint position : blocks_.BlocksOver(tier, std::nullopt)) {
      jobs.push_back({{tier, position}, std::nullopt});
    }
    progress.Begin(absl::StrCat("scales ", blocks_.tier(tier).base + 1, " to ", blocks_.tier(tier).top),
                   static_cast<int64_t>(jobs.size()), "blocks");
    CLEAVE_ASSIGN_OR_RETURN(const DownsampleCounts done, Run(jobs, progress));
    progress.End();
    counts.blocks += done.blocks;
    counts.voxels += done.voxels;
    counts.chunks_written += done.chunks_written;
    CrashPoint("downsample.tier_done");
  }
  return counts;
}

absl::StatusOr<DownsampleCounts> Downsampler::Run(const std::vector<Job>& jobs, Progress& progress) {
  std::mutex mutex;
  DownsampleCounts counts;
  CLEAVE_RETURN_IF_ERROR(ParallelFor(static_cast<int64_t>(jobs.size()), options_.threads, [&](int64_t i) {
    CLEAVE_ASSIGN_OR_RETURN(const DownsampleCounts done, UpdateLocked(jobs[static_cast<size_t>(i)]));
    const std::lock_guard lock(mutex);
    counts.blocks += done.blocks;
    counts.voxels += done.voxels;
    counts.chunks_written += done.chunks_written;
    progress.Advance(1);
    return absl::OkStatus();
  }));
  return counts;
}

absl::StatusOr<DownsampleCounts> Downsampler::UpdateLocked(const Job& job) {
  const uint64_t id = NewJobId();
  const std::vector<std::string> keys = {
      table::DownsampleLockRowKey(blocks_.tier(job.block.tier).base + 1, job.block.position)};
  // Whoever has it is done soon, or dead and the lock expires.
  const absl::Time give_up = absl::Now() + 2 * options_.lock_expiry;
  absl::Status locked = locks_.Acquire(keys, id);
  while (absl::IsUnavailable(locked) && !stopped_ && absl::Now() < give_up) {
    absl::SleepFor(kLockWait);
    locked = locks_.Acquire(keys, id);
  }
  CLEAVE_RETURN_IF_ERROR(locked);
  CrashPoint("downsample.locked");
  keeper_.KeepChunks(graph::OperationId{id}, keys);
  absl::StatusOr<DownsampleCounts> counts = UpdateBlock(job);
  keeper_.Drop(graph::OperationId{id});
  const absl::Status released = locks_.Release(keys, id);
  CLEAVE_RETURN_IF_ERROR(counts.status());
  CLEAVE_RETURN_IF_ERROR(released);
  return counts;
}

absl::StatusOr<DownsampleCounts> Downsampler::UpdateBlock(const Job& job) {
  absl::StatusOr<int64_t> written = absl::CancelledError("the downsample worker was stopped");
  for (int attempt = 0; attempt < kCommitTries && !stopped_; ++attempt) {
    written = TryUpdate(job);
    if (!absl::IsAborted(written.status())) {
      break;
    }
  }
  CLEAVE_RETURN_IF_ERROR(written.status());
  const Box read = blocks_.BoxToRead(job.block, job.changed);
  return DownsampleCounts{1, read.empty() ? 0 : Count(read.extent()), *written};
}

// Returns how many chunks were written.
absl::StatusOr<int64_t> Downsampler::TryUpdate(const Job& job) {
  ocdbt::Database& database = dataset_.database();
  CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Snapshot snapshot, database.Newest());
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<volume::Volume> volume,
                          dataset_.SegmentationAt({.generation = snapshot.generation().value, .time = std::nullopt}));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<volume::ScalePart> parts,
                          blocks_.Downsample(*volume, job.block, job.changed));
  ocdbt::WriteBatch batch;
  int64_t written = 0;
  for (const volume::ScalePart& part : parts) {
    CLEAVE_ASSIGN_OR_RETURN(std::vector<store::KeyedWrite> writes, volume::CompareWithStored(*volume, part));
    for (store::KeyedWrite& write : writes) {
      ++written;
      if (write.value.has_value()) {
        batch.Put(write.key, *std::move(write.value), std::move(write.if_generation));
      } else {
        batch.Delete(write.key, std::move(write.if_generation));
      }
    }
  }
  if (written == 0) {
    return 0;
  }
  const int base = blocks_.tier(job.block.tier).base;
  for (const ChunkPoint chunk : volume->grid(base).ChunksOver(blocks_.BoxToRead(job.block, job.changed))) {
    const std::string key = volume->ChunkKey(base, chunk);
    CLEAVE_ASSIGN_OR_RETURN(store::Generation generation, snapshot.KeyGeneration(key));
    batch.Require(key, std::move(generation));
  }
  CrashPoint("downsample.before_commit");
  CLEAVE_RETURN_IF_ERROR(database.Commit(batch).status());
  CrashPoint("downsample.block_written");
  return written;
}

}  // namespace cleave::work
