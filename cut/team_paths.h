// Paths that hold a team of points together in a graph that is about to be cut.
//
// Source of the rules: the field's path-augmented multicut (design reference A, section 12.4).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace cleave::cut {

// An edge between two vertices 0, 1, ... with the sum of the affinities it stands for.
struct AffinityEdge {
  uint32_t a = 0;
  uint32_t b = 0;
  double affinity = 0;
};

// The paths of one team.
struct TeamPaths {
  std::vector<uint32_t> edges;     // indices into the graph's edges, ascending, each once
  std::vector<uint32_t> vertices;  // the team and all vertices of these edges, ascending, each once
};

struct PathsOfTeams {
  // False when a team is joined only through points of the other: then `reason` says so and there are no paths.
  bool found = true;
  std::string reason;
  TeamPaths sources;
  TeamPaths sinks;
};

// Finds, for each team, paths that join its points and do not touch the paths of the other team: the shortest ones,
// a step being 1 / affinity long. Where they meet, the common parts are dropped if both teams stay joined without them;
// else the team with the shorter paths (geometric mean) keeps them and the other goes around; else the reverse.
// Errors: FAILED_PRECONDITION when no such paths exist though each team could be joined alone.
// REQUIRES: teams are not empty, have no common vertex and no repetition. Deterministic.
[[nodiscard]] absl::StatusOr<PathsOfTeams> FindPathsOfTeams(uint32_t vertex_count, std::span<const AffinityEdge> edges,
                                                            std::span<const uint32_t> sources,
                                                            std::span<const uint32_t> sinks);

// The shortest paths between all pairs of one team that keep off `blocked`; nothing when a pair has none. A team of one
// has no edges. REQUIRES: as above; no member of the team is blocked.
[[nodiscard]] std::optional<TeamPaths> FindPathsOfTeam(uint32_t vertex_count, std::span<const AffinityEdge> edges,
                                                       std::span<const uint32_t> team,
                                                       std::span<const uint32_t> blocked);

}  // namespace cleave::cut
