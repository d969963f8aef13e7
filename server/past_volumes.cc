#include "server/past_volumes.h"

#include <algorithm>

#include "base/cache_tally.h"
#include "base/status.h"
#include "edit/event_index.h"
#include "edit/safe_time.h"

namespace cleave::server {
namespace {

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

absl::StatusOr<uint64_t> PastVolumes::GenerationAt(absl::Time time) {
  absl::Time safe_time = absl::InfinitePast();
  if (versions_.IsSettled(time)) {
    ++CountsOf(Cache::kPastTimes).hits;
  } else {
    ++CountsOf(Cache::kPastTimes).misses;
    CLEAVE_RETURN_IF_ERROR(edit::EnsureEventIndex(dataset_.table()));
    CLEAVE_ASSIGN_OR_RETURN(const edit::SafeTime safe,
                            edit::FindSafeTime(dataset_.table(), clock_, dataset_.meta().ingested));
    safe_time = safe.time;
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<uint64_t> generation, versions_.At(dataset_.table(), safe_time, time));
  // Where no operation wrote voxels, those of ingest: the newest may be an operation's that is not in the log yet.
  return generation.has_value() ? absl::StatusOr<uint64_t>(*generation) : BaseGeneration();
}

absl::StatusOr<uint64_t> PastVolumes::BaseGeneration() {
  if (!base_generation_.has_value()) {
    CLEAVE_ASSIGN_OR_RETURN(base_generation_, dataset_.BaseGeneration());
  }
  return *base_generation_;
}

}  // namespace cleave::server
