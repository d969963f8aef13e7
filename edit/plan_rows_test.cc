// Goal: the rows of a plan, once applied, read as the new state at its time and as the old state before.
// Method: a graph in memory of two supervoxels in two chunks; one is cut by hand, its rows are applied in the two steps
// in which an edit applies them, and the view is asked after each.
#include "edit/plan_rows.h"

#include "gtest/gtest.h"

#include "edit/intent.h"
#include "graph/graph_testing.h"

namespace cleave::edit {
namespace {

using graph::EdgeEnds;
using graph::NodeId;
namespace columns = table::columns;

TEST(PlanRows, FragmentsAreAliasesUntilTheFlip) {
  graph::MemoryGraph graph(BoxAt({}, {20, 10, 10}), {10, 10, 10});
  const NodeId a = graph.NewSupervoxel({0, 0, 0});
  const NodeId b = graph.NewSupervoxel({1, 0, 0});
  const absl::Time ingested = absl::FromUnixSeconds(100);
  graph.Build({a, b}, {{a, b}}, ingested);
  const NodeId old_root = graph.View().Roots(std::vector{a}).value().front();
  const NodeId old_l2 = graph.View().Parents(std::vector{a}).value().front();
  const NodeId b_l2 = graph.View().Parents(std::vector{b}).value().front();

  const NodeId a1 = graph.NewSupervoxel({0, 0, 0});
  const NodeId a2 = graph.NewSupervoxel({0, 0, 0});
  Plan plan;
  plan.fragments = {{a1, a, 1, 5}, {a2, a, 2, 6}};
  const graph::OperationId operation{7};
  const auto hierarchy = graph::PlanHierarchy(graph.View(), graph.ids(), std::vector{old_l2, b_l2},
                                              graph.PiecesOf({a1, a2, b}, {{a1, b}}));
  ASSERT_TRUE(hierarchy.ok()) << hierarchy.status();
  ASSERT_TRUE(AddHierarchyRows(graph.View(), *hierarchy, operation, plan).ok());
  ASSERT_TRUE(AddFragmentRows(graph.table(), operation, plan).ok());
  EXPECT_EQ(plan.old_roots, std::vector{old_root});
  EXPECT_EQ(plan.new_roots.size(), 2U);

  const absl::Time time = absl::FromUnixSeconds(200);
  const Intent intent = MakeIntent(operation, time, plan);
  ASSERT_TRUE(graph.table().Apply(intent.prepare).ok());
  EXPECT_EQ(graph.View().Roots(std::vector{a, a1, a2, b}).value(),
            (std::vector{old_root, old_root, old_root, old_root}));
  EXPECT_TRUE(graph.View().RequireCurrentRoot(old_root).ok());
  EXPECT_TRUE(graph.View().Replacements(std::vector{a}).value().front().empty());

  ASSERT_TRUE(graph.table().Apply(intent.flip).ok());
  graph.CheckWhole({a1, a2, b}, {{a1, b}});
  EXPECT_EQ(graph.View().Replacements(std::vector{a}).value().front(), (std::vector{a1, a2}));
  EXPECT_EQ(graph.View().Successors(std::vector{old_root}).value().front(), plan.new_roots);
  EXPECT_TRUE(absl::IsFailedPrecondition(graph.View().RequireCurrentRoot(old_root)));

  const graph::GraphView before = graph.View(time - absl::Milliseconds(1));
  EXPECT_EQ(before.Roots(std::vector{a, a1, a2, b}).value(), (std::vector{old_root, old_root, old_root, old_root}));
  EXPECT_EQ(before.Leaves(old_root, std::nullopt).value(), (std::vector{a, b}));
  graph.CheckWhole({a, b}, {{a, b}}, time - absl::Milliseconds(1));
}

// As a repair may find it: two objects before and two after, but all nodes below say that they came from the first.
TEST(PlanRows, WhereTheGraphContradictsItselfLineageIsOfTheOperation) {
  graph::MemoryGraph graph(BoxAt({}, {20, 10, 10}), {10, 10, 10});
  const NodeId a = graph.NewSupervoxel({0, 0, 0});
  const NodeId b = graph.NewSupervoxel({1, 0, 0});
  graph.Build({a, b}, {{a, b}}, absl::FromUnixSeconds(100));
  const NodeId l2_nodes[] = {graph.View().Parents(std::vector{a}).value().front(),
                             graph.View().Parents(std::vector{b}).value().front()};
  const NodeId root = graph.View().Roots(std::vector{a}).value().front();
  auto hierarchy = graph::PlanHierarchy(graph.View(), graph.ids(), l2_nodes, graph.PiecesOf({a, b}, {}));
  ASSERT_TRUE(hierarchy.ok()) << hierarchy.status();
  ASSERT_EQ(hierarchy->new_roots.size(), 2U);
  const NodeId lost{Value(root) + 1000};
  hierarchy->old_roots = {root, lost};
  Plan plan;
  ASSERT_TRUE(AddHierarchyRows(graph.View(), *hierarchy, graph::OperationId{7}, plan).ok());
  const Intent intent = MakeIntent(graph::OperationId{7}, absl::FromUnixSeconds(200), plan);
  ASSERT_TRUE(graph.table().Apply(intent.flip).ok());
  EXPECT_EQ(graph.View().Successors(std::vector{root, lost}).value(),
            (std::vector{hierarchy->new_roots, hierarchy->new_roots}));
}

TEST(PlanRows, ASupervoxelWithoutParentIsDataLoss) {
  graph::MemoryGraph graph(BoxAt({}, {20, 10, 10}), {10, 10, 10});
  const NodeId a = graph.NewSupervoxel({0, 0, 0});
  Plan plan;
  plan.fragments = {{graph.NewSupervoxel({0, 0, 0}), a, 1, 5}};
  const absl::Status status = AddFragmentRows(graph.table(), graph::OperationId{1}, plan);
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_NE(status.message().find(ToString(a)), absl::string_view::npos) << status;
}

}  // namespace
}  // namespace cleave::edit
