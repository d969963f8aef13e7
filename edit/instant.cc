#include "edit/instant.h"

#include <algorithm>

namespace cleave::edit {
namespace {

bool WroteVoxels(const OperationRecord& record) {
  return record.status == OperationStatus::kSuccess && record.written_generation.has_value();
}

}  // namespace

Instant InstantAtTime(std::span<const OperationRecord> log, absl::Time time) {
  std::optional<uint64_t> newest;         // written at `time` or before
  std::optional<uint64_t> first_written;  // by any operation
  for (const OperationRecord& record : log) {
    if (!WroteVoxels(record)) {
      continue;
    }
    const uint64_t generation = *record.written_generation;
    first_written = std::min(first_written.value_or(generation), generation);
    if (record.time <= time) {
      newest = std::max(newest.value_or(generation), generation);
    }
  }
  if (!newest.has_value() && first_written.has_value()) {
    newest = *first_written - 1;
  }
  return {.graph_time = time, .generation = newest};
}

Instant InstantAtGeneration(std::span<const OperationRecord> log, uint64_t generation, absl::Time ingested) {
  absl::Time time = ingested;
  for (const OperationRecord& record : log) {
    if (WroteVoxels(record) && *record.written_generation <= generation) {
      time = std::max(time, record.time);
    }
  }
  return {.graph_time = time, .generation = generation};
}

}  // namespace cleave::edit
