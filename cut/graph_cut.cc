// The cut of a graph of supervoxels.
//
// 1. Contract families: supervoxels joined by infinite edges become one vertex. A family with both a source and a sink
//    cannot be cut here: answer kSupervoxelSplitNeeded.
// 2. All points must lie in one component of the graph; components without points stay as they are.
// 3. Paths that hold each team together become uncuttable (team_paths.h), so that the cut does not tear a team.
// 4. Maximum flow from a super source, tied to all sources, to a super sink. Affinities become whole numbers by one
//    power of two, chosen so that their sum stays below 2^56; an affinity too small for that counts as one unit, so an
//    edge never vanishes.
// 5. Check the answer: a component that holds a point of a team holds the whole team and none of the other.
#include "cut/graph_cut.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/status.h"
#include "cut/contracted_graph.h"
#include "cut/disjoint_sets.h"
#include "cut/max_flow.h"
#include "cut/team_paths.h"

namespace cleave::cut {
namespace {

// Both teams as vertices, each ascending and without repetition.
struct Teams {
  std::vector<uint32_t> sources;
  std::vector<uint32_t> sinks;
};

absl::Status CheckRequest(const GraphCutRequest& request) {
  if (request.sources.empty() || request.sinks.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a cut needs at least one ", request.sources.empty() ? "source" : "sink"));
  }
  if (request.edges.empty()) {
    return absl::InvalidArgumentError("no edges are given: nothing joins the sources and the sinks");
  }
  for (const uint64_t id : request.sources) {
    if (std::find(request.sinks.begin(), request.sinks.end(), id) != request.sinks.end()) {
      return absl::InvalidArgumentError(absl::StrCat("supervoxel ", id, " is both a source and a sink"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<uint32_t>> FindTeam(const ContractedGraph& graph, std::span<const uint64_t> ids,
                                               absl::string_view role) {
  std::vector<uint32_t> team;
  for (const uint64_t id : ids) {
    const std::optional<uint32_t> vertex = graph.Find(id);
    if (!vertex) {
      return absl::FailedPreconditionError(absl::StrCat(
          role, " ", id, " has no edge in the graph around the points; place the points nearer to each other"));
    }
    team.push_back(*vertex);
  }
  std::sort(team.begin(), team.end());
  team.erase(std::unique(team.begin(), team.end()), team.end());
  return team;
}

std::vector<uint64_t> FamilyIds(const ContractedGraph& graph, uint32_t vertex) {
  std::vector<uint64_t> ids;
  for (const uint32_t supervoxel : graph.family[vertex]) {
    ids.push_back(graph.supervoxels[supervoxel]);
  }
  return ids;
}

// Step 1: the answer when families hold points of both teams.
std::optional<GraphCut> SharedFamilies(const ContractedGraph& graph, const Teams& teams) {
  std::vector<uint32_t> common;
  std::set_intersection(teams.sources.begin(), teams.sources.end(), teams.sinks.begin(), teams.sinks.end(),
                        std::back_inserter(common));
  if (common.empty()) {
    return std::nullopt;
  }
  GraphCut result;
  result.outcome = GraphCutOutcome::kSupervoxelSplitNeeded;
  for (const uint32_t vertex : common) {
    result.shared.push_back(FamilyIds(graph, vertex));
  }
  result.reason = absl::StrCat("sources and sinks lie in supervoxels that no edge can part; first family: ",
                               absl::StrJoin(result.shared.front(), ", "));
  return result;
}

GraphCut SplitNeeded(std::string reason) {
  GraphCut result;
  result.outcome = GraphCutOutcome::kSupervoxelSplitNeeded;
  result.reason = std::move(reason);
  return result;
}

// Step 2.
absl::Status CheckJoined(const ContractedGraph& graph, const Teams& teams) {
  DisjointSets sets(graph.vertex_count());
  for (const AffinityEdge& edge : graph.edges) {
    sets.Join(edge.a, edge.b);
  }
  const uint32_t home = sets.Find(teams.sources.front());
  for (const std::vector<uint32_t>* team : {&teams.sources, &teams.sinks}) {
    for (const uint32_t vertex : *team) {
      if (sets.Find(vertex) != home) {
        return absl::FailedPreconditionError(
            absl::StrCat(team == &teams.sources ? "source " : "sink ", graph.supervoxels[graph.family[vertex].front()],
                         " is not joined to source ", graph.supervoxels[graph.family[teams.sources.front()].front()],
                         " in the graph around the points; place the points nearer to each other"));
      }
    }
  }
  return absl::OkStatus();
}

// Step 4. Returns for each vertex whether it is on the sources' side.
std::vector<bool> CutBetween(const ContractedGraph& graph, const Teams& teams, const PathsOfTeams& paths) {
  double total = 0;
  for (const AffinityEdge& edge : graph.edges) {
    total += edge.affinity;
  }
  const int shift = total > 0 ? 55 - std::ilogb(total) : 0;
  std::vector<CapacityEdge> edges;
  edges.reserve(graph.edges.size() + teams.sources.size() + teams.sinks.size());
  for (const AffinityEdge& edge : graph.edges) {
    edges.push_back({edge.a, edge.b, std::max<int64_t>(1, std::llround(std::scalbn(edge.affinity, shift)))});
  }
  for (const TeamPaths* team : {&paths.sources, &paths.sinks}) {
    for (const uint32_t e : team->edges) {
      edges[e].capacity = kCapacityLimit;
    }
  }
  const uint32_t super_source = graph.vertex_count();
  const uint32_t super_sink = super_source + 1;
  for (const uint32_t vertex : teams.sources) {
    edges.push_back({super_source, vertex, kCapacityLimit});
  }
  for (const uint32_t vertex : teams.sinks) {
    edges.push_back({vertex, super_sink, kCapacityLimit});
  }
  MaxFlow flow(super_sink + 1, edges);
  flow.Solve(super_source, super_sink);
  std::vector<bool> on_source_side(graph.vertex_count());
  for (uint32_t vertex = 0; vertex < graph.vertex_count(); ++vertex) {
    on_source_side[vertex] = flow.OnSourceSide(vertex);
  }
  return on_source_side;
}

// Components of vertices once the edges between the sides are gone.
DisjointSets ComponentsAfter(const ContractedGraph& graph, const std::vector<bool>& on_source_side) {
  DisjointSets sets(graph.vertex_count());
  for (const AffinityEdge& edge : graph.edges) {
    if (on_source_side[edge.a] == on_source_side[edge.b]) {
      sets.Join(edge.a, edge.b);
    }
  }
  return sets;
}

bool IsTorn(DisjointSets& components, const std::vector<uint32_t>& team) {
  return std::any_of(team.begin(), team.end(),
                     [&](uint32_t v) { return components.Find(v) != components.Find(team.front()); });
}

// Whether the component of a team is just the points and the paths between them, though it had neighbours that are
// nobody's points.
bool IsIsolated(const ContractedGraph& graph, DisjointSets& components, const TeamPaths& paths, const Teams& teams) {
  const uint32_t home = components.Find(paths.vertices.front());
  size_t size = 0;
  for (uint32_t vertex = 0; vertex < graph.vertex_count(); ++vertex) {
    size += components.Find(vertex) == home;
  }
  if (size != paths.vertices.size()) {
    return false;
  }
  const auto is_point = [&](uint32_t vertex) {
    return std::binary_search(teams.sources.begin(), teams.sources.end(), vertex) ||
           std::binary_search(teams.sinks.begin(), teams.sinks.end(), vertex);
  };
  return std::any_of(graph.edges.begin(), graph.edges.end(), [&](const AffinityEdge& edge) {
    const bool a_inside = components.Find(edge.a) == home;
    const bool b_inside = components.Find(edge.b) == home;
    return a_inside != b_inside && !is_point(a_inside ? edge.b : edge.a);
  });
}

void ListRemoved(const ContractedGraph& graph, const std::vector<bool>& on_source_side, GraphCut& result) {
  for (const SupervoxelEdge& edge : graph.supervoxel_edges) {
    if (on_source_side[graph.vertex[edge.a]] != on_source_side[graph.vertex[edge.b]]) {
      result.removed.emplace_back(graph.supervoxels[edge.a], graph.supervoxels[edge.b]);
      result.value += edge.affinity;
    }
  }
}

void ListComponents(const ContractedGraph& graph, DisjointSets& components, const Teams& teams, GraphCut& result) {
  std::vector<std::vector<uint64_t>> by_home(graph.vertex_count());
  for (uint32_t i = 0; i < graph.supervoxels.size(); ++i) {
    by_home[components.Find(graph.vertex[i])].push_back(graph.supervoxels[i]);
  }
  result.components.push_back(std::move(by_home[components.Find(teams.sources.front())]));
  result.components.push_back(std::move(by_home[components.Find(teams.sinks.front())]));
  for (std::vector<uint64_t>& component : by_home) {
    if (!component.empty()) {
      result.components.push_back(std::move(component));
    }
  }
}

}  // namespace

absl::StatusOr<GraphCut> CutGraph(const GraphCutRequest& request) {
  CLEAVE_RETURN_IF_ERROR(CheckRequest(request));
  CLEAVE_ASSIGN_OR_RETURN(const ContractedGraph graph, ContractGraph(request.edges));
  Teams teams;
  CLEAVE_ASSIGN_OR_RETURN(teams.sources, FindTeam(graph, request.sources, "source"));
  CLEAVE_ASSIGN_OR_RETURN(teams.sinks, FindTeam(graph, request.sinks, "sink"));
  if (std::optional<GraphCut> shared = SharedFamilies(graph, teams)) {
    return *std::move(shared);
  }
  CLEAVE_RETURN_IF_ERROR(CheckJoined(graph, teams));

  PathsOfTeams paths{.found = true,
                     .reason = {},
                     .sources = {.edges = {}, .vertices = teams.sources},
                     .sinks = {.edges = {}, .vertices = teams.sinks}};
  if (request.augment_paths) {
    CLEAVE_ASSIGN_OR_RETURN(paths, FindPathsOfTeams(graph.vertex_count(), graph.edges, teams.sources, teams.sinks));
    if (!paths.found) {
      return SplitNeeded(std::move(paths.reason));
    }
  }
  const std::vector<bool> on_source_side = CutBetween(graph, teams, paths);
  DisjointSets components = ComponentsAfter(graph, on_source_side);
  for (const auto* team : {&teams.sources, &teams.sinks}) {
    if (IsTorn(components, *team)) {
      return SplitNeeded(absl::StrCat("the cheapest cut parts the ", team == &teams.sources ? "sources" : "sinks",
                                      " from each other"));
    }
  }
  if (request.refuse_isolating_cut) {
    for (const TeamPaths* team : {&paths.sources, &paths.sinks}) {
      if (IsIsolated(graph, components, *team, teams)) {
        return absl::FailedPreconditionError(absl::StrCat("the cut would cut off only the labelled ",
                                                          team == &paths.sources ? "sources" : "sinks",
                                                          "; place more points on that side, farther from the cut"));
      }
    }
  }
  GraphCut result;
  ListRemoved(graph, on_source_side, result);
  ListComponents(graph, components, teams, result);
  return result;
}

}  // namespace cleave::cut
