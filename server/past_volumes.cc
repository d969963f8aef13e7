#include "server/past_volumes.h"

#include <algorithm>
#include <vector>

#include "base/cache_tally.h"
#include "base/status.h"
#include "edit/instant.h"
#include "edit/operation_log.h"
#include "edit/safe_time.h"

namespace cleave::server {
namespace {

constexpr size_t kTimesKept = 1'000;
constexpr size_t kVolumesKept = 16;

}  // namespace

absl::StatusOr<std::shared_ptr<const volume::Volume>> PastVolumes::At(absl::Time time) {
  if (time > clock_.Now()) {
    return std::shared_ptr<const volume::Volume>(std::shared_ptr<void>(), &dataset_.segmentation());
  }
  if (time < dataset_.meta().ingested) {
    return absl::OutOfRangeError("the graph was made later than that");
  }
  const std::lock_guard lock(mutex_);
  CLEAVE_ASSIGN_OR_RETURN(const uint64_t generation, GenerationAt(time));
  const auto kept = std::ranges::find_if(volumes_, [&](const auto& entry) { return entry.first == generation; });
  if (kept != volumes_.end()) {
    volumes_.splice(volumes_.begin(), volumes_, kept);
    return volumes_.front().second;
  }
  CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<volume::Volume> opened,
                          dataset_.SegmentationAt({.generation = generation, .time = std::nullopt}));
  volumes_.emplace_front(generation, std::move(opened));
  if (volumes_.size() > kVolumesKept) {
    volumes_.pop_back();
  }
  return volumes_.front().second;
}

// A time is safe when no operation can get it, or one before it, any more; then its answer is kept.
absl::StatusOr<uint64_t> PastVolumes::GenerationAt(absl::Time time) {
  if (const auto kept = generations_.find(time); kept != generations_.end()) {
    ++CountsOf(Cache::kPastTimes).hits;
    return kept->second;
  }
  ++CountsOf(Cache::kPastTimes).misses;
  CLEAVE_ASSIGN_OR_RETURN(const edit::SafeTime safe,
                          edit::FindSafeTime(dataset_.table(), clock_, dataset_.meta().ingested));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<edit::OperationRecord> log, edit::OperationLog(dataset_.table()).ReadAll());
  const edit::Instant instant = edit::InstantAtTime(log, time);
  // Where no operation wrote voxels, those of ingest: the newest may be an operation's that is not in the log yet.
  CLEAVE_ASSIGN_OR_RETURN(const uint64_t base, BaseGeneration());
  const uint64_t generation = instant.generation.value_or(base);
  if (time <= safe.time) {
    if (generations_.size() >= kTimesKept) {
      generations_.erase(generations_.begin());
    }
    generations_[time] = generation;
  }
  return generation;
}

absl::StatusOr<uint64_t> PastVolumes::BaseGeneration() {
  if (!base_generation_.has_value()) {
    CLEAVE_ASSIGN_OR_RETURN(base_generation_, dataset_.BaseGeneration());
  }
  return *base_generation_;
}

}  // namespace cleave::server
