// Which version of the segmentation belongs to a time of the graph, for one who asks again and again: the rule is that
// of InstantAtTime (instant.h), but each event is looked at once, not the whole log for each question.
//
//   1. The versions that operations wrote are kept up to a time whose state is settled, in the order of their times,
//      each with the newest version up to there. A time that is settled is found by bisection, and no row is read.
//   2. For a later time, the events after the settled one are read, and of their operations one column.
//   3. What is not later than the safe time (safe_time.h) is settled from then on. The rest, which the operations in
//      flight bound, is read again with the next question.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "table/table.h"

namespace cleave::edit {

// Not thread-safe. About 24 bytes for each operation that wrote voxels.
class VoxelVersions {
 public:
  // Whether At reads no row for this time.
  [[nodiscard]] bool IsSettled(absl::Time time) const { return time <= settled_; }

  // The version of the voxel store at `time`, nullopt where no operation has ever written one. `safe_time` as
  // FindSafeTime gave it, whenever that was; REQUIRES: the event index is whole (EnsureEventIndex).
  [[nodiscard]] absl::StatusOr<std::optional<uint64_t>> At(const table::TableReader& table, absl::Time safe_time,
                                                           absl::Time time);

 private:
  struct Written {
    absl::Time time;
    uint64_t generation = 0;
    uint64_t newest = 0;  // of it and all before it
  };
  // What operations later than `settled_` wrote, by time.
  [[nodiscard]] absl::StatusOr<std::vector<Written>> ReadNew(const table::TableReader& table) const;

  std::vector<Written> written_;  // by time, up to settled_
  absl::Time settled_ = absl::InfinitePast();
  // The oldest version that any operation wrote, as it was known when there was one. It stays, so that answers do: an
  // older one of an operation that was in flight has voxels of the old state until its time.
  std::optional<uint64_t> first_;
};

}  // namespace cleave::edit
