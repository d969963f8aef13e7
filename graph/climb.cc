// How chains of parents are read for many nodes at once:
//   1. All nodes are sorted; ids begin with their layer, so the nodes of one layer lie together.
//   2. Layer by layer upwards, the nodes at hand (those asked for, and parents from below) are read together, each
//   once.
//   3. Downwards again, each node takes over what its parent found.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "graph/graph_view.h"

namespace cleave::graph {
namespace {

// The nodes of one layer, ascending, and the parent of each; 0 where the climb ends.
struct Level {
  std::vector<NodeId> nodes;
  std::vector<NodeId> parents;
};

void SortUnique(std::vector<NodeId>& ids) {
  if (!std::ranges::is_sorted(ids)) {
    std::ranges::sort(ids);
  }
  ids.erase(std::ranges::unique(ids).begin(), ids.end());
}

// Finds ascending or nearly ascending ids in a sorted list.
class Finder {
 public:
  explicit Finder(const std::vector<NodeId>& ids) : ids_(ids) {}
  // REQUIRES: the list holds `id`.
  size_t Find(NodeId id) {
    if (ids_[last_] != id) {
      const bool is_next = last_ + 1 < ids_.size() && ids_[last_ + 1] == id;
      last_ = is_next ? last_ + 1 : static_cast<size_t>(std::ranges::lower_bound(ids_, id) - ids_.begin());
    }
    return last_;
  }

 private:
  const std::vector<NodeId>& ids_;
  size_t last_ = 0;
};

struct ClimbEnd {
  int layer = 0;
  SkippedLayer skipped = SkippedLayer::kStayBelow;
};

// `sorted`: the nodes asked for, ascending. The result is by layer, from 0 to below the end's.
absl::StatusOr<std::vector<Level>> ReadLevels(const GraphView& view, const std::vector<NodeId>& sorted,
                                              const ClimbEnd& end) {
  const IdLayout& layout = view.layout();
  std::vector<Level> levels(static_cast<size_t>(std::max(0, end.layer)));
  for (const NodeId node : sorted) {
    if (const int layer = layout.LayerOf(node); layer >= kSupervoxelLayer && layer < end.layer) {
      levels[static_cast<size_t>(layer)].nodes.push_back(node);
    }
  }
  for (int layer = kSupervoxelLayer; layer < end.layer; ++layer) {
    Level& level = levels[static_cast<size_t>(layer)];
    SortUnique(level.nodes);
    CLEAVE_ASSIGN_OR_RETURN(level.parents, view.Parents(level.nodes));
    for (size_t i = 0; i < level.nodes.size(); ++i) {
      NodeId& parent = level.parents[i];
      const int parent_layer = layout.LayerOf(parent);
      if (parent != NodeId{} && (parent_layer <= layer || parent_layer > layout.layer_count())) {
        return absl::DataLossError(absl::StrCat("node ", Value(level.nodes[i]), " has the parent ", Value(parent),
                                                ", which does not lie above it; run `cleave fsck`"));
      }
      if (parent_layer > end.layer && end.skipped == SkippedLayer::kStayBelow) {
        parent = NodeId{};
      }
      if (parent != NodeId{} && parent_layer < end.layer) {
        std::vector<NodeId>& above = levels[static_cast<size_t>(parent_layer)].nodes;
        if (above.empty() || above.back() != parent) {
          above.push_back(parent);
        }
      }
    }
  }
  return levels;
}

// Calls visit(place, node) for each of `nodes`, in the order of the ids.
template <typename Visit>
void InOrder(std::span<const NodeId> nodes, Visit visit) {
  if (std::ranges::is_sorted(nodes)) {
    for (size_t i = 0; i < nodes.size(); ++i) {
      visit(i, nodes[i]);
    }
    return;
  }
  std::vector<std::pair<NodeId, size_t>> places(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    places[i] = {nodes[i], i};
  }
  std::ranges::sort(places);
  for (const auto& [node, place] : places) {
    visit(place, node);
  }
}

std::vector<NodeId> Sorted(std::span<const NodeId> nodes) {
  std::vector<NodeId> sorted(nodes.begin(), nodes.end());
  SortUnique(sorted);
  return sorted;
}

}  // namespace

absl::StatusOr<std::vector<NodeId>> GraphView::Ancestors(std::span<const NodeId> nodes, int layer,
                                                         SkippedLayer skipped) const {
  CLEAVE_ASSIGN_OR_RETURN(std::vector<Level> levels, ReadLevels(*this, Sorted(nodes), {layer, skipped}));
  std::vector<Finder> finders;
  finders.reserve(levels.size());
  for (const Level& level : levels) {
    finders.emplace_back(level.nodes);
  }
  // From here on `parents` holds the ends of the climbs; those of the layers above are right already.
  const auto end_of = [&](NodeId node) {
    const auto node_layer = static_cast<size_t>(layout_.LayerOf(node));
    if (node_layer == 0 || node_layer >= levels.size()) {
      return node;
    }
    const NodeId end = levels[node_layer].parents[finders[node_layer].Find(node)];
    return end == NodeId{} ? node : end;
  };
  for (size_t i = levels.size(); i-- > 0;) {
    for (NodeId& parent : levels[i].parents) {
      parent = end_of(parent);
    }
  }
  std::vector<NodeId> ends(nodes.size());
  InOrder(nodes, [&](size_t place, NodeId node) { ends[place] = end_of(node); });
  return ends;
}

absl::StatusOr<std::vector<std::vector<NodeId>>> GraphView::Chains(std::span<const NodeId> nodes) const {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<Level> levels,
                          ReadLevels(*this, Sorted(nodes), {layout_.layer_count(), SkippedLayer::kStayBelow}));
  std::vector<std::vector<NodeId>> chains(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (NodeId node = nodes[i];;) {
      const auto layer = static_cast<size_t>(layout_.LayerOf(node));
      if (layer == 0 || layer >= levels.size()) {
        break;
      }
      node = levels[layer].parents[Finder(levels[layer].nodes).Find(node)];
      if (node == NodeId{}) {
        break;
      }
      chains[i].push_back(node);
    }
  }
  return chains;
}

}  // namespace cleave::graph
