// Invariants 3 and 4, chunk by chunk and layer by layer.
//
// Children and cross edges of a node never change, so what depends on them alone is looked at once; what depends on
// where other nodes belong is looked at over all moments of the node's life, cell by cell of the others' parents:
//   1. A node lies above its children, and every child has it as its parent; its own parent lists it.
//   2. An L2 node's supervoxels are joined by edges inside the chunk.
//   3. Both ends of an active edge between chunks list it.
//   4. A higher node keeps the edges of its children that leave it. Those of its own layer join its children: the child
//      that lists an edge's other end is beside the one that lists the edge. No node skips the layer of an edge.
// 2 and 4 say that a root is connected, 3 and 4 that no edge leads from one root to another. None of these climbs: each
// looks at a node and those right above, below or beside it, so all together cost what the rows are, however long the
// log is.
#include <algorithm>
#include <iterator>
#include <map>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "base/parallel.h"
#include "base/status.h"
#include "edit/fsck_checks.h"
#include "graph/l2_components.h"
#include "graph/local_graph.h"
#include "table/columns.h"

namespace cleave::edit {

using graph::EdgeEnds;
using graph::NodeId;

namespace {

constexpr absl::string_view kRestoreAdvice = "plan a repair; what it leaves, restore from a backup of the table";

// "the children", "the parent", "the edges of layer 3".
std::string ColumnWords(const table::Column& column) {
  if (column == table::columns::kChild) {
    return "children";
  }
  if (column == table::columns::kParent) {
    return "parent";
  }
  return absl::StrCat("column ", column.qualifier);
}

}  // namespace

class HierarchyCheck {
 public:
  HierarchyCheck(FsckRun& run, const graph::ChunkAddress& chunk)
      : run_(run), layout_(run.dataset_.layout()), chunk_(chunk), histories_(layout_, run.table_, &run.edited_rows_) {}

  absl::Status Run() {
    CLEAVE_ASSIGN_OR_RETURN(nodes_, histories_.LoadChunk(chunk_));
    CLEAVE_RETURN_IF_ERROR(LoadAround());
    for (const NodeId node : nodes_) {
      CheckOnce(node);
      int64_t looked_at = 0;
      for (const TimeSpan& life : histories_.LivesOf(node)) {
        if (const MomentRange range = MomentsIn(run_.moments_, life); range.first < range.end) {
          ++looked_at;
          CheckLife(node, range);
        }
      }
      run_.findings_.Count(3, looked_at);
      run_.findings_.Count(4, looked_at);
    }
    return chunk_.layer == graph::kL2Layer ? CheckInside() : absl::OkStatus();
  }

 private:
  void Find(int invariant, std::string what, const std::vector<NodeId>& ids) {
    run_.findings_.Add(
        {invariant, std::move(what), graph::ToIntegers(ids), layout_.ChunkBox(chunk_), std::string(kRestoreAdvice)});
  }

  // Children; of L2 nodes, the far ends of cross edges and the nodes right above those.
  absl::Status LoadAround() {
    using Above = NodeHistories::Above;
    std::vector<NodeId> around;
    for (const NodeId node : nodes_) {
      const NodeHistory& history = histories_.Of(node);
      around.insert(around.end(), history.children.begin(), history.children.end());
    }
    CLEAVE_RETURN_IF_ERROR(histories_.Load(around, Above::kNothing));
    if (chunk_.layer > graph::kL2Layer) {
      return absl::OkStatus();
    }
    around.clear();
    for (const NodeId node : nodes_) {
      for (const auto& [layer, edges] : histories_.Of(node).cross_edges) {
        std::ranges::transform(edges, std::back_inserter(around), &EdgeEnds::node2);
      }
    }
    return histories_.Load(around, Above::kParents);
  }

  void CheckOnce(NodeId node) {
    const NodeHistory& history = histories_.Of(node);
    for (const auto& [column, time] : history.unreadable) {
      Find(3,
           absl::StrCat("node ", Value(node), ": ", ColumnWords(column), " of ", absl::FormatTime(time),
                        " cannot be decoded"),
           {node});
    }
    for (const auto& [column, time] : history.surplus) {
      Find(3,
           absl::StrCat("node ", Value(node), ": ", ColumnWords(column), " changed at ", absl::FormatTime(time),
                        ", though a node's never change"),
           {node});
    }
    if (history.children.empty()) {
      Find(3, absl::StrCat("node ", Value(node), " has a row but no children"), {node});
      return;
    }
    std::map<int, std::vector<EdgeEnds>> above;
    for (const NodeId child : history.children) {
      const int layer = layout_.LayerOf(child);
      if (layer >= chunk_.layer || !layout_.Validate(child).ok() ||
          layout_.AncestorChunk(layout_.ChunkOf(child), chunk_.layer) != chunk_) {
        Find(3, absl::StrCat("node ", Value(node), " has the child ", Value(child), ", which lies outside its chunk"),
             {node, child});
        return;
      }
      for (const auto& [edge_layer, edges] : histories_.Of(child).cross_edges) {
        if (edge_layer >= chunk_.layer) {
          above[edge_layer].insert(above[edge_layer].end(), edges.begin(), edges.end());
        }
      }
    }
    if (chunk_.layer > graph::kL2Layer) {
      for (auto& [layer, edges] : above) {
        std::ranges::sort(edges);
      }
      if (above != history.cross_edges) {
        Find(4, absl::StrCat("node ", Value(node), " does not keep the active edges of its children"), {node});
      }
    }
  }

  // The parents of a node in some moments, each with the first moment.
  std::vector<std::pair<absl::Time, NodeId>> ParentsIn(NodeId node, const MomentRange& range) const {
    std::vector<std::pair<absl::Time, NodeId>> parents;
    for (size_t i = range.first; i < range.end;) {
      const auto& [parent, end] = histories_.Of(node).ParentFrom(run_.moments_[i].time);
      parents.emplace_back(run_.moments_[i].time, parent);
      i = std::max(i + 1, MomentsIn(run_.moments_, {run_.moments_[i].time, end}).end);
    }
    return parents;
  }

  // Moments in which the node was a part of the graph.
  void CheckLife(NodeId node, const MomentRange& range) {
    const NodeHistory& history = histories_.Of(node);
    for (const NodeId child : history.children) {
      for (const auto& [time, parent] : ParentsIn(child, range)) {
        if (parent != node) {
          Find(3,
               absl::StrCat("node ", Value(node), " lists the child ", Value(child), ", whose parent at ",
                            absl::FormatTime(time), " is ", Value(parent)),
               {node, child, parent});
        }
      }
    }
    for (const auto& [time, parent] : ParentsIn(node, range)) {
      if (parent != NodeId{}) {
        CheckParent(node, parent, time);
      }
    }
    if (chunk_.layer == graph::kL2Layer) {
      CheckCrossEdges(node, range);
    } else {
      CheckChildrenJoined(node, run_.moments_[range.first].time);
    }
  }

  void CheckParent(NodeId node, NodeId parent, absl::Time time) {
    if (!std::ranges::binary_search(histories_.Of(parent).children, node)) {
      Find(3,
           absl::StrCat("node ", Value(node), " has parent ", Value(parent), " at ", absl::FormatTime(time),
                        ", which does not list it as a child"),
           {node, parent});
    }
    const graph::CrossEdges& cross_edges = histories_.Of(node).cross_edges;
    if (!cross_edges.empty() && layout_.LayerOf(parent) > cross_edges.begin()->first + 1) {
      Find(4,
           absl::StrCat("node ", Value(node), " has parent ", Value(parent), " at ", absl::FormatTime(time),
                        ", above the layer ", cross_edges.begin()->first + 1, " in which its active edges join it"),
           {node, parent});
    }
  }

  void CheckCrossEdges(NodeId node, const MomentRange& range) {
    for (const auto& [layer, edges] : histories_.Of(node).cross_edges) {
      for (const EdgeEnds& edge : edges) {
        const auto find = [&](absl::Time time, absl::string_view what, const std::vector<NodeId>& ids) {
          Find(4,
               absl::StrCat("the active edge ", Value(edge.node1), "-", Value(edge.node2), " of node ", Value(node),
                            " at ", absl::FormatTime(time), what),
               ids);
        };
        if (!std::ranges::binary_search(histories_.Of(node).children, edge.node1) ||
            layer != layout_.EdgeLayer(edge.node1, edge.node2)) {
          find(run_.moments_[range.first].time, absl::StrCat(" is not of this node, or not of layer ", layer),
               {node, edge.node1});
          continue;
        }
        for (const auto& [time, parent] : ParentsIn(edge.node2, range)) {
          const graph::CrossEdges& others = histories_.Of(parent).cross_edges;
          const auto mirrored = others.find(layer);
          if (layout_.LayerOf(parent) != graph::kL2Layer || mirrored == others.end() ||
              !std::ranges::binary_search(mirrored->second, edge.Reversed())) {
            find(time, " is not listed by its other end", {node, edge.node1, edge.node2});
          }
        }
      }
    }
  }

  void CheckChildrenJoined(NodeId node, absl::Time time) {
    const NodeHistory& history = histories_.Of(node);
    absl::flat_hash_map<EdgeEnds, NodeId> lister;
    for (const NodeId child : history.children) {
      for (const EdgeEnds& edge : EdgesHere(child)) {
        lister.emplace(edge, child);
      }
    }
    std::vector<EdgeEnds> joined;
    for (const auto& [edge, child] : lister) {
      const auto other = lister.find(edge.Reversed());
      if (other == lister.end()) {
        Find(4,
             absl::StrCat("the active edge ", Value(edge.node1), "-", Value(edge.node2), " of node ", Value(child),
                          " at ", absl::FormatTime(time), " joins nodes without a common ancestor in layer ",
                          chunk_.layer),
             {child, edge.node1, edge.node2, node});
      } else {
        joined.push_back({child, other->second});
      }
    }
    if (const auto parts = graph::ComponentsOf(history.children, joined); parts.size() > 1) {
      Find(4,
           absl::StrCat("the children of node ", Value(node), " fall into ", parts.size(),
                        " parts without an active edge between them at ", absl::FormatTime(time)),
           {node, parts[0].front(), parts[1].front()});
    }
  }

  // A node's edges that its parent in this chunk's layer resolves.
  const std::vector<EdgeEnds>& EdgesHere(NodeId child) const {
    static const std::vector<EdgeEnds> none;
    const graph::CrossEdges& cross_edges = histories_.Of(child).cross_edges;
    const auto edges = cross_edges.find(chunk_.layer - 1);
    return edges == cross_edges.end() ? none : edges->second;
  }

  // What a node lists as active is an edge of the segmentation, or one that an edit made.
  void CheckEdgesExist(NodeId node, const absl::flat_hash_set<EdgeEnds>& leaving) {
    for (const auto& [layer, edges] : histories_.Of(node).cross_edges) {
      for (const EdgeEnds& edge : edges) {
        if (!leaving.contains(edge.Sorted())) {
          Find(4,
               absl::StrCat("node ", Value(node), " lists the edge ", Value(edge.node1), "-", Value(edge.node2),
                            ", which is neither of the segmentation nor of an edit"),
               {node, edge.node1, edge.node2});
        }
      }
    }
  }

  // The supervoxels of an L2 node are joined by edges that were there when it was made.
  absl::Status CheckInside() {
    CLEAVE_ASSIGN_OR_RETURN(const graph::ChunkEdges stored, run_.dataset_.edges().Read(chunk_.position));
    std::map<absl::Time, std::vector<NodeId>> created;
    for (const NodeId node : nodes_) {
      created[histories_.Of(node).created.value_or(absl::InfinitePast())].push_back(node);
    }
    // Both grow with time, as the edges of edits do.
    absl::flat_hash_set<EdgeEnds> leaving;
    absl::flat_hash_map<NodeId, std::vector<EdgeEnds>> inside;  // by their first end
    for (const graph::Edge& edge : stored.in) {
      inside[edge.node1].push_back({edge.node1, edge.node2});
    }
    absl::Time known_until = absl::InfinitePast();
    for (const std::vector<graph::Edge>* edges : {&stored.between, &stored.cross}) {
      for (const graph::Edge& edge : *edges) {
        leaving.insert(EdgeEnds{edge.node1, edge.node2}.Sorted());
      }
    }
    for (const auto& [time, nodes] : created) {
      const ChunkPoint position[] = {chunk_.position};
      const absl::StatusOr<std::vector<std::vector<graph::Edge>>> edited =
          graph::ReadEditedEdges(run_.View(time), run_.table_, position, known_until);
      if (absl::IsDataLoss(edited.status())) {  // nothing is known of what was made from then on
        Find(4, std::string(edited.status().message()), {});
        break;
      }
      CLEAVE_RETURN_IF_ERROR(edited.status());
      known_until = time;
      for (const graph::Edge& edge : (*edited)[0]) {
        inside[edge.node1].push_back({edge.node1, edge.node2});
        leaving.insert(EdgeEnds{edge.node1, edge.node2}.Sorted());
      }
      for (const NodeId node : nodes) {
        const NodeHistory& history = histories_.Of(node);
        CheckEdgesExist(node, leaving);
        std::vector<EdgeEnds> ends;
        for (const NodeId child : history.children) {
          if (const auto edges = inside.find(child); edges != inside.end()) {
            ends.insert(ends.end(), edges->second.begin(), edges->second.end());
          }
        }
        if (const auto parts = graph::ComponentsOf(history.children, ends); parts.size() > 1) {
          Find(4,
               absl::StrCat("the supervoxels of node ", Value(node), " fall into ", parts.size(),
                            " parts without an edge between them"),
               {node, parts[0].front(), parts[1].front()});
        }
      }
    }
    return absl::OkStatus();
  }

  FsckRun& run_;
  const graph::IdLayout& layout_;
  const graph::ChunkAddress chunk_;
  NodeHistories histories_;
  std::vector<NodeId> nodes_;
};

absl::Status FsckRun::CheckNodesOfChunk(const graph::ChunkAddress& chunk) { return HierarchyCheck(*this, chunk).Run(); }

absl::Status FsckRun::CheckHierarchy() {
  const graph::IdLayout& layout = dataset_.layout();
  for (int layer = graph::kL2Layer; layer <= layout.layer_count(); ++layer) {
    const ChunkPoint counts = layout.ChunkCounts(layer);
    const int64_t chunk_count = counts.x * counts.y * counts.z;
    progress_.Begin(absl::StrCat("layer ", layer), chunk_count, "chunks");
    CLEAVE_RETURN_IF_ERROR(ParallelFor(chunk_count, options_.threads, [&](int64_t i) {
      absl::Status status =
          CheckNodesOfChunk({layer, {i % counts.x, i / counts.x % counts.y, i / (counts.x * counts.y)}});
      progress_.Advance(1);
      return status;
    }));
    progress_.End();
  }
  return absl::OkStatus();
}

}  // namespace cleave::edit
