#include "server/figures.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/string_view.h"

#include "base/cache_tally.h"
#include "base/status.h"
#include "edit/event_index.h"
#include "edit/operation_log.h"

namespace cleave::server {
namespace {

struct CacheName {
  Cache cache;
  absl::string_view name;
};
constexpr std::array<CacheName, static_cast<size_t>(Cache::kCount)> kCaches = {{
    {Cache::kVoxelStoreNodes, "voxel_store_nodes"},
    {Cache::kParents, "parents"},
    {Cache::kPastTimes, "past_times"},
    {Cache::kUsers, "users"},
}};

double SecondsSince(absl::Time time, absl::Time now) { return std::max(0.0, absl::ToDoubleSeconds(now - time)); }

absl::Status AddOperations(const ServedDataset& served, absl::Time now, std::vector<Figure>& figures) {
  CLEAVE_ASSIGN_OR_RETURN(const auto in_flight, edit::OperationLog::ListInFlight(served.dataset->table()));
  double oldest_seconds = 0;
  for (const edit::InFlight& operation : in_flight) {
    if (operation.since != absl::InfinitePast()) {
      oldest_seconds = std::max(oldest_seconds, SecondsSince(operation.since, now));
    }
  }
  figures.push_back({.name = "cleave_operations_in_flight",
                     .help = "Edits that have begun and not ended",
                     .labels = {{"dataset", served.name}},
                     .value = static_cast<double>(in_flight.size())});
  figures.push_back({.name = "cleave_operation_oldest_seconds",
                     .help = "How long ago the oldest edit in flight began",
                     .labels = {{"dataset", served.name}},
                     .value = oldest_seconds});
  figures.push_back({.name = "cleave_edits_waiting_for_locks",
                     .help = "Edits that wait for locks that others hold",
                     .labels = {{"dataset", served.name}},
                     .value = static_cast<double>(served.editor->waiting_for_locks())});
  return absl::OkStatus();
}

absl::Status AddEvents(const ServedDataset& served, absl::Time now, std::vector<Figure>& figures) {
  const table::Table& table = served.dataset->table();
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<edit::EventGroup> groups, edit::ListEventGroups(table));
  absl::Time first = absl::InfiniteFuture();
  for (const edit::EventGroup& group : groups) {
    first = std::min(first, group.acknowledged);
  }
  if (groups.empty()) {
    return absl::OkStatus();
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<edit::EventRef> events, edit::ListEvents(table, first, 0));
  for (const edit::EventGroup& group : groups) {
    const auto next = std::ranges::upper_bound(events, group.acknowledged, {}, &edit::EventRef::time);
    const std::map<std::string, std::string> labels = {{"dataset", served.name}, {"group", group.name}};
    figures.push_back({.name = "cleave_events_waiting",
                       .help = "Edits that a group of consumers has not acknowledged",
                       .labels = labels,
                       .value = static_cast<double>(events.end() - next)});
    figures.push_back({.name = "cleave_events_waiting_seconds",
                       .help = "How old the oldest edit is that a group of consumers has not acknowledged",
                       .labels = labels,
                       .value = next == events.end() ? 0 : SecondsSince(next->time, now)});
  }
  return absl::OkStatus();
}

void AddCaches(std::vector<Figure>& figures) {
  for (const auto& [cache, name] : kCaches) {
    const CacheCounts& counts = CountsOf(cache);
    const std::map<std::string, std::string> labels = {{"cache", std::string(name)}};
    figures.push_back({.name = "cleave_cache_hits_total",
                       .help = "How often a cache held what was asked for",
                       .is_total = true,
                       .labels = labels,
                       .value = static_cast<double>(counts.hits)});
    figures.push_back({.name = "cleave_cache_misses_total",
                       .help = "How often a cache did not hold what was asked for",
                       .is_total = true,
                       .labels = labels,
                       .value = static_cast<double>(counts.misses)});
  }
}

}  // namespace

absl::StatusOr<std::vector<Figure>> ReadFigures(std::span<const ServedDataset> datasets, absl::Time now) {
  std::vector<Figure> figures;
  for (const ServedDataset& served : datasets) {
    CLEAVE_RETURN_IF_ERROR(Annotate(AddOperations(served, now, figures), served.name));
    CLEAVE_RETURN_IF_ERROR(Annotate(AddEvents(served, now, figures), served.name));
  }
  AddCaches(figures);
  return figures;
}

}  // namespace cleave::server
