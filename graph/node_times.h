// When nodes came and went. One read for all ids of a call.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "graph/graph_view.h"
#include "graph/ids.h"

namespace cleave::graph {

struct ParentVersion {
  absl::Time since;
  NodeId parent{};
  friend bool operator==(const ParentVersion&, const ParentVersion&) = default;
};
// Every parent that each node had up to the view's time, newest first.
[[nodiscard]] absl::StatusOr<std::vector<std::vector<ParentVersion>>> ParentVersions(const GraphView& view,
                                                                                     std::span<const NodeId> nodes);

// When each node was made: the time of its children. nullopt for supervoxels and for nodes that do not exist at the
// view's time.
[[nodiscard]] absl::StatusOr<std::vector<std::optional<absl::Time>>> CreationTimes(const GraphView& view,
                                                                                   std::span<const NodeId> nodes);

// What the view knows about one id of the top layer.
struct RootLife {
  std::optional<absl::Time> created;     // nullopt: there is no such root at the view's time
  std::optional<absl::Time> superseded;  // when edits first replaced it, at or before the view's time
  [[nodiscard]] bool is_latest() const { return created.has_value() && !superseded.has_value(); }
};
// Ids that are no roots have lived never.
[[nodiscard]] absl::StatusOr<std::vector<RootLife>> RootLives(const GraphView& view, std::span<const NodeId> ids);

// Of `ids`, those whose row has a cell of a time in [begin, end), whatever the view's time.
[[nodiscard]] absl::StatusOr<std::vector<NodeId>> NodesWrittenIn(const GraphView& view, std::span<const NodeId> ids,
                                                                 absl::Time begin, absl::Time end);

struct RootPage {
  std::vector<NodeId> roots;   // ascending
  std::optional<NodeId> next;  // where the next page begins; nullopt when there is none
};
// The roots of the view's time, in pages: looks at `rows_max` ids from `from` on, so a page may hold fewer, or none. At
// a moment at which operations are in flight, roots that such an operation prepares may be among them: ask at the safe
// time (edit/safe_time.h).
[[nodiscard]] absl::StatusOr<RootPage> LatestRoots(const GraphView& view, NodeId from, int64_t rows_max);

}  // namespace cleave::graph
