#include "cut/contracted_graph.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "cut/disjoint_sets.h"

namespace cleave::cut {
namespace {

absl::Status CheckEdges(std::span<const WeightedEdge> edges) {
  for (const WeightedEdge& edge : edges) {
    if (edge.a == 0 || edge.b == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("edge ", edge.a, " - ", edge.b, " names supervoxel 0, which is background"));
    }
    if (std::isnan(edge.affinity) || edge.affinity < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("edge ", edge.a, " - ", edge.b, " has affinity ", edge.affinity, "; it must be 0 or more"));
    }
  }
  return absl::OkStatus();
}

std::vector<uint64_t> DistinctIds(std::span<const WeightedEdge> edges) {
  std::vector<uint64_t> ids;
  ids.reserve(2 * edges.size());
  for (const WeightedEdge& edge : edges) {
    ids.push_back(edge.a);
    ids.push_back(edge.b);
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

std::vector<SupervoxelEdge> DistinctEdges(const ContractedGraph& graph, std::span<const WeightedEdge> edges) {
  std::vector<SupervoxelEdge> result;
  result.reserve(edges.size());
  for (const WeightedEdge& edge : edges) {
    if (edge.a != edge.b) {
      const auto [low, high] = std::minmax(edge.a, edge.b);
      const auto a = std::lower_bound(graph.supervoxels.begin(), graph.supervoxels.end(), low);
      const auto b = std::lower_bound(a, graph.supervoxels.end(), high);
      result.push_back({static_cast<uint32_t>(a - graph.supervoxels.begin()),
                        static_cast<uint32_t>(b - graph.supervoxels.begin()), edge.affinity});
    }
  }
  std::sort(result.begin(), result.end(), [](const SupervoxelEdge& left, const SupervoxelEdge& right) {
    return std::tuple(left.a, left.b, -left.affinity) < std::tuple(right.a, right.b, -right.affinity);
  });
  result.erase(std::unique(result.begin(), result.end(),
                           [](const SupervoxelEdge& left, const SupervoxelEdge& right) {
                             return left.a == right.a && left.b == right.b;
                           }),
               result.end());
  return result;
}

void FindFamilies(ContractedGraph& graph) {
  const uint32_t count = static_cast<uint32_t>(graph.supervoxels.size());
  DisjointSets sets(count);
  for (const SupervoxelEdge& edge : graph.supervoxel_edges) {
    if (std::isinf(edge.affinity)) {
      sets.Join(edge.a, edge.b);
    }
  }
  graph.vertex.resize(count);
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t first = sets.Find(i);
    if (first == i) {
      graph.vertex[i] = graph.vertex_count();
      graph.family.emplace_back();
    }
    graph.vertex[i] = graph.vertex[first];
    graph.family[graph.vertex[i]].push_back(i);
  }
}

std::vector<AffinityEdge> EdgesBetweenFamilies(const ContractedGraph& graph) {
  std::vector<AffinityEdge> edges;
  for (const SupervoxelEdge& edge : graph.supervoxel_edges) {
    const auto [a, b] = std::minmax(graph.vertex[edge.a], graph.vertex[edge.b]);
    if (a != b) {
      edges.push_back({a, b, edge.affinity});
    }
  }
  // Stable: equal pairs are added in the order of their supervoxels, so the sum does not depend on the caller's order.
  std::stable_sort(edges.begin(), edges.end(), [](const AffinityEdge& left, const AffinityEdge& right) {
    return std::pair(left.a, left.b) < std::pair(right.a, right.b);
  });
  size_t kept = 0;
  for (const AffinityEdge& edge : edges) {
    if (kept > 0 && edges[kept - 1].a == edge.a && edges[kept - 1].b == edge.b) {
      edges[kept - 1].affinity += edge.affinity;
    } else {
      edges[kept++] = edge;
    }
  }
  edges.resize(kept);
  return edges;
}

}  // namespace

std::optional<uint32_t> ContractedGraph::Find(uint64_t id) const {
  const auto found = std::lower_bound(supervoxels.begin(), supervoxels.end(), id);
  if (found == supervoxels.end() || *found != id) {
    return std::nullopt;
  }
  return vertex[static_cast<size_t>(found - supervoxels.begin())];
}

absl::StatusOr<ContractedGraph> ContractGraph(std::span<const WeightedEdge> edges) {
  CLEAVE_RETURN_IF_ERROR(CheckEdges(edges));
  ContractedGraph graph;
  graph.supervoxels = DistinctIds(edges);
  graph.supervoxel_edges = DistinctEdges(graph, edges);
  FindFamilies(graph);
  graph.edges = EdgesBetweenFamilies(graph);
  return graph;
}

}  // namespace cleave::cut
