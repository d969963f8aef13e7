// One instant for graph and voxels: which version of the segmentation belongs to which time of the graph.
//
// The two have clocks of their own. The time of an operation is given before its voxels are committed, so a commit time
// of the store, compared with an operation's time, could show the new graph over the old voxels. The operation log
// knows both for every edit, and decides:
//
//   at a time T        the graph at T; the newest version that an operation of time <= T wrote, or, if there is none,
//                      the version before the first that any operation wrote.
//   at a generation N  that version; the graph at the time of the last operation whose voxels are in it (the end of
//                      ingest if there is none). Later edits of the graph alone are not seen.
//
// Pure functions. The order of the records does not matter; operations that did not succeed are not looked at.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "absl/time/time.h"

#include "edit/operation_log.h"
#include "graph/dataset.h"

namespace cleave::edit {

struct Instant {
  absl::Time graph_time = absl::InfiniteFuture();
  std::optional<uint64_t> generation;  // of the segmentation's store; none: the newest

  [[nodiscard]] graph::VoxelMoment voxels() const { return {.generation = generation, .time = std::nullopt}; }
};

[[nodiscard]] Instant InstantAtTime(std::span<const OperationRecord> log, absl::Time time);

// `ingested`: the time of the graph before all operations.
[[nodiscard]] Instant InstantAtGeneration(std::span<const OperationRecord> log, uint64_t generation,
                                          absl::Time ingested);

}  // namespace cleave::edit
