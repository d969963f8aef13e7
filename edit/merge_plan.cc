#include "edit/merge_plan.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "graph/l2_components.h"
#include "graph/local_graph.h"

namespace cleave::edit {
namespace {

using graph::EdgeEnds;
using graph::NodeId;

// Around what the user marked, as the field looks for edges to activate.
constexpr Extent3 kMargin{240, 240, 24};

absl::StatusOr<graph::LocalGraph> LoadAround(const Draft& draft, std::span<const MergePair> pairs, const Box& around) {
  const Box box = Intersect(Grow(around, kMargin), draft.layout().volume());
  absl::flat_hash_set<NodeId> roots;
  for (const MergePair& pair : pairs) {
    roots.insert(pair.roots.node1);
    roots.insert(pair.roots.node2);
  }
  std::vector<NodeId> l2_nodes;
  for (const NodeId root : roots) {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> of_root, draft.Now().L2Nodes(root, box));
    l2_nodes.insert(l2_nodes.end(), of_root.begin(), of_root.end());
  }
  return draft.LoadLocalGraph(l2_nodes, graph::OuterEdges::kLoad);
}

// The smallest supervoxel of the piece that each supervoxel belongs to.
absl::flat_hash_map<NodeId, NodeId> PiecesOf(const graph::LocalGraph& local) {
  std::vector<NodeId> supervoxels;
  for (const auto& [supervoxel, l2_node] : local.l2_of) {
    supervoxels.push_back(supervoxel);
  }
  std::vector<EdgeEnds> edges;
  edges.reserve(local.active.size());
  for (const graph::Edge& edge : local.active) {
    edges.push_back({edge.node1, edge.node2});
  }
  absl::flat_hash_map<NodeId, NodeId> piece_of;
  for (const std::vector<NodeId>& component : graph::ComponentsOf(supervoxels, edges)) {
    for (const NodeId member : component) {
      piece_of[member] = component.front();
    }
  }
  return piece_of;
}

class EdgeFinder {
 public:
  EdgeFinder(const graph::LocalGraph& local, std::span<const MergePair> pairs) : piece_of_(PiecesOf(local)) {
    for (const MergePair& pair : pairs) {
      if (pair.roots.node1 != pair.roots.node2) {
        between_[PiecesAt(pair.ends)];
      }
    }
    for (const graph::Edge& edge : local.active) {
      active_.insert(EdgeEnds{edge.node1, edge.node2}.Sorted());
    }
    for (const graph::OuterEdge& outer : local.outer) {
      const EdgeEnds ends = EdgeEnds{outer.edge.node1, outer.edge.node2}.Sorted();
      if (!outer.active && piece_of_.contains(ends.node1) && piece_of_.contains(ends.node2)) {
        inactive_.insert(ends);
        if (const auto wanted = between_.find(PiecesAt(ends)); wanted != between_.end()) {
          wanted->second.push_back(ends);
        }
      }
    }
  }

  absl::Status Find(const MergePair& pair, MergeEdges& found) const {
    const EdgeEnds ends = pair.ends.Sorted();
    if (active_.contains(ends)) {
      return absl::FailedPreconditionError(absl::StrCat("supervoxels ", Value(ends.node1), " and ", Value(ends.node2),
                                                        " are joined by an active edge already"));
    }
    if (pair.roots.node1 != pair.roots.node2) {
      if (const std::vector<EdgeEnds>& between = between_.at(PiecesAt(ends)); !between.empty()) {
        found.active.insert(found.active.end(), between.begin(), between.end());
        return absl::OkStatus();
      }
    }
    found.active.push_back(ends);
    if (!inactive_.contains(ends)) {
      found.fake.push_back(ends);
    }
    return absl::OkStatus();
  }

 private:
  EdgeEnds PiecesAt(const EdgeEnds& ends) const {
    return EdgeEnds{piece_of_.at(ends.node1), piece_of_.at(ends.node2)}.Sorted();
  }

  absl::flat_hash_map<NodeId, NodeId> piece_of_;
  std::map<EdgeEnds, std::vector<EdgeEnds>> between_;  // inactive edges by the pieces that a pair wants joined
  absl::flat_hash_set<EdgeEnds> active_;
  absl::flat_hash_set<EdgeEnds> inactive_;
};

void SortOnce(std::vector<EdgeEnds>& edges) {
  std::ranges::sort(edges);
  edges.erase(std::ranges::unique(edges).begin(), edges.end());
}

}  // namespace

absl::StatusOr<MergeEdges> FindMergeEdges(const Draft& draft, std::span<const MergePair> pairs, const Box& around,
                                          Stages& stages) {
  const Stages::Scope scope(stages, "read graph");
  CLEAVE_ASSIGN_OR_RETURN(const graph::LocalGraph local, LoadAround(draft, pairs, around));
  const EdgeFinder finder(local, pairs);
  MergeEdges found;
  for (const MergePair& pair : pairs) {
    CLEAVE_RETURN_IF_ERROR(finder.Find(pair, found));
  }
  SortOnce(found.active);
  SortOnce(found.fake);
  return found;
}

}  // namespace cleave::edit
