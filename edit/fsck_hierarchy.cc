// Invariants 3 and 4, chunk by chunk and layer by layer.
//
// Children and cross edges of a node never change, so what depends on them alone is looked at once; what depends on
// where other nodes belong is looked at in every moment of the node's life:
//   1. A node lies above its children, and every child has it as its parent; its own parent lists it.
//   2. An L2 node's supervoxels are joined by edges inside the chunk.
//   3. Both ends of an active edge between chunks list it, and share an ancestor one layer above the edge's.
//   4. The children of a higher node are joined by the edges of their layer; it keeps those of higher layers.
// 2 and 4 say that a root is connected, 3 that no edge leads from one root to another.
#include <algorithm>
#include <set>

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
      : run_(run), layout_(run.dataset_.layout()), chunk_(chunk), histories_(layout_, run.table_) {}

  absl::Status Run() {
    CLEAVE_ASSIGN_OR_RETURN(nodes_, histories_.LoadChunk(chunk_));
    CLEAVE_RETURN_IF_ERROR(LoadAround());
    for (const NodeId node : nodes_) {
      CheckOnce(node);
      int64_t looked_at = 0;
      const bool unchanged = Unchanged(node);
      for (const Moment& moment : run_.moments_) {
        if (histories_.IsAlive(node, moment.time)) {
          ++looked_at;
          CheckMoment(node, moment.time);
          if (unchanged) {
            break;
          }
        }
      }
      run_.findings_.Count(3, looked_at);
      run_.findings_.Count(4, looked_at);
    }
    return chunk_.layer == graph::kL2Layer ? CheckInside() : absl::OkStatus();
  }

 private:
  void Find(int invariant, std::string what, std::vector<NodeId> ids) {
    run_.findings_.Add(
        {invariant, std::move(what), graph::ToIntegers(ids), layout_.ChunkBox(chunk_), std::string(kRestoreAdvice)});
  }

  // Children, and the far ends of cross edges.
  absl::Status LoadAround() {
    std::vector<NodeId> around;
    for (const NodeId node : nodes_) {
      const NodeHistory& history = histories_.Of(node);
      around.insert(around.end(), history.children.begin(), history.children.end());
      for (const auto& [layer, edges] : history.cross_edges) {
        for (const EdgeEnds& edge : edges) {
          around.push_back(edge.node1);
          around.push_back(edge.node2);
        }
      }
    }
    CLEAVE_RETURN_IF_ERROR(histories_.Load(around));
    // The edges of children, which may be skip connections from lower layers.
    around.clear();
    for (const NodeId node : nodes_) {
      for (const NodeId child : histories_.Of(node).children) {
        for (const auto& [layer, edges] : histories_.Of(child).cross_edges) {
          for (const EdgeEnds& edge : edges) {
            around.push_back(edge.node2);
          }
        }
      }
    }
    return histories_.Load(around);
  }

  // Whether nothing that CheckMoment looks at has changed since ingest.
  bool Unchanged(NodeId node) const {
    const absl::Time ingested = run_.moments_.front().time;
    const NodeHistory& history = histories_.Of(node);
    const auto old = [&](NodeId id) { return histories_.LastChange(id) <= ingested; };
    return old(node) && std::ranges::all_of(history.children, old) &&
           std::ranges::all_of(history.cross_edges, [&](const auto& layer) {
             return std::ranges::all_of(layer.second, [&](const EdgeEnds& edge) { return old(edge.node2); });
           });
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

  void CheckMoment(NodeId node, absl::Time time) {
    const NodeHistory& history = histories_.Of(node);
    for (const NodeId child : history.children) {
      if (const NodeId parent = histories_.Of(child).ParentAt(time); parent != node) {
        Find(3,
             absl::StrCat("node ", Value(node), " lists the child ", Value(child), ", whose parent at ",
                          absl::FormatTime(time), " is ", Value(parent)),
             {node, child, parent});
      }
    }
    const NodeId parent = history.ParentAt(time);
    if (parent != NodeId{} && !std::ranges::binary_search(histories_.Of(parent).children, node)) {
      Find(3,
           absl::StrCat("node ", Value(node), " has parent ", Value(parent), " at ", absl::FormatTime(time),
                        ", which does not list it as a child"),
           {node, parent});
    }
    if (chunk_.layer == graph::kL2Layer) {
      CheckCrossEdges(node, time);
    } else {
      CheckChildrenJoined(node, time);
    }
  }

  void CheckCrossEdges(NodeId node, absl::Time time) {
    for (const auto& [layer, edges] : histories_.Of(node).cross_edges) {
      for (const EdgeEnds& edge : edges) {
        const std::string name = absl::StrCat("the active edge ", Value(edge.node1), "-", Value(edge.node2),
                                              " of node ", Value(node), " at ", absl::FormatTime(time));
        if (!std::ranges::binary_search(histories_.Of(node).children, edge.node1) ||
            layer != layout_.EdgeLayer(edge.node1, edge.node2)) {
          Find(4, absl::StrCat(name, " is not of this node, or not of layer ", layer), {node, edge.node1});
          continue;
        }
        const NodeHistory& other = histories_.Of(histories_.AncestorAt(edge.node2, graph::kL2Layer, time));
        const auto mirrored = other.cross_edges.find(layer);
        if (mirrored == other.cross_edges.end() || !std::ranges::binary_search(mirrored->second, edge.Reversed())) {
          Find(4, absl::StrCat(name, " is not listed by its other end"), {node, edge.node1, edge.node2});
        }
        if (histories_.AncestorAt(edge.node1, layer + 1, time) != histories_.AncestorAt(edge.node2, layer + 1, time)) {
          Find(4, absl::StrCat(name, " joins nodes without a common ancestor in layer ", layer + 1),
               {node, edge.node1, edge.node2});
        }
      }
    }
  }

  void CheckChildrenJoined(NodeId node, absl::Time time) {
    const NodeHistory& history = histories_.Of(node);
    if (history.children.size() < 2) {
      return;
    }
    std::vector<EdgeEnds> joined;
    for (const NodeId child : history.children) {
      const graph::CrossEdges& cross_edges = histories_.Of(child).cross_edges;
      if (const auto edges = cross_edges.find(chunk_.layer - 1); edges != cross_edges.end()) {
        for (const EdgeEnds& edge : edges->second) {
          joined.push_back({child, histories_.AncestorAt(edge.node2, chunk_.layer - 1, time)});
        }
      }
    }
    if (const auto parts = graph::ComponentsOf(history.children, joined); parts.size() > 1) {
      Find(4,
           absl::StrCat("the children of node ", Value(node), " fall into ", parts.size(),
                        " parts without an active edge between them at ", absl::FormatTime(time)),
           {node, parts[0].front(), parts[1].front()});
    }
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
    std::set<absl::Time> times;
    for (const NodeId node : nodes_) {
      times.insert(histories_.Of(node).created.value_or(absl::InfinitePast()));
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
    for (const absl::Time time : times) {
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
      for (const NodeId node : nodes_) {
        const NodeHistory& history = histories_.Of(node);
        if (history.created.value_or(absl::InfinitePast()) != time) {
          continue;
        }
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
