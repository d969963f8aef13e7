// Collects what becomes of some L2 nodes in an edit, and gives the pieces that take their place.
#pragma once

#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"

#include "graph/edges.h"
#include "graph/graph_view.h"
#include "graph/hierarchy.h"
#include "graph/ids.h"

namespace cleave::edit {

// First Retire, then the changes, then Pieces. The view must outlive this.
class L2Rewrite {
 public:
  explicit L2Rewrite(const graph::GraphView& view) : view_(view) {}

  // These nodes cease to exist: loads their supervoxels and their active cross-chunk edges. May be called once.
  [[nodiscard]] absl::Status Retire(std::span<const graph::NodeId> l2_nodes);
  [[nodiscard]] const std::vector<graph::NodeId>& retired() const { return retired_; }

  // The supervoxel is now these; it and its edges vanish.
  void ReplaceSupervoxel(graph::NodeId former, std::span<const graph::NodeId> fragments);
  // Supervoxels that get another id, several of them perhaps the same one, with their edges; the ids of all that is
  // added from here on are the new ones.
  void Rename(const absl::flat_hash_map<graph::NodeId, graph::NodeId>& new_id_of);
  // An active edge inside one chunk. Without links, each supervoxel is a piece of its own.
  void Link(graph::EdgeEnds edge) { links_.push_back(edge); }
  // All supervoxels of a retired node stay together, as they were.
  void LinkAllOf(graph::NodeId l2_node);
  // An active edge between two chunks, in both directions; ends that were not retired are left alone.
  void AddCrossEdge(graph::EdgeEnds edge);
  // An edge between two chunks that is no longer active.
  void RemoveCrossEdge(graph::EdgeEnds edge) { removed_.insert(edge.Sorted()); }

  [[nodiscard]] std::vector<graph::L2Piece> Pieces() const;

 private:
  const graph::GraphView& view_;
  std::vector<graph::NodeId> retired_;
  absl::flat_hash_map<graph::NodeId, std::vector<graph::NodeId>> supervoxels_;  // of each retired node
  absl::flat_hash_set<graph::NodeId> members_;                                  // supervoxels of the new state
  absl::flat_hash_set<graph::NodeId> gone_;
  std::vector<graph::EdgeEnds> links_;
  std::vector<graph::EdgeEnds> cross_edges_;  // own end first
  absl::flat_hash_set<graph::EdgeEnds> removed_;
};

}  // namespace cleave::edit
