// Cuts one object in its graph of supervoxels: the cheapest set of edges that parts sources from sinks, or a set of at
// most twice the least cost that parts more than two teams of points.
//
// Rules and safeguards are the field's (path augmentation, isolating-cut check), with one vertex numbering, parallel
// edges merged by adding, and every failure a distinct answer. More than two teams: E. Dahlhaus and others, The
// complexity of multiterminal cuts, 1994 (each team is cut off from all others; the dearest of these cuts is spared).
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace cleave::cut {

// An undirected edge between two supervoxels (opaque ids, never 0). Infinite affinity can never be cut.
struct WeightedEdge {
  uint64_t a = 0;
  uint64_t b = 0;
  float affinity = 0;
};

// Sources, sinks and further teams together: the sides of a split.
inline constexpr int kTeamsMax = 64;

inline constexpr float kInfiniteAffinity = std::numeric_limits<float>::infinity();

struct GraphCutRequest {
  // Borrowed for the call. Order, direction and repetition do not matter.
  std::span<const WeightedEdge> edges;
  std::span<const uint64_t> sources;
  std::span<const uint64_t> sinks;
  // Teams beside the sources and the sinks, each to be parted from all others. At most kTeamsMax - 2.
  std::span<const std::vector<uint64_t>> more_teams = {};
  // Raise the capacity of the shortest paths inside each team, so that a team stays in one piece.
  bool augment_paths = true;
  // Refuse a cut that isolates nothing but the labelled points.
  bool refuse_isolating_cut = true;
};

// What a team is called in messages: "source", "sink", "point of side 3".
[[nodiscard]] std::string RoleOfTeam(size_t team);

// What a cut came to.
enum class GraphCutOutcome {
  kCut,                    // `removed` parts the teams
  kSupervoxelSplitNeeded,  // the teams meet where no edge can be cut: `shared` names it
};

struct GraphCut {
  GraphCutOutcome outcome = GraphCutOutcome::kCut;
  // kCut: the edges to remove, each once, as (smaller id, larger id), in ascending order.
  std::vector<std::pair<uint64_t, uint64_t>> removed;
  // kCut: components of supervoxels after the cut: the sources', the sinks', those of further teams, then the rest,
  // each ascending.
  std::vector<std::vector<uint64_t>> components;
  // Capacity of the cut (sum of the removed edges' affinities).
  double value = 0;
  // kSupervoxelSplitNeeded: the families (all supervoxels joined by infinite edges) that hold points of several
  // teams, each ascending. Empty when the teams merely block each other's way; `reason` says how.
  std::vector<std::vector<uint64_t>> shared;
  std::string reason;
};

// Errors: INVALID_ARGUMENT when a team is empty or an id is in two teams or no edge is given. FAILED_PRECONDITION when
// two teams are not joined at all (of more, when one team is not joined in itself), when only infinite edges exist
// between different families, or when the cut would isolate nothing but the labelled points; messages say what a user
// can do. Deterministic.
[[nodiscard]] absl::StatusOr<GraphCut> CutGraph(const GraphCutRequest& request);

}  // namespace cleave::cut
