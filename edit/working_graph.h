// The edges of one object in one region while a split is being planned: stored at first, then with voxel cuts worked
// in.
#pragma once

#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"

#include "edit/edge_routing.h"
#include "edit/voxel_split.h"
#include "graph/edges.h"
#include "graph/ids.h"
#include "graph/local_graph.h"

namespace cleave::edit {

// What parts the sides (sources, sinks, and any further ones) in the region.
struct RegionCut {
  // Edges to remove, ends sorted; empty while a family must be cut first.
  std::vector<graph::EdgeEnds> removed;
  // Supervoxels that hang together after the cut: those of each side, then the rest, each ascending.
  std::vector<std::vector<graph::NodeId>> components;
  // The families that hold points of several sides, each ascending.
  std::vector<std::vector<graph::NodeId>> shared_families;
};

class WorkingGraph {
 public:
  explicit WorkingGraph(graph::LocalGraph local);

  // The L2 nodes of the region.
  [[nodiscard]] const absl::flat_hash_set<graph::NodeId>& l2_nodes() const { return l2_nodes_; }
  // The L2 node of a supervoxel in the region; of a fragment, its former's. 0 for any other id.
  [[nodiscard]] graph::NodeId L2Of(graph::NodeId supervoxel) const;
  [[nodiscard]] const std::vector<graph::Edge>& active() const { return local_.active; }
  // New edges of voxel cuts, to be stored.
  [[nodiscard]] const std::vector<RoutedEdge>& routed() const { return routed_; }

  // The infinite edges inside a family.
  [[nodiscard]] std::vector<graph::EdgeEnds> InfiniteEdges(std::span<const graph::NodeId> family) const;
  // All edges, active or not, with an end among the supervoxels that `split` replaces.
  [[nodiscard]] std::vector<RoutedEdge> EdgesOfReplaced(const VoxelSplit& split) const;

  // Puts `edges` in the place of all edges of the replaced supervoxels.
  void Replace(const VoxelSplit& split, const std::vector<RoutedEdge>& edges);

  struct CutRules {
    bool augment_paths = true;
    bool refuse_isolating_cut = true;  // unless voxels were cut before
  };
  // Cuts the active edges between the supervoxels of two or more sides. Errors are those of cut/graph_cut.h.
  [[nodiscard]] absl::StatusOr<RegionCut> Cut(const std::vector<std::vector<graph::NodeId>>& sides,
                                              const CutRules& rules) const;

 private:
  [[nodiscard]] std::vector<std::vector<graph::NodeId>> SharedFamilies(
      const std::vector<std::vector<graph::NodeId>>& sides) const;

  graph::LocalGraph local_;
  absl::flat_hash_set<graph::NodeId> l2_nodes_;
  std::vector<RoutedEdge> routed_;
};

}  // namespace cleave::edit
