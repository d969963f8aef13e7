#include "graph/descend.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "table/columns.h"
#include "table/row_keys.h"
#include "table/serializers.h"
#include "table/table.h"

namespace cleave::graph {
namespace {

void SortDistinct(std::vector<NodeId>& ids) {
  std::ranges::sort(ids);
  ids.erase(std::ranges::unique(ids).begin(), ids.end());
}

// The children of all nodes above a layer that lie at or below some nodes, each node read once.
class Walk {
 public:
  Walk(const GraphView& view, const Descent& descent) : view_(view), layout_(view.layout()), descent_(descent) {}

  absl::Status Read(std::span<const NodeId> nodes) {
    std::vector<std::vector<NodeId>> by_layer(static_cast<size_t>(layout_.layer_count()) + 1);
    const auto add = [&](NodeId node) {
      if (IsOpened(node) && IsWanted(node)) {
        by_layer[static_cast<size_t>(layout_.LayerOf(node))].push_back(node);
      }
    };
    std::ranges::for_each(nodes, add);
    for (size_t layer = by_layer.size(); layer-- > 0;) {
      std::vector<NodeId>& level = by_layer[layer];
      SortDistinct(level);
      CLEAVE_ASSIGN_OR_RETURN(std::vector<std::vector<NodeId>> lists, view_.Children(level));
      for (size_t i = 0; i < level.size(); ++i) {
        for (const NodeId child : lists[i]) {
          if (layout_.LayerOf(child) >= static_cast<int>(layer)) {
            return absl::DataLossError(absl::StrCat("node ", Value(level[i]), " has the child ", Value(child),
                                                    ", which does not lie below it; run `cleave fsck`"));
          }
          add(child);
        }
        children_[level[i]] = std::move(lists[i]);
      }
    }
    return absl::OkStatus();
  }

  // Calls `visit` for `node` and for each node below it that the walk reached, in no order, each once.
  template <typename Visit>
  void ForEach(NodeId node, Visit visit) const {
    std::vector<NodeId> stack = {node};
    while (!stack.empty()) {
      const NodeId top = stack.back();
      stack.pop_back();
      if (!IsWanted(top)) {
        continue;
      }
      visit(top);
      if (const auto children = children_.find(top); children != children_.end()) {
        stack.insert(stack.end(), children->second.begin(), children->second.end());
      }
    }
  }

  [[nodiscard]] bool Exists(NodeId node) const {
    const auto children = children_.find(node);
    return children != children_.end() && !children->second.empty();
  }

 private:
  // Whether the walk looks below a node.
  bool IsOpened(NodeId node) const {
    const int layer = layout_.LayerOf(node);
    return layer > descent_.stop_layer && layer <= layout_.layer_count();
  }
  bool IsWanted(NodeId node) const {
    return !descent_.box.has_value() || !layout_.Validate(node).ok() ||
           !Intersect(layout_.ChunkBox(layout_.ChunkOf(node)), *descent_.box).empty();
  }

  const GraphView& view_;
  const IdLayout& layout_;
  const Descent& descent_;
  absl::flat_hash_map<NodeId, std::vector<NodeId>> children_;
};

}  // namespace

absl::StatusOr<std::vector<std::vector<NodeId>>> Descendants(const GraphView& view, std::span<const NodeId> nodes,
                                                             const Descent& descent) {
  Walk walk(view, descent);
  CLEAVE_RETURN_IF_ERROR(walk.Read(nodes));
  std::vector<std::vector<NodeId>> lists(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    walk.ForEach(nodes[i], [&](NodeId node) {
      if (node != NodeId{} && view.layout().LayerOf(node) <= descent.stop_layer) {
        lists[i].push_back(node);
      }
    });
    std::ranges::sort(lists[i]);
  }
  return lists;
}

absl::StatusOr<std::vector<std::map<int, std::vector<NodeId>>>> NodesAtLayers(const GraphView& view,
                                                                              std::span<const NodeId> nodes,
                                                                              const std::set<int>& layers,
                                                                              const std::optional<Box>& box) {
  const Descent descent{layers.empty() ? view.layout().layer_count() : *layers.begin(), box};
  Walk walk(view, descent);
  CLEAVE_RETURN_IF_ERROR(walk.Read(nodes));
  std::vector<std::map<int, std::vector<NodeId>>> results(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (const int layer : layers) {
      results[i][layer];
    }
    walk.ForEach(nodes[i], [&](NodeId node) {
      if (const auto list = results[i].find(view.layout().LayerOf(node)); list != results[i].end()) {
        list->second.push_back(node);
      }
    });
    for (auto& [layer, list] : results[i]) {
      std::ranges::sort(list);
    }
  }
  return results;
}

absl::StatusOr<std::vector<NodeId>> FirstSupervoxels(const GraphView& view, std::span<const NodeId> nodes) {
  const IdLayout& layout = view.layout();
  absl::flat_hash_map<NodeId, NodeId> first_child;
  std::vector<NodeId> frontier(nodes.begin(), nodes.end());
  for (int layer = layout.layer_count(); layer > kSupervoxelLayer; --layer) {
    std::vector<NodeId> level;
    std::ranges::copy_if(frontier, std::back_inserter(level), [&](NodeId id) { return layout.LayerOf(id) == layer; });
    SortDistinct(level);
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::vector<NodeId>> lists, view.Children(level));
    std::erase_if(frontier, [&](NodeId id) { return layout.LayerOf(id) == layer; });
    for (size_t i = 0; i < level.size(); ++i) {
      const NodeId child = lists[i].empty() ? NodeId{} : lists[i].front();
      first_child[level[i]] = child;
      frontier.push_back(child);
    }
  }
  std::vector<NodeId> firsts(nodes.begin(), nodes.end());
  for (NodeId& first : firsts) {
    for (auto down = first_child.find(first); down != first_child.end(); down = first_child.find(first)) {
      first = down->second;
    }
    if (layout.LayerOf(first) != kSupervoxelLayer) {
      first = NodeId{};
    }
  }
  return firsts;
}

absl::StatusOr<std::vector<bool>> AreCurrent(const GraphView& view, std::span<const NodeId> nodes) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> firsts, FirstSupervoxels(view, nodes));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::vector<NodeId>> chains, view.Chains(firsts));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::vector<NodeId>> replacements, view.Replacements(firsts));
  std::vector<bool> current(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    current[i] = firsts[i] != NodeId{} && !chains[i].empty() && replacements[i].empty() &&
                 (nodes[i] == firsts[i] || std::ranges::count(chains[i], nodes[i]) > 0);
  }
  return current;
}

absl::StatusOr<std::vector<L2Content>> ReadL2Chunk(const GraphView& view, ChunkPoint chunk) {
  const IdLayout& layout = view.layout();
  const uint64_t first = Value(layout.MakeNode({kL2Layer, chunk}, Segment{0}));
  CLEAVE_ASSIGN_OR_RETURN(
      const std::vector<table::Row> rows,
      view.reader().ReadRange(
          table::NodeRowRange({.first = first + 1, .last = first + Value(layout.SegmentLimit(kL2Layer))}),
          {.columns = {table::columns::kChild}, .end = view.at(), .end_inclusive = true, .cells_per_column = 1}, 0));
  std::vector<L2Content> all;
  std::vector<NodeId> nodes;
  for (const table::Row& row : rows) {
    CLEAVE_ASSIGN_OR_RETURN(const uint64_t id, table::ParseNodeRowKey(row.key));
    absl::StatusOr<std::vector<NodeId>> children =
        table::DecodeCompressedArray<NodeId>(row.Newest(table::columns::kChild)->value);
    if (!children.ok()) {
      return Annotate(children.status(), absl::StrCat("row of node ", id));
    }
    std::ranges::sort(*children);
    nodes.push_back(NodeId{id});
    all.push_back({NodeId{id}, *std::move(children)});
  }
  // An L2 node is current when its first supervoxel still has it as its parent: an edit gives all supervoxels of an L2
  // node that it replaces new parents, but for those that a voxel cut replaced.
  std::vector<NodeId> firsts;
  for (const L2Content& content : all) {
    firsts.push_back(content.supervoxels.empty() ? NodeId{} : content.supervoxels.front());
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> parents, view.Parents(firsts));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::vector<NodeId>> replacements, view.Replacements(firsts));
  std::vector<L2Content> current;
  for (size_t i = 0; i < all.size(); ++i) {
    if (parents[i] == all[i].node && replacements[i].empty()) {
      current.push_back(std::move(all[i]));
    }
  }
  return current;
}

absl::StatusOr<std::vector<NodeId>> MinimalCoveringNodes(const GraphView& view, std::span<const NodeId> nodes) {
  const IdLayout& layout = view.layout();
  if (nodes.empty()) {
    return std::vector<NodeId>{};
  }
  int lowest = layout.layer_count();
  for (const NodeId node : nodes) {
    CLEAVE_RETURN_IF_ERROR(layout.Validate(node));
    lowest = std::min(lowest, layout.LayerOf(node));
  }
  CLEAVE_ASSIGN_OR_RETURN(const auto lists, Descendants(view, nodes, {.stop_layer = lowest}));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> firsts, FirstSupervoxels(view, nodes));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> first_parents, view.Parents(firsts));
  absl::flat_hash_set<NodeId> covered;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (first_parents[i] == NodeId{}) {
      return absl::NotFoundError(absl::StrCat("there is no node ", Value(nodes[i]), " at this time"));
    }
    covered.insert(lists[i].begin(), lists[i].end());
  }
  // Upwards: a parent all of whose children are covered takes their place. A layer is whole before it is looked at.
  absl::flat_hash_set<NodeId> result = covered;
  std::vector<NodeId> fresh(covered.begin(), covered.end());
  std::vector<std::vector<NodeId>> candidates(static_cast<size_t>(layout.layer_count()) + 1);
  for (int layer = kSupervoxelLayer; layer <= layout.layer_count(); ++layer) {
    std::vector<NodeId>& parents_here = candidates[static_cast<size_t>(layer)];
    SortDistinct(parents_here);
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::vector<NodeId>> children, view.Children(parents_here));
    for (size_t i = 0; i < parents_here.size(); ++i) {
      if (std::ranges::all_of(children[i], [&](NodeId child) { return covered.contains(child); })) {
        covered.insert(parents_here[i]);
        fresh.push_back(parents_here[i]);
        result.insert(parents_here[i]);
        for (const NodeId child : children[i]) {
          result.erase(child);
        }
      }
    }
    std::vector<NodeId> level;
    std::ranges::copy_if(fresh, std::back_inserter(level), [&](NodeId id) { return layout.LayerOf(id) == layer; });
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> parents, view.Parents(level));
    for (const NodeId parent : parents) {
      if (parent != NodeId{} && layout.LayerOf(parent) > layer && layout.LayerOf(parent) <= layout.layer_count()) {
        candidates[static_cast<size_t>(layout.LayerOf(parent))].push_back(parent);
      }
    }
  }
  std::vector<NodeId> covering(result.begin(), result.end());
  std::ranges::sort(covering);
  return covering;
}

}  // namespace cleave::graph
