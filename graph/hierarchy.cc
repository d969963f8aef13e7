#include "graph/hierarchy.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "graph/l2_components.h"

namespace cleave::graph {
namespace {

class Planner {
 public:
  Planner(const GraphView& view, IdAllocator& ids) : view_(view), layout_(view.layout()), ids_(ids) {}

  absl::StatusOr<HierarchyPlan> Plan(std::span<const NodeId> retired, std::span<const L2Piece> pieces) {
    CLEAVE_RETURN_IF_ERROR(Retire(retired));
    CLEAVE_RETURN_IF_ERROR(AddPieces(pieces));
    for (int layer = kL2Layer; layer < layout_.layer_count(); ++layer) {
      CLEAVE_RETURN_IF_ERROR(PlanParents(layer));
    }
    return Finish();
  }

 private:
  // A node of the layer being planned, new or kept.
  struct Participant {
    NodeId id{};
    CrossEdges cross_edges;
  };

  absl::Status Retire(std::span<const NodeId> l2_nodes) {
    std::vector<NodeId> frontier(l2_nodes.begin(), l2_nodes.end());
    while (!frontier.empty()) {
      std::ranges::sort(frontier);
      frontier.erase(std::ranges::unique(frontier).begin(), frontier.end());
      CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> parents, view_.Parents(frontier));
      std::vector<NodeId> next;
      for (size_t i = 0; i < frontier.size(); ++i) {
        if (retired_.insert(frontier[i]).second && parents[i] != NodeId{}) {
          next.push_back(parents[i]);
        }
      }
      frontier = std::move(next);
    }
    return absl::OkStatus();
  }

  absl::Status AddPieces(std::span<const L2Piece> pieces) {
    std::vector<ChunkAddress> chunks;
    for (const L2Piece& piece : pieces) {
      chunks.push_back({kL2Layer, piece.chunk});
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> ids, Allocate(chunks));
    for (size_t i = 0; i < pieces.size(); ++i) {
      AddNode({ids[i], pieces[i].supervoxels, pieces[i].cross_edges});
    }
    return absl::OkStatus();
  }

  // One new id in each of `chunks`, one request per distinct chunk.
  absl::StatusOr<std::vector<NodeId>> Allocate(const std::vector<ChunkAddress>& chunks) {
    std::map<ChunkAddress, std::vector<size_t>> places;
    for (size_t i = 0; i < chunks.size(); ++i) {
      places[chunks[i]].push_back(i);
    }
    std::vector<NodeId> ids(chunks.size());
    for (const auto& [chunk, indexes] : places) {
      CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> nodes,
                              ids_.NewNodes(chunk, static_cast<int64_t>(indexes.size())));
      for (size_t i = 0; i < indexes.size(); ++i) {
        ids[indexes[i]] = nodes[i];
      }
    }
    return ids;
  }

  void AddNode(PlannedNode node) {
    std::ranges::sort(node.children);
    for (const NodeId child : node.children) {
      parent_of_[child] = node.id;
    }
    new_by_layer_[layout_.LayerOf(node.id)].push_back(std::move(node));
  }

  absl::Status PlanParents(int layer) {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<Participant> participants, Participants(layer));
    if (participants.empty()) {
      return absl::OkStatus();
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<EdgeEnds> edges, EdgesAmong(participants, layer));
    std::vector<NodeId> members;
    absl::flat_hash_map<NodeId, const Participant*> by_id;
    for (const Participant& participant : participants) {
      members.push_back(participant.id);
      by_id[participant.id] = &participant;
    }
    const std::vector<std::vector<NodeId>> components = ComponentsOf(members, edges);
    std::vector<ChunkAddress> chunks;
    for (const std::vector<NodeId>& component : components) {
      const int parent_layer = component.size() > 1 ? layer + 1 : SkipLayer(by_id[component[0]]->cross_edges, layer);
      chunks.push_back(layout_.AncestorChunk(layout_.ChunkOf(component[0]), parent_layer));
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> ids, Allocate(chunks));
    for (size_t i = 0; i < components.size(); ++i) {
      PlannedNode parent{ids[i], components[i], {}};
      for (const NodeId child : components[i]) {
        for (const auto& [edge_layer, ends] : by_id[child]->cross_edges) {
          if (edge_layer >= chunks[i].layer) {
            std::vector<EdgeEnds>& target = parent.cross_edges[edge_layer];
            target.insert(target.end(), ends.begin(), ends.end());
          }
        }
      }
      AddNode(std::move(parent));
    }
    return absl::OkStatus();
  }

  int SkipLayer(const CrossEdges& cross_edges, int layer) const {
    const auto lowest = cross_edges.upper_bound(layer);
    return lowest == cross_edges.end() ? layout_.layer_count() : lowest->first;
  }

  absl::StatusOr<std::vector<Participant>> Participants(int layer) {
    std::vector<Participant> participants;
    for (const PlannedNode& node : new_by_layer_[layer]) {
      participants.push_back({node.id, node.cross_edges});
    }
    std::vector<NodeId> parents;
    std::ranges::copy_if(retired_, std::back_inserter(parents), [&](NodeId id) { return layout_.LayerOf(id) > layer; });
    std::ranges::sort(parents);
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> kept, KeptChildren(parents, layer));
    CLEAVE_ASSIGN_OR_RETURN(std::vector<CrossEdges> cross_edges, view_.CrossEdgesOf(kept));
    for (size_t i = 0; i < kept.size(); ++i) {
      participants.push_back({kept[i], std::move(cross_edges[i])});
    }
    return participants;
  }

  absl::StatusOr<std::vector<NodeId>> KeptChildren(const std::vector<NodeId>& retired_parents, int layer) {
    std::vector<NodeId> unread;
    for (const NodeId parent : retired_parents) {
      if (!children_.contains(parent)) {
        unread.push_back(parent);
      }
    }
    CLEAVE_ASSIGN_OR_RETURN(std::vector<std::vector<NodeId>> lists, view_.Children(unread));
    for (size_t i = 0; i < unread.size(); ++i) {
      children_[unread[i]] = std::move(lists[i]);
    }
    std::vector<NodeId> kept;
    for (const NodeId parent : retired_parents) {
      for (const NodeId child : children_[parent]) {
        if (layout_.LayerOf(child) == layer && !retired_.contains(child)) {
          kept.push_back(child);
        }
      }
    }
    return kept;
  }

  // The active edges of `layer` among the participants, as pairs of participants.
  absl::StatusOr<std::vector<EdgeEnds>> EdgesAmong(const std::vector<Participant>& participants, int layer) {
    std::vector<NodeId> partners;
    absl::flat_hash_set<NodeId> known;
    for (const Participant& participant : participants) {
      known.insert(participant.id);
      if (const auto ends = participant.cross_edges.find(layer); ends != participant.cross_edges.end()) {
        for (const EdgeEnds& edge : ends->second) {
          partners.push_back(edge.node2);
        }
      }
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> tops, Climb(partners, layer));
    std::vector<EdgeEnds> edges;
    size_t next = 0;
    for (const Participant& participant : participants) {
      const auto ends = participant.cross_edges.find(layer);
      if (ends == participant.cross_edges.end()) {
        continue;
      }
      for (const EdgeEnds& edge : ends->second) {
        const NodeId partner = tops[next++];
        if (!known.contains(partner)) {
          return absl::InternalError(absl::StrCat(
              "the active edge ", Value(edge.node1), "-", Value(edge.node2), " of layer ", layer, " leads from node ",
              Value(participant.id), " to node ", Value(partner), ", which takes no part; run `cleave fsck`"));
        }
        edges.push_back({participant.id, partner});
      }
    }
    return edges;
  }

  // The ancestor in `layer` of each node in the new state.
  absl::StatusOr<std::vector<NodeId>> Climb(const std::vector<NodeId>& nodes, int layer) {
    std::vector<NodeId> tops = nodes;
    while (true) {
      std::vector<NodeId> stored;
      for (NodeId& top : tops) {
        for (auto up = parent_of_.find(top); up != parent_of_.end() && layout_.LayerOf(up->second) <= layer;
             up = parent_of_.find(top)) {
          top = up->second;
        }
        if (layout_.LayerOf(top) < layer && !parent_of_.contains(top) && !stored_parent_.contains(top)) {
          stored.push_back(top);
        }
      }
      std::ranges::sort(stored);
      stored.erase(std::ranges::unique(stored).begin(), stored.end());
      CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> parents, view_.Parents(stored));
      for (size_t i = 0; i < stored.size(); ++i) {
        stored_parent_[stored[i]] = parents[i];
      }
      bool moved = false;
      for (NodeId& top : tops) {
        if (layout_.LayerOf(top) >= layer || parent_of_.contains(top)) {
          continue;
        }
        const NodeId up = stored_parent_[top];
        if (up != NodeId{} && layout_.LayerOf(up) <= layer && !retired_.contains(up)) {
          top = up;
          moved = true;
        }
      }
      if (!moved) {
        return tops;
      }
    }
  }

  HierarchyPlan Finish() {
    HierarchyPlan plan;
    for (auto& [layer, nodes] : new_by_layer_) {
      for (PlannedNode& node : nodes) {
        if (layer == layout_.layer_count()) {
          plan.new_roots.push_back(node.id);
        }
        plan.nodes.push_back(std::move(node));
      }
    }
    for (const NodeId id : retired_) {
      if (layout_.LayerOf(id) == layout_.layer_count()) {
        plan.old_roots.push_back(id);
      }
    }
    std::ranges::sort(plan.old_roots);
    std::ranges::sort(plan.new_roots);
    return plan;
  }

  const GraphView& view_;
  const IdLayout& layout_;
  IdAllocator& ids_;
  absl::flat_hash_set<NodeId> retired_;
  std::map<int, std::vector<PlannedNode>> new_by_layer_;
  absl::flat_hash_map<NodeId, NodeId> parent_of_;              // of the new state
  absl::flat_hash_map<NodeId, NodeId> stored_parent_;          // of the stored state, as far as it was asked for
  absl::flat_hash_map<NodeId, std::vector<NodeId>> children_;  // of retired nodes
};

}  // namespace

absl::StatusOr<HierarchyPlan> PlanHierarchy(const GraphView& view, IdAllocator& ids, std::span<const NodeId> retired,
                                            std::span<const L2Piece> pieces) {
  return Planner(view, ids).Plan(retired, pieces);
}

}  // namespace cleave::graph
