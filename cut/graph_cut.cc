// The cut of a graph of supervoxels.
//
// 1. Contract families: supervoxels joined by infinite edges become one vertex. A family with points of two teams
//    cannot be cut here: answer kSupervoxelSplitNeeded.
// 2. The points of two teams must all lie in one component of the graph; of more teams, those of each in one.
// Components
//    without points stay as they are.
// 3. Paths that hold each team together become uncuttable (team_paths.h), so that the cut does not tear a team.
// 4. Maximum flow from a super source, tied to all sources, to a super sink. Affinities become whole numbers by one
//    power of two, chosen so that their sum stays below 2^56; an affinity too small for that counts as one unit, so an
//    edge never vanishes. Of more than two teams each is cut off from all others so, as near to its points as the least
//    cost allows: these parts cannot overlap. The team that would cost most keeps what is left over.
// 5. Check the answer: a component that holds a point of a team holds the whole team and none of another.
#include "cut/graph_cut.h"

#include <algorithm>
#include <cmath>
#include <map>
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

// The points of each team as vertices, ascending and without repetition: sources, sinks, and any further teams.
using Teams = std::vector<std::vector<uint32_t>>;

std::vector<std::span<const uint64_t>> TeamIds(const GraphCutRequest& request) {
  std::vector<std::span<const uint64_t>> teams = {request.sources, request.sinks};
  teams.insert(teams.end(), request.more_teams.begin(), request.more_teams.end());
  return teams;
}

absl::Status CheckRequest(const GraphCutRequest& request) {
  const std::vector<std::span<const uint64_t>> teams = TeamIds(request);
  if (std::ssize(teams) > kTeamsMax) {
    return absl::InvalidArgumentError(absl::StrCat("a cut takes at most ", kTeamsMax, " teams, not ", teams.size()));
  }
  std::map<uint64_t, size_t> team_of;
  for (size_t team = 0; team < teams.size(); ++team) {
    if (teams[team].empty()) {
      return absl::InvalidArgumentError(absl::StrCat("a cut needs at least one ", RoleOfTeam(team)));
    }
    for (const uint64_t id : teams[team]) {
      if (const size_t other = team_of.try_emplace(id, team).first->second; other != team) {
        return absl::InvalidArgumentError(
            absl::StrCat("supervoxel ", id, " is both a ", RoleOfTeam(other), " and a ", RoleOfTeam(team)));
      }
    }
  }
  if (request.edges.empty()) {
    return absl::InvalidArgumentError("no edges are given: nothing joins the sources and the sinks");
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

// Step 1: the answer when families hold points of several teams.
std::optional<GraphCut> SharedFamilies(const ContractedGraph& graph, const Teams& teams) {
  std::vector<uint32_t> members;
  for (const std::vector<uint32_t>& team : teams) {
    members.insert(members.end(), team.begin(), team.end());
  }
  std::sort(members.begin(), members.end());
  GraphCut result;
  for (size_t i = 1; i < members.size(); ++i) {
    if (members[i] == members[i - 1] && (i + 1 == members.size() || members[i + 1] != members[i])) {
      result.shared.push_back(FamilyIds(graph, members[i]));
    }
  }
  if (result.shared.empty()) {
    return std::nullopt;
  }
  result.outcome = GraphCutOutcome::kSupervoxelSplitNeeded;
  result.reason =
      absl::StrCat(teams.size() == 2 ? "sources and sinks lie" : "points of several sides lie",
                   " in supervoxels that no edge can part; first family: ", absl::StrJoin(result.shared.front(), ", "));
  return result;
}

// The same for all of them.
std::string RolesOfTeam(size_t team) {
  return team < 2 ? RoleOfTeam(team) + "s" : absl::StrCat("points of side ", team + 1);
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
  const auto name_of = [&](uint32_t vertex) { return graph.supervoxels[graph.family[vertex].front()]; };
  for (size_t team = 0; team < teams.size(); ++team) {
    const size_t home_team = teams.size() == 2 ? 0 : team;
    const uint32_t first = teams[home_team].front();
    for (const uint32_t vertex : teams[team]) {
      if (sets.Find(vertex) != sets.Find(first)) {
        return absl::FailedPreconditionError(
            absl::StrCat(RoleOfTeam(team), " ", name_of(vertex), " is not joined to ", RoleOfTeam(home_team), " ",
                         name_of(first), " in the graph around the points; place the points nearer to each other"));
      }
    }
  }
  return absl::OkStatus();
}

// Step 3.
struct Paths {
  bool found = true;
  std::string reason;
  std::vector<TeamPaths> of_team;
};

std::vector<uint32_t> OthersOf(const Teams& teams, size_t team) {
  std::vector<uint32_t> others;
  for (size_t i = 0; i < teams.size(); ++i) {
    if (i != team) {
      others.insert(others.end(), teams[i].begin(), teams[i].end());
    }
  }
  std::sort(others.begin(), others.end());
  return others;
}

// Of more than two teams: the paths of each keep off the points of all others, and off the paths of those before it.
Paths FindPathsOfMany(const ContractedGraph& graph, const Teams& teams) {
  Paths paths;
  std::vector<uint32_t> taken;
  for (size_t team = 0; team < teams.size(); ++team) {
    std::vector<uint32_t> blocked = OthersOf(teams, team);
    blocked.insert(blocked.end(), taken.begin(), taken.end());
    std::optional<TeamPaths> own = FindPathsOfTeam(graph.vertex_count(), graph.edges, teams[team], blocked);
    if (!own) {
      return Paths{false,
                   absl::StrCat("the points of side ", team + 1, " are joined only through points or paths of others"),
                   {}};
    }
    taken.insert(taken.end(), own->vertices.begin(), own->vertices.end());
    paths.of_team.push_back(*std::move(own));
  }
  return paths;
}

absl::StatusOr<Paths> FindPaths(const ContractedGraph& graph, const Teams& teams, bool augment_paths) {
  Paths paths;
  if (!augment_paths) {
    for (const std::vector<uint32_t>& team : teams) {
      paths.of_team.push_back({.edges = {}, .vertices = team});
    }
    return paths;
  }
  if (teams.size() > 2) {
    return FindPathsOfMany(graph, teams);
  }
  CLEAVE_ASSIGN_OR_RETURN(PathsOfTeams both, FindPathsOfTeams(graph.vertex_count(), graph.edges, teams[0], teams[1]));
  return Paths{both.found, std::move(both.reason), {std::move(both.sources), std::move(both.sinks)}};
}

// Step 4 for one team: its part of the graph, nearest to its points, and what cutting it off costs.
struct Part {
  std::vector<bool> holds;  // of each vertex
  int64_t cost = 0;
};

Part CutOff(const ContractedGraph& graph, const Teams& teams, const Paths& paths, size_t team) {
  double total = 0;
  for (const AffinityEdge& edge : graph.edges) {
    total += edge.affinity;
  }
  const int shift = total > 0 ? 55 - std::ilogb(total) : 0;
  std::vector<CapacityEdge> edges;
  edges.reserve(graph.edges.size() + graph.vertex_count());
  for (const AffinityEdge& edge : graph.edges) {
    edges.push_back({edge.a, edge.b, std::max<int64_t>(1, std::llround(std::scalbn(edge.affinity, shift)))});
  }
  for (const TeamPaths& own : paths.of_team) {
    for (const uint32_t e : own.edges) {
      edges[e].capacity = kCapacityLimit;
    }
  }
  const uint32_t super_source = graph.vertex_count();
  const uint32_t super_sink = super_source + 1;
  for (const uint32_t vertex : teams[team]) {
    edges.push_back({super_source, vertex, kCapacityLimit});
  }
  for (const uint32_t vertex : OthersOf(teams, team)) {
    edges.push_back({vertex, super_sink, kCapacityLimit});
  }
  MaxFlow flow(super_sink + 1, edges);
  Part part{std::vector<bool>(graph.vertex_count()), flow.Solve(super_source, super_sink)};
  for (uint32_t vertex = 0; vertex < graph.vertex_count(); ++vertex) {
    part.holds[vertex] = flow.OnSourceSide(vertex);
  }
  return part;
}

// Step 4. The team to which each vertex goes.
std::vector<uint8_t> CutBetween(const ContractedGraph& graph, const Teams& teams, const Paths& paths) {
  std::vector<Part> parts;
  size_t dearest = teams.size() == 2 ? 1 : 0;
  if (teams.size() == 2) {
    parts.push_back(CutOff(graph, teams, paths, 0));
  } else {
    for (size_t team = 0; team < teams.size(); ++team) {
      parts.push_back(CutOff(graph, teams, paths, team));
      dearest = parts[team].cost > parts[dearest].cost ? team : dearest;
    }
  }
  std::vector<uint8_t> team_of(graph.vertex_count(), static_cast<uint8_t>(dearest));
  for (size_t team = 0; team < parts.size(); ++team) {
    for (uint32_t vertex = 0; team != dearest && vertex < graph.vertex_count(); ++vertex) {
      team_of[vertex] = parts[team].holds[vertex] ? static_cast<uint8_t>(team) : team_of[vertex];
    }
  }
  return team_of;
}

// Components of vertices once the edges between the sides are gone.
DisjointSets ComponentsAfter(const ContractedGraph& graph, const std::vector<uint8_t>& team_of) {
  DisjointSets sets(graph.vertex_count());
  for (const AffinityEdge& edge : graph.edges) {
    if (team_of[edge.a] == team_of[edge.b]) {
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
    return std::any_of(teams.begin(), teams.end(), [&](const std::vector<uint32_t>& team) {
      return std::binary_search(team.begin(), team.end(), vertex);
    });
  };
  return std::any_of(graph.edges.begin(), graph.edges.end(), [&](const AffinityEdge& edge) {
    const bool a_inside = components.Find(edge.a) == home;
    const bool b_inside = components.Find(edge.b) == home;
    return a_inside != b_inside && !is_point(a_inside ? edge.b : edge.a);
  });
}

void ListRemoved(const ContractedGraph& graph, const std::vector<uint8_t>& team_of, GraphCut& result) {
  for (const SupervoxelEdge& edge : graph.supervoxel_edges) {
    if (team_of[graph.vertex[edge.a]] != team_of[graph.vertex[edge.b]]) {
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
  for (const std::vector<uint32_t>& team : teams) {
    result.components.push_back(std::move(by_home[components.Find(team.front())]));
  }
  for (std::vector<uint64_t>& component : by_home) {
    if (!component.empty()) {
      result.components.push_back(std::move(component));
    }
  }
}

}  // namespace

std::string RoleOfTeam(size_t team) {
  return team == 0 ? "source" : team == 1 ? "sink" : absl::StrCat("point of side ", team + 1);
}

absl::StatusOr<GraphCut> CutGraph(const GraphCutRequest& request) {
  CLEAVE_RETURN_IF_ERROR(CheckRequest(request));
  CLEAVE_ASSIGN_OR_RETURN(const ContractedGraph graph, ContractGraph(request.edges));
  Teams teams;
  for (const std::span<const uint64_t> ids : TeamIds(request)) {
    CLEAVE_ASSIGN_OR_RETURN(std::vector<uint32_t> team, FindTeam(graph, ids, RoleOfTeam(teams.size())));
    teams.push_back(std::move(team));
  }
  if (std::optional<GraphCut> shared = SharedFamilies(graph, teams)) {
    return *std::move(shared);
  }
  CLEAVE_RETURN_IF_ERROR(CheckJoined(graph, teams));
  CLEAVE_ASSIGN_OR_RETURN(Paths paths, FindPaths(graph, teams, request.augment_paths));
  if (!paths.found) {
    return SplitNeeded(std::move(paths.reason));
  }
  const std::vector<uint8_t> team_of = CutBetween(graph, teams, paths);
  DisjointSets components = ComponentsAfter(graph, team_of);
  for (size_t team = 0; team < teams.size(); ++team) {
    if (IsTorn(components, teams[team])) {
      return SplitNeeded(absl::StrCat("the cheapest cut parts the ", RolesOfTeam(team), " from each other"));
    }
  }
  for (size_t team = 0; request.refuse_isolating_cut && team < teams.size(); ++team) {
    if (IsIsolated(graph, components, paths.of_team[team], teams)) {
      return absl::FailedPreconditionError(absl::StrCat("the cut would cut off only the labelled ", RolesOfTeam(team),
                                                        "; place more points on that side, farther from the cut"));
    }
  }
  GraphCut result;
  ListRemoved(graph, team_of, result);
  ListComponents(graph, components, teams, result);
  return result;
}

}  // namespace cleave::cut
