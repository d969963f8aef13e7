#include "edit/repair_edges.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "graph/edges.h"
#include "graph/local_graph.h"
#include "table/columns.h"
#include "table/row_keys.h"
#include "table/serializers.h"

namespace cleave::edit {
namespace {

using graph::CrossEdges;
using graph::EdgeEnds;
using graph::NodeId;
namespace columns = table::columns;

class EdgeMender {
 public:
  EdgeMender(graph::Dataset& dataset, const table::TableReader& table, const EdgeSources& sources, Mends& mends)
      : dataset_(dataset),
        table_(table),
        layout_(dataset.layout()),
        sources_(sources),
        histories_(*sources.histories),
        mends_(mends) {}

  // Ids ascend by layer, so that children come before their parents.
  absl::Status Run(std::span<const NodeId> nodes) {
    for (const NodeId node : nodes) {
      if (layout_.LayerOf(node) == graph::kL2Layer) {
        CLEAVE_RETURN_IF_ERROR(FindCandidates(node));
      }
    }
    std::vector<NodeId> partners;
    for (const auto& [node, edges] : candidates_) {
      for (const EdgeEnds& edge : edges) {
        partners.push_back(edge.node2);
      }
    }
    CLEAVE_RETURN_IF_ERROR(histories_.Load(partners));
    std::vector<NodeId> children;
    for (const NodeId node : nodes) {
      if (layout_.LayerOf(node) > graph::kL2Layer) {
        std::ranges::copy(sources_.children_of(node), std::back_inserter(children));
      }
    }
    CLEAVE_RETURN_IF_ERROR(histories_.Load(children));
    for (const NodeId node : nodes) {
      expected_[node] = layout_.LayerOf(node) == graph::kL2Layer ? OfL2Node(node) : OfHigherNode(node);
      MendNode(node);
    }
    return absl::OkStatus();
  }

 private:
  // Every edge that the node may have: of the segmentation, of edits until it was made, and those it lists.
  absl::Status FindCandidates(NodeId node) {
    const ChunkPoint chunk = layout_.ChunkOf(node).position;
    const absl::Time made = *sources_.made_at(node);
    const auto [stored, fresh] = files_.try_emplace(chunk);
    if (fresh) {
      CLEAVE_ASSIGN_OR_RETURN(stored->second, dataset_.edges().Read(chunk));
    }
    const ChunkPoint chunks[] = {chunk};
    absl::StatusOr<std::vector<std::vector<graph::Edge>>> edited =
        graph::ReadEditedEdges(graph::GraphView(layout_, table_, made), table_, chunks);
    if (!edited.ok()) {
      mends_.doubts.push_back(absl::StrCat("edges of edits cannot be read: ", edited.status().message()));
      edited = std::vector<std::vector<graph::Edge>>(1);
    }
    const std::vector<NodeId> children = sources_.children_of(node);
    std::set<EdgeEnds>& candidates = candidates_[node];
    for (const std::vector<graph::Edge>* edges : {&stored->second.between, &stored->second.cross, &(*edited)[0]}) {
      for (const graph::Edge& edge : *edges) {
        for (const EdgeEnds& ends : {EdgeEnds{edge.node1, edge.node2}, EdgeEnds{edge.node2, edge.node1}}) {
          if (std::ranges::binary_search(children, ends.node1) && layout_.Validate(ends.node2).ok() &&
              layout_.EdgeLayer(ends.node1, ends.node2) >= graph::kL2Layer) {
            candidates.insert(ends);
          }
        }
      }
    }
    return absl::OkStatus();
  }

  NodeId AncestorAt(NodeId node, int layer, absl::Time time) const {
    while (true) {
      const NodeId up = sources_.parent_at(node, time);
      if (up == NodeId{} || layout_.LayerOf(up) > layer || layout_.LayerOf(up) <= layout_.LayerOf(node)) {
        return node;
      }
      node = up;
    }
  }

  bool Listed(NodeId l2_node, const EdgeEnds& edge, int layer) const {
    const CrossEdges& edges = histories_.Of(l2_node).cross_edges;
    const auto found = edges.find(layer);
    return found != edges.end() && std::ranges::binary_search(found->second, edge);
  }

  // Whether the ends share an ancestor one layer above the edge; nullopt where a chain of parents is broken.
  std::optional<bool> IsJoined(const EdgeEnds& edge, int layer, absl::Time time) const {
    for (const NodeId end : {edge.node1, edge.node2}) {
      if (layout_.LayerOf(AncestorAt(end, layout_.layer_count(), time)) != layout_.layer_count()) {
        return std::nullopt;
      }
    }
    return AncestorAt(edge.node1, layer + 1, time) == AncestorAt(edge.node2, layer + 1, time);
  }

  // Active is what at least one side lists, if its ends are joined one layer above.
  CrossEdges OfL2Node(NodeId node) const {
    const absl::Time made = *sources_.made_at(node);
    CrossEdges edges;
    for (const EdgeEnds& edge : candidates_.at(node)) {
      const int layer = layout_.EdgeLayer(edge.node1, edge.node2);
      const bool here = Listed(node, edge, layer);
      const bool there = Listed(AncestorAt(edge.node2, graph::kL2Layer, made), edge.Reversed(), layer);
      if (here == there ? here : IsJoined(edge, layer, made).value_or(here)) {
        edges[layer].push_back(edge);
      }
    }
    return edges;
  }

  CrossEdges OfHigherNode(NodeId node) const {
    CrossEdges edges;
    for (const NodeId child : sources_.children_of(node)) {
      const auto expected = expected_.find(child);
      const CrossEdges& of_child = expected != expected_.end() ? expected->second : histories_.Of(child).cross_edges;
      for (const auto& [layer, ends] : of_child) {
        if (layer >= layout_.LayerOf(node)) {
          edges[layer].insert(edges[layer].end(), ends.begin(), ends.end());
        }
      }
    }
    return edges;
  }

  void MendNode(NodeId node) {
    const NodeHistory& history = histories_.Of(node);
    const absl::Time made = *sources_.made_at(node);
    Mend mend;
    for (int layer = graph::kL2Layer; layer < layout_.layer_count(); ++layer) {
      const table::Column column = columns::AtomicCrossChunkEdge({.value = layer});
      const auto found = expected_[node].find(layer);
      std::vector<EdgeEnds> expected = found == expected_[node].end() ? std::vector<EdgeEnds>{} : found->second;
      const auto stored = history.cross_edges.find(layer);
      std::vector<EdgeEnds> sorted = expected;
      std::ranges::sort(sorted);
      const bool differs = stored == history.cross_edges.end() ? !sorted.empty() : stored->second != sorted;
      const auto cell_of = [&](const std::vector<std::pair<table::Column, absl::Time>>& cells) {
        std::vector<absl::Time> times;
        for (const auto& [cell_column, time] : cells) {
          if (cell_column == column) {
            times.push_back(time);
          }
        }
        return times;
      };
      const std::vector<absl::Time> surplus = cell_of(history.surplus);
      const std::vector<absl::Time> unreadable = cell_of(history.unreadable);
      if (!differs && surplus.empty() && unreadable.empty()) {
        continue;
      }
      const std::string key = table::NodeRowKey(Value(node));
      std::set<absl::Time> remove(surplus.begin(), surplus.end());
      remove.insert(unreadable.begin(), unreadable.end());
      if (sorted.empty()) {
        remove.insert(made);
      } else {
        remove.erase(made);
        mend.cells.push_back({key, column, made, {}, table::EncodeCompressedArray(expected)});
      }
      for (const absl::Time time : remove) {
        mend.cells.push_back({key, column, time, {}, {}});
      }
    }
    if (mend.cells.empty()) {
      return;
    }
    mend.invariant = 4;
    mend.what = absl::StrCat("node ", Value(node), " has lost or wrong active edges");
    mend.evidence = layout_.LayerOf(node) == graph::kL2Layer
                        ? "the nodes at the other ends of the edges, and the ancestors that both ends share"
                        : "the edges of its children";
    mend.ids = {Value(node)};
    mend.where = layout_.ChunkBox(layout_.ChunkOf(node));
    mends_.mends.push_back(std::move(mend));
  }

  graph::Dataset& dataset_;
  const table::TableReader& table_;
  const graph::IdLayout& layout_;
  const EdgeSources& sources_;
  NodeHistories& histories_;
  Mends& mends_;
  std::map<ChunkPoint, graph::ChunkEdges> files_;
  std::map<NodeId, std::set<EdgeEnds>> candidates_;  // of L2 nodes, own end first
  std::map<NodeId, CrossEdges> expected_;
};

}  // namespace

absl::Status MendCrossEdges(graph::Dataset& dataset, const table::TableReader& table, std::span<const NodeId> nodes,
                            const EdgeSources& sources, Mends& mends) {
  return EdgeMender(dataset, table, sources, mends).Run(nodes);
}

}  // namespace cleave::edit
