#include "edit/edge_plan.h"

#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "edit/l2_rewrite.h"
#include "edit/plan_rows.h"
#include "graph/hierarchy.h"
#include "graph/local_graph.h"

namespace cleave::edit {
namespace {

using graph::EdgeEnds;
using graph::NodeId;

bool IsInsideOneChunk(const Draft& draft, const EdgeEnds& edge) {
  return draft.layout().EdgeLayer(edge.node1, edge.node2) == graph::kSupervoxelLayer;
}

// The plan of everything above the L2 nodes that `rewrite` retired.
absl::StatusOr<Plan> PlanAbove(const Draft& draft, graph::OperationId operation, const L2Rewrite& rewrite) {
  const graph::GraphView view = draft.Now();
  CLEAVE_ASSIGN_OR_RETURN(const graph::HierarchyPlan hierarchy,
                          graph::PlanHierarchy(view, draft.dataset().ids(), rewrite.retired(), rewrite.Pieces()));
  Plan plan;
  CLEAVE_RETURN_IF_ERROR(AddHierarchyRows(view, hierarchy, operation, plan));
  return plan;
}

}  // namespace

std::vector<NodeId> EndsOf(std::span<const EdgeEnds> edges) {
  std::vector<NodeId> ends;
  for (const EdgeEnds& edge : edges) {
    ends.push_back(edge.node1);
    ends.push_back(edge.node2);
  }
  return ends;
}

absl::Status RequireSupervoxels(const Draft& draft, std::span<const NodeId> ids) {
  for (const NodeId id : ids) {
    if (absl::Status status = draft.layout().Validate(id); !status.ok()) {
      return absl::InvalidArgumentError(status.message());
    }
    if (const int layer = draft.layout().LayerOf(id); layer != graph::kSupervoxelLayer) {
      return absl::InvalidArgumentError(absl::StrCat("id ", Value(id), " is not a supervoxel: its layer is ", layer,
                                                     ", supervoxels have layer ", graph::kSupervoxelLayer));
    }
  }
  const graph::GraphView view = draft.Now();
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> parents, view.Parents(ids));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::vector<NodeId>> replacements, view.Replacements(ids));
  for (size_t i = 0; i < ids.size(); ++i) {
    if (parents[i] == NodeId{}) {
      return absl::InvalidArgumentError(absl::StrCat("there is no supervoxel ", Value(ids[i]), " in this graph"));
    }
    if (!replacements[i].empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat(graph::DescribeReplacement(ids[i], replacements[i]), "; name what took its place"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Plan> PlanJoin(const Draft& draft, graph::OperationId operation, std::span<const EdgeEnds> edges,
                              std::span<const EdgeEnds> fake_edges, Stages& stages) {
  const Stages::Scope scope(stages, "plan nodes");
  const graph::GraphView view = draft.Now();
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> l2_nodes, view.Parents(EndsOf(edges)));
  L2Rewrite rewrite(view);
  CLEAVE_RETURN_IF_ERROR(rewrite.Retire(l2_nodes));
  for (const NodeId l2_node : rewrite.retired()) {
    rewrite.LinkAllOf(l2_node);
  }
  for (const EdgeEnds& edge : edges) {
    if (IsInsideOneChunk(draft, edge)) {
      rewrite.Link(edge);
    } else {
      rewrite.AddCrossEdge(edge);
    }
  }
  CLEAVE_ASSIGN_OR_RETURN(Plan plan, PlanAbove(draft, operation, rewrite));
  std::vector<graph::Edge> stored;
  for (const EdgeEnds& edge : fake_edges) {
    stored.push_back({edge.node1, edge.node2, graph::kDefaultAffinity, 0});
  }
  for (table::RowMutation& row : graph::FakeEdgeRows(draft.layout(), stored)) {
    plan.flip.push_back(std::move(row));
  }
  return plan;
}

absl::StatusOr<Plan> PlanPart(const Draft& draft, graph::OperationId operation, std::span<const EdgeEnds> edges,
                              Stages& stages) {
  const graph::GraphView view = draft.Now();
  L2Rewrite rewrite(view);
  {
    const Stages::Scope scope(stages, "read graph");
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> l2_nodes, view.Parents(EndsOf(edges)));
    CLEAVE_RETURN_IF_ERROR(rewrite.Retire(l2_nodes));
    CLEAVE_ASSIGN_OR_RETURN(const graph::LocalGraph local,
                            draft.LoadLocalGraph(rewrite.retired(), graph::OuterEdges::kSkip));
    absl::flat_hash_set<EdgeEnds> removed;
    for (const EdgeEnds& edge : edges) {
      removed.insert(edge.Sorted());
      rewrite.RemoveCrossEdge(edge);
    }
    for (const graph::Edge& edge : local.active) {
      const EdgeEnds ends{edge.node1, edge.node2};
      if (IsInsideOneChunk(draft, ends) && !removed.contains(ends.Sorted())) {
        rewrite.Link(ends);
      }
    }
  }
  const Stages::Scope scope(stages, "plan nodes");
  return PlanAbove(draft, operation, rewrite);
}

}  // namespace cleave::edit
