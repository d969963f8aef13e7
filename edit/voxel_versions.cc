#include "edit/voxel_versions.h"

#include <algorithm>

#include "base/status.h"
#include "edit/event_index.h"
#include "edit/operation_row.h"

namespace cleave::edit {
namespace {

constexpr int64_t kEventsTogether = 10'000;

}  // namespace

absl::StatusOr<std::vector<VoxelVersions::Written>> VoxelVersions::ReadNew(const table::TableReader& table) const {
  std::vector<Written> written;
  absl::Time after = settled_;
  for (bool more = true; more;) {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<EventRef> events, ListEvents(table, after, kEventsTogether));
    std::vector<graph::OperationId> operations;
    operations.reserve(events.size());
    for (const EventRef& event : events) {
      operations.push_back(event.operation);
    }
    CLEAVE_ASSIGN_OR_RETURN(const auto generations, ReadWrittenGenerations(table, operations));
    for (size_t i = 0; i < events.size(); ++i) {
      if (generations[i].has_value()) {
        written.push_back({.time = events[i].time, .generation = *generations[i]});
      }
    }
    more = std::ssize(events) >= kEventsTogether;
    after = events.empty() ? after : events.back().time;
  }
  return written;
}

absl::StatusOr<std::optional<uint64_t>> VoxelVersions::At(const table::TableReader& table, absl::Time safe_time,
                                                          absl::Time time) {
  std::vector<Written> later;
  if (!IsSettled(time)) {
    CLEAVE_ASSIGN_OR_RETURN(later, ReadNew(table));
    uint64_t newest = written_.empty() ? 0 : written_.back().newest;
    for (Written& one : later) {
      newest = std::max(newest, one.generation);
      one.newest = newest;
    }
    if (!first_.has_value() && !later.empty()) {
      first_ = std::ranges::min_element(later, {}, &Written::generation)->generation;
    }
    const auto unsettled = std::ranges::upper_bound(later, safe_time, {}, &Written::time);
    written_.insert(written_.end(), later.begin(), unsettled);
    later.erase(later.begin(), unsettled);
    settled_ = std::max(settled_, safe_time);
  }
  for (const std::vector<Written>* list : {&later, &written_}) {
    const auto end = std::ranges::upper_bound(*list, time, {}, &Written::time);
    if (end != list->begin()) {
      return std::prev(end)->newest;
    }
  }
  return first_.has_value() ? std::optional(*first_ - 1) : std::nullopt;
}

}  // namespace cleave::edit
