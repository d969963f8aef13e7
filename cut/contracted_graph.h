// A graph of supervoxels in which families, that is supervoxels joined by edges that can never be cut, are one vertex.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

#include "cut/graph_cut.h"
#include "cut/team_paths.h"

namespace cleave::cut {

// An edge between two supervoxels, as indices into ContractedGraph::supervoxels, a < b.
struct SupervoxelEdge {
  uint32_t a = 0;
  uint32_t b = 0;
  float affinity = 0;
};

// One numbering for everything: supervoxels by ascending id, vertices (families) by their smallest supervoxel.
struct ContractedGraph {
  std::vector<uint64_t> supervoxels;             // ids, ascending
  std::vector<uint32_t> vertex;                  // of each supervoxel
  std::vector<std::vector<uint32_t>> family;     // supervoxels of each vertex, ascending
  std::vector<SupervoxelEdge> supervoxel_edges;  // each pair once, ascending; of repeated pairs the greatest affinity
  std::vector<AffinityEdge> edges;               // each pair of vertices once, ascending; affinities added

  [[nodiscard]] uint32_t vertex_count() const { return static_cast<uint32_t>(family.size()); }
  // The vertex of a supervoxel id; nothing when no edge names it.
  [[nodiscard]] std::optional<uint32_t> Find(uint64_t id) const;
};

// Errors: INVALID_ARGUMENT when an id is 0 or an affinity is negative or not a number. Loops are ignored.
[[nodiscard]] absl::StatusOr<ContractedGraph> ContractGraph(std::span<const WeightedEdge> edges);

}  // namespace cleave::cut
