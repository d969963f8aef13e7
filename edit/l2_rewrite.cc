#include "edit/l2_rewrite.h"

#include <algorithm>
#include <map>

#include "base/status.h"
#include "graph/l2_components.h"

namespace cleave::edit {

using graph::EdgeEnds;
using graph::L2Piece;
using graph::NodeId;

absl::Status L2Rewrite::Retire(std::span<const NodeId> l2_nodes) {
  retired_.assign(l2_nodes.begin(), l2_nodes.end());
  std::ranges::sort(retired_);
  retired_.erase(std::ranges::unique(retired_).begin(), retired_.end());
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::vector<NodeId>> children, view_.Children(retired_));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<graph::CrossEdges> cross_edges, view_.CrossEdgesOf(retired_));
  for (size_t i = 0; i < retired_.size(); ++i) {
    supervoxels_[retired_[i]] = children[i];
    members_.insert(children[i].begin(), children[i].end());
    for (const auto& [layer, edges] : cross_edges[i]) {
      cross_edges_.insert(cross_edges_.end(), edges.begin(), edges.end());
    }
  }
  return absl::OkStatus();
}

void L2Rewrite::ReplaceSupervoxel(NodeId former, std::span<const NodeId> fragments) {
  members_.erase(former);
  gone_.insert(former);
  members_.insert(fragments.begin(), fragments.end());
}

void L2Rewrite::Rename(const absl::flat_hash_map<NodeId, NodeId>& new_id_of) {
  const auto rename = [&](NodeId& id) {
    if (const auto found = new_id_of.find(id); found != new_id_of.end()) {
      id = found->second;
    }
  };
  members_.clear();
  for (auto& [l2_node, supervoxels] : supervoxels_) {
    std::ranges::for_each(supervoxels, rename);
    std::ranges::sort(supervoxels);
    supervoxels.erase(std::ranges::unique(supervoxels).begin(), supervoxels.end());
    members_.insert(supervoxels.begin(), supervoxels.end());
  }
  for (EdgeEnds& edge : cross_edges_) {
    rename(edge.node1);
    rename(edge.node2);
  }
}

void L2Rewrite::LinkAllOf(NodeId l2_node) {
  const std::vector<NodeId>& supervoxels = supervoxels_.at(l2_node);
  for (size_t i = 1; i < supervoxels.size(); ++i) {
    Link({supervoxels[i - 1], supervoxels[i]});
  }
}

void L2Rewrite::AddCrossEdge(EdgeEnds edge) {
  cross_edges_.push_back(edge);
  cross_edges_.push_back(edge.Reversed());
}

std::vector<L2Piece> L2Rewrite::Pieces() const {
  const graph::IdLayout& layout = view_.layout();
  const std::vector<NodeId> members(members_.begin(), members_.end());
  std::vector<L2Piece> pieces;
  absl::flat_hash_map<NodeId, size_t> piece_of;
  for (std::vector<NodeId>& component : graph::ComponentsOf(members, links_)) {
    for (const NodeId supervoxel : component) {
      piece_of[supervoxel] = pieces.size();
    }
    const ChunkPoint chunk = layout.ChunkOf(component.front()).position;
    pieces.push_back({chunk, std::move(component), {}});
  }
  std::vector<EdgeEnds> edges = cross_edges_;
  std::ranges::sort(edges);
  edges.erase(std::ranges::unique(edges).begin(), edges.end());
  for (const EdgeEnds& edge : edges) {
    const auto own = piece_of.find(edge.node1);
    if (own != piece_of.end() && !gone_.contains(edge.node2) && !removed_.contains(edge.Sorted())) {
      pieces[own->second].cross_edges[layout.EdgeLayer(edge.node1, edge.node2)].push_back(edge);
    }
  }
  return pieces;
}

}  // namespace cleave::edit
