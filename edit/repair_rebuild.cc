#include "edit/repair_rebuild.h"

#include <algorithm>
#include <set>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/status.h"
#include "edit/l2_rewrite.h"
#include "edit/plan_rows.h"
#include "graph/graph_view.h"
#include "graph/hierarchy.h"
#include "graph/local_graph.h"

namespace cleave::edit {
namespace {

using graph::NodeId;

// The L2 node that a suspect leads to, if it is a part of the newest state; 0 otherwise.
absl::StatusOr<NodeId> L2NodeOf(const graph::GraphView& view, NodeId suspect) {
  const graph::IdLayout& layout = view.layout();
  NodeId node = suspect;
  if (layout.LayerOf(node) == graph::kSupervoxelLayer) {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> parents, view.Parents({{node}}));
    node = parents.front();
  }
  while (node != NodeId{} && layout.LayerOf(node) > graph::kL2Layer) {
    CLEAVE_ASSIGN_OR_RETURN(const auto children, view.Children({{node}}));
    node = children.front().empty() ? NodeId{} : children.front().front();
    if (node != NodeId{} && layout.LayerOf(node) < graph::kL2Layer) {
      return NodeId{};
    }
  }
  if (node == NodeId{} || !layout.Validate(node).ok() || layout.LayerOf(node) != graph::kL2Layer) {
    return NodeId{};
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> roots, view.Roots({{node}}));
  if (roots.front() == NodeId{} || !view.RequireCurrentRoot(roots.front()).ok()) {
    return NodeId{};
  }
  return node;
}

absl::Status LinkInsideChunks(graph::Dataset& dataset, const graph::GraphView& view, const table::TableReader& reader,
                              std::span<const NodeId> l2_nodes, L2Rewrite& rewrite) {
  std::set<ChunkPoint> chunks;
  for (const NodeId node : l2_nodes) {
    chunks.insert(view.layout().ChunkOf(node).position);
  }
  for (const ChunkPoint chunk : chunks) {
    std::vector<NodeId> here;
    std::ranges::copy_if(l2_nodes, std::back_inserter(here),
                         [&](NodeId node) { return view.layout().ChunkOf(node).position == chunk; });
    CLEAVE_ASSIGN_OR_RETURN(const graph::LocalGraph local,
                            graph::LoadLocalGraph(view, reader, dataset.edges(), here, graph::OuterEdges::kSkip));
    for (const graph::Edge& edge : local.active) {
      if (local.l2_of.at(edge.node1) == local.l2_of.at(edge.node2)) {
        rewrite.Link({edge.node1, edge.node2});
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Rebuild> PlanRebuild(graph::Dataset& dataset, const table::TableReader& reader,
                                    std::span<const NodeId> suspects, graph::OperationId operation) {
  const graph::GraphView view(dataset.layout(), reader, absl::InfiniteFuture());
  std::set<NodeId> found;
  for (const NodeId suspect : suspects) {
    if (dataset.layout().Validate(suspect).ok()) {
      CLEAVE_ASSIGN_OR_RETURN(const NodeId node, L2NodeOf(view, suspect));
      if (node != NodeId{}) {
        found.insert(node);
      }
    }
  }
  Rebuild rebuild;
  if (found.empty()) {
    return rebuild;
  }
  const std::vector<NodeId> l2_nodes(found.begin(), found.end());
  L2Rewrite rewrite(view);
  CLEAVE_RETURN_IF_ERROR(rewrite.Retire(l2_nodes));
  CLEAVE_RETURN_IF_ERROR(LinkInsideChunks(dataset, view, reader, l2_nodes, rewrite));
  CLEAVE_ASSIGN_OR_RETURN(const graph::HierarchyPlan hierarchy,
                          graph::PlanHierarchy(view, dataset.ids(), rewrite.retired(), rewrite.Pieces()));
  CLEAVE_RETURN_IF_ERROR(AddHierarchyRows(view, hierarchy, operation, rebuild.plan));
  Mend& mend = rebuild.mend;
  mend.invariant = 4;
  mend.what = absl::StrCat("objects ", absl::StrJoin(graph::ToIntegers(hierarchy.old_roots), ", "),
                           " are not the connected components of their active edges");
  mend.evidence = absl::StrCat("the active edges: the nodes above ", l2_nodes.size(),
                               " L2 nodes are built anew from them, as objects ",
                               absl::StrJoin(graph::ToIntegers(hierarchy.new_roots), ", "));
  mend.ids = graph::ToIntegers(hierarchy.old_roots);
  for (const auto* rows : {&rebuild.plan.prepare, &rebuild.plan.flip}) {
    for (const table::RowMutation& row : *rows) {
      for (const table::Change& change : row.changes) {
        const auto& set = std::get<table::SetCell>(change);
        mend.cells.push_back({row.key, set.column, std::nullopt, {}, set.value});
      }
    }
  }
  return rebuild;
}

}  // namespace cleave::edit
