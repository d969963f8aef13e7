#include "edit/merge_plan.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"

#include "base/status.h"
#include "edit/l2_rewrite.h"
#include "edit/plan_rows.h"
#include "graph/hierarchy.h"
#include "graph/l2_components.h"
#include "graph/local_graph.h"
#include "table/table.h"

namespace cleave::edit {
namespace {

using graph::EdgeEnds;
using graph::NodeId;

// Around the two points, as the field looks for edges to activate.
constexpr Extent3 kMargin{240, 240, 24};

// The supervoxels that active edges join to `member` in the region.
absl::flat_hash_set<NodeId> PieceOf(const graph::LocalGraph& local, NodeId member) {
  std::vector<NodeId> supervoxels;
  for (const auto& [supervoxel, l2_node] : local.l2_of) {
    supervoxels.push_back(supervoxel);
  }
  std::vector<EdgeEnds> edges;
  for (const graph::Edge& edge : local.active) {
    edges.push_back({edge.node1, edge.node2});
  }
  for (const std::vector<NodeId>& component : graph::ComponentsOf(supervoxels, edges)) {
    if (std::ranges::binary_search(component, member)) {
      return {component.begin(), component.end()};
    }
  }
  return {member};
}

// The inactive edges between the pieces at the two points.
std::vector<EdgeEnds> InactiveBetween(const graph::LocalGraph& local, const MergeRequirements& requirements) {
  const absl::flat_hash_set<NodeId> sources = PieceOf(local, requirements.source.supervoxel);
  const absl::flat_hash_set<NodeId> sinks = PieceOf(local, requirements.sink.supervoxel);
  std::vector<EdgeEnds> edges;
  for (const graph::OuterEdge& outer : local.outer) {
    const EdgeEnds ends{outer.edge.node1, outer.edge.node2};
    const bool between = (sources.contains(ends.node1) && sinks.contains(ends.node2)) ||
                         (sources.contains(ends.node2) && sinks.contains(ends.node1));
    if (!outer.active && between) {
      edges.push_back(ends.Sorted());
    }
  }
  std::ranges::sort(edges);
  return edges;
}

absl::StatusOr<graph::LocalGraph> LoadAround(graph::Dataset& dataset, const graph::GraphView& view,
                                             const MergeRequirements& requirements) {
  const Box box = Intersect(
      Grow(Envelope(BoxAt(requirements.source.point, {1, 1, 1}), BoxAt(requirements.sink.point, {1, 1, 1})), kMargin),
      dataset.layout().volume());
  CLEAVE_ASSIGN_OR_RETURN(std::vector<NodeId> l2_nodes, view.L2Nodes(requirements.source_root, box));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> others, view.L2Nodes(requirements.sink_root, box));
  l2_nodes.insert(l2_nodes.end(), others.begin(), others.end());
  return graph::LoadLocalGraph(view, dataset.table(), dataset.edges(), l2_nodes, graph::OuterEdges::kLoad);
}

}  // namespace

absl::StatusOr<MergePlan> PlanMerge(graph::Dataset& dataset, const MergeRequirements& requirements, Stages& stages) {
  const graph::GraphView view = dataset.Now();
  MergePlan merge;
  {
    const Stages::Scope scope(stages, "read graph");
    CLEAVE_ASSIGN_OR_RETURN(const graph::LocalGraph local, LoadAround(dataset, view, requirements));
    merge.added_edges = InactiveBetween(local, requirements);
  }
  if (merge.added_edges.empty()) {
    merge.fake_edge = true;
    merge.added_edges = {EdgeEnds{requirements.source.supervoxel, requirements.sink.supervoxel}.Sorted()};
  }
  const Stages::Scope scope(stages, "plan nodes");
  std::vector<NodeId> ends;
  for (const EdgeEnds& edge : merge.added_edges) {
    ends.push_back(edge.node1);
    ends.push_back(edge.node2);
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> l2_nodes, view.Parents(ends));
  L2Rewrite rewrite(view);
  CLEAVE_RETURN_IF_ERROR(rewrite.Retire(l2_nodes));
  for (const NodeId l2_node : rewrite.retired()) {
    rewrite.LinkAllOf(l2_node);
  }
  for (const EdgeEnds& edge : merge.added_edges) {
    if (view.layout().EdgeLayer(edge.node1, edge.node2) == graph::kSupervoxelLayer) {
      rewrite.Link(edge);
    } else {
      rewrite.AddCrossEdge(edge);
    }
  }
  CLEAVE_ASSIGN_OR_RETURN(const graph::HierarchyPlan hierarchy,
                          graph::PlanHierarchy(view, dataset.ids(), rewrite.retired(), rewrite.Pieces()));
  AddHierarchyRows(hierarchy, requirements.operation, merge.plan);
  for (const graph::PlannedNode& node : hierarchy.nodes) {
    if (view.layout().LayerOf(node.id) == graph::kL2Layer) {
      merge.plan.new_l2_nodes.push_back(node.id);
    }
  }
  if (merge.fake_edge) {
    const graph::Edge edge{merge.added_edges[0].node1, merge.added_edges[0].node2, graph::kDefaultAffinity, 0};
    for (table::RowMutation& row : graph::FakeEdgeRows(view.layout(), std::vector<graph::Edge>{edge})) {
      merge.plan.flip.push_back(std::move(row));
    }
  }
  return merge;
}

}  // namespace cleave::edit
