#include "cut/team_paths.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <queue>
#include <utility>

#include "cut/disjoint_sets.h"

namespace cleave::cut {
namespace {

constexpr uint32_t kNoEdge = std::numeric_limits<uint32_t>::max();

// The edges of each vertex, in one array.
struct Adjacency {
  std::span<const AffinityEdge> edges;
  std::vector<uint32_t> first;
  std::vector<uint32_t> incident;

  Adjacency(uint32_t vertex_count, std::span<const AffinityEdge> all_edges)
      : edges(all_edges), first(vertex_count + 1, 0), incident(2 * all_edges.size()) {
    for (const AffinityEdge& edge : edges) {
      ++first[edge.a + 1];
      ++first[edge.b + 1];
    }
    for (uint32_t v = 0; v < vertex_count; ++v) {
      first[v + 1] += first[v];
    }
    std::vector<uint32_t> next(first.begin(), first.end() - 1);
    for (uint32_t e = 0; e < edges.size(); ++e) {
      incident[next[edges[e].a]++] = e;
      incident[next[edges[e].b]++] = e;
    }
  }
  [[nodiscard]] uint32_t vertex_count() const { return static_cast<uint32_t>(first.size() - 1); }
  [[nodiscard]] uint32_t OtherEnd(uint32_t e, uint32_t v) const { return edges[e].a == v ? edges[e].b : edges[e].a; }
  [[nodiscard]] double Length(uint32_t e) const {
    return 1 / (edges[e].affinity + std::numeric_limits<double>::epsilon());
  }
};

// The paths of a team and the mean of their lengths.
struct MeasuredPaths {
  TeamPaths paths;
  double log_mean_length = 0;  // logarithm of the geometric mean over all pairs
};

void SortAndDeduplicate(std::vector<uint32_t>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

TeamPaths WithVertices(const Adjacency& graph, std::vector<uint32_t> edges, std::span<const uint32_t> team) {
  TeamPaths paths{.edges = std::move(edges), .vertices = {team.begin(), team.end()}};
  SortAndDeduplicate(paths.edges);
  for (const uint32_t e : paths.edges) {
    paths.vertices.push_back(graph.edges[e].a);
    paths.vertices.push_back(graph.edges[e].b);
  }
  SortAndDeduplicate(paths.vertices);
  return paths;
}

// Shortest distances from one vertex (Dijkstra), not through blocked vertices, and the edge by which each was reached.
struct ShortestTree {
  std::vector<double> distance;
  std::vector<uint32_t> edge;
};

ShortestTree GrowTree(const Adjacency& graph, uint32_t start, const std::vector<bool>& blocked) {
  ShortestTree tree{std::vector<double>(graph.vertex_count(), std::numeric_limits<double>::infinity()),
                    std::vector<uint32_t>(graph.vertex_count(), kNoEdge)};
  using Entry = std::pair<double, uint32_t>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> open;
  tree.distance[start] = 0;
  open.push({0, start});
  while (!open.empty()) {
    const auto [distance, v] = open.top();
    open.pop();
    if (distance > tree.distance[v]) {
      continue;
    }
    for (uint32_t i = graph.first[v]; i < graph.first[v + 1]; ++i) {
      const uint32_t e = graph.incident[i];
      const uint32_t other = graph.OtherEnd(e, v);
      const double through = distance + graph.Length(e);
      if (!blocked[other] && through < tree.distance[other]) {
        tree.distance[other] = through;
        tree.edge[other] = e;
        open.push({through, other});
      }
    }
  }
  return tree;
}

// Shortest paths between all pairs of a team that keep off the blocked vertices; nothing when a pair has none.
std::optional<MeasuredPaths> JoinTeam(const Adjacency& graph, std::span<const uint32_t> team,
                                      std::span<const uint32_t> blocked_vertices) {
  std::vector<bool> blocked(graph.vertex_count(), false);
  for (const uint32_t v : blocked_vertices) {
    blocked[v] = true;
  }
  MeasuredPaths result;
  std::vector<uint32_t> edges;
  int64_t pairs = 0;
  for (size_t i = 0; i + 1 < team.size(); ++i) {
    const ShortestTree tree = GrowTree(graph, team[i], blocked);
    for (const uint32_t end : team.subspan(i + 1)) {
      if (tree.edge[end] == kNoEdge) {
        return std::nullopt;
      }
      for (uint32_t v = end; v != team[i]; v = graph.OtherEnd(tree.edge[v], v)) {
        edges.push_back(tree.edge[v]);
      }
      result.log_mean_length += std::log(tree.distance[end]);
      ++pairs;
    }
  }
  if (pairs > 0) {
    result.log_mean_length /= static_cast<double>(pairs);
  }
  result.paths = WithVertices(graph, std::move(edges), team);
  return result;
}

// The paths without the edges that touch `dropped` (ascending).
TeamPaths Without(const Adjacency& graph, const TeamPaths& paths, const std::vector<uint32_t>& dropped,
                  std::span<const uint32_t> team) {
  std::vector<uint32_t> edges;
  for (const uint32_t e : paths.edges) {
    if (!std::binary_search(dropped.begin(), dropped.end(), graph.edges[e].a) &&
        !std::binary_search(dropped.begin(), dropped.end(), graph.edges[e].b)) {
      edges.push_back(e);
    }
  }
  return WithVertices(graph, std::move(edges), team);
}

bool IsJoined(const Adjacency& graph, const TeamPaths& paths, std::span<const uint32_t> team) {
  DisjointSets sets(graph.vertex_count());
  for (const uint32_t e : paths.edges) {
    sets.Join(graph.edges[e].a, graph.edges[e].b);
  }
  return std::all_of(team.begin(), team.end(), [&](uint32_t v) { return sets.Find(v) == sets.Find(team.front()); });
}

}  // namespace

std::optional<TeamPaths> FindPathsOfTeam(uint32_t vertex_count, std::span<const AffinityEdge> edges,
                                         std::span<const uint32_t> team, std::span<const uint32_t> blocked) {
  std::optional<MeasuredPaths> paths = JoinTeam(Adjacency(vertex_count, edges), team, blocked);
  return paths ? std::optional(std::move(paths->paths)) : std::nullopt;
}

absl::StatusOr<PathsOfTeams> FindPathsOfTeams(uint32_t vertex_count, std::span<const AffinityEdge> edges,
                                              std::span<const uint32_t> sources, std::span<const uint32_t> sinks) {
  const Adjacency graph(vertex_count, edges);
  std::optional<MeasuredPaths> source_paths = JoinTeam(graph, sources, sinks);
  std::optional<MeasuredPaths> sink_paths = JoinTeam(graph, sinks, sources);
  if (!source_paths || !sink_paths) {
    return PathsOfTeams{.found = false,
                        .reason = source_paths ? "the sinks are joined only through sources"
                                               : "the sources are joined only through sinks",
                        .sources = {},
                        .sinks = {}};
  }
  const TeamPaths& full_sources = source_paths->paths;
  const TeamPaths& full_sinks = sink_paths->paths;
  std::vector<uint32_t> common;
  std::set_intersection(full_sources.vertices.begin(), full_sources.vertices.end(), full_sinks.vertices.begin(),
                        full_sinks.vertices.end(), std::back_inserter(common));
  TeamPaths trimmed_sources = Without(graph, full_sources, common, sources);
  TeamPaths trimmed_sinks = Without(graph, full_sinks, common, sinks);
  if (IsJoined(graph, trimmed_sources, sources) && IsJoined(graph, trimmed_sinks, sinks)) {
    return PathsOfTeams{
        .found = true, .reason = {}, .sources = std::move(trimmed_sources), .sinks = std::move(trimmed_sinks)};
  }
  const bool sources_first = source_paths->log_mean_length <= sink_paths->log_mean_length;
  for (const bool sources_keep : {sources_first, !sources_first}) {
    std::optional<MeasuredPaths> around =
        sources_keep ? JoinTeam(graph, sinks, full_sources.vertices) : JoinTeam(graph, sources, full_sinks.vertices);
    if (around) {
      return PathsOfTeams{.found = true,
                          .reason = {},
                          .sources = sources_keep ? full_sources : std::move(around->paths),
                          .sinks = sources_keep ? std::move(around->paths) : full_sinks};
    }
  }
  return absl::FailedPreconditionError(
      "the paths that join the sources and those that join the sinks cross and cannot go around each other; cut in "
      "several steps, with fewer points each");
}

}  // namespace cleave::cut
