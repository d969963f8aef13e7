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

// a is cut, made again, and cut once more: at each time the rows say who stands, and lead to the root of that time.
TEST(PlanRows, ASupervoxelHasSeveralLives) {
  graph::MemoryGraph graph(BoxAt({}, {20, 10, 10}), {10, 10, 10});
  const NodeId a = graph.NewSupervoxel({0, 0, 0});
  const NodeId b = graph.NewSupervoxel({1, 0, 0});
  graph.Build({a, b}, {{a, b}}, absl::FromUnixSeconds(100));
  std::vector<NodeId> standing = {a, b};
  const auto apply = [&](Plan plan, const std::vector<NodeId>& members, const std::vector<EdgeEnds>& edges,
                         int64_t seconds) {
    std::vector<NodeId> retired = graph.View().Parents(standing).value();
    std::ranges::sort(retired);
    retired.erase(std::ranges::unique(retired).begin(), retired.end());
    const auto hierarchy = graph::PlanHierarchy(graph.View(), graph.ids(), retired, graph.PiecesOf(members, edges));
    ASSERT_TRUE(hierarchy.ok()) << hierarchy.status();
    const graph::OperationId operation{static_cast<uint64_t>(seconds)};
    ASSERT_TRUE(AddHierarchyRows(graph.View(), *hierarchy, operation, plan).ok());
    ASSERT_TRUE(AddFragmentRows(graph.table(), operation, plan).ok());
    AddRestoredRows(*hierarchy, operation, plan);
    const Intent intent = MakeIntent(operation, absl::FromUnixSeconds(seconds), plan);
    ASSERT_TRUE(graph.table().Apply(intent.prepare).ok());
    ASSERT_TRUE(graph.table().Apply(intent.flip).ok());
    standing = members;
  };
  std::vector<NodeId> fragments;
  for (int i = 0; i < 4; ++i) {
    fragments.push_back(graph.NewSupervoxel({0, 0, 0}));
  }
  Plan cut;
  cut.fragments = {{fragments[0], a, 1, 5}, {fragments[1], a, 2, 6}};
  apply(cut, {fragments[0], fragments[1], b}, {{fragments[0], b}}, 200);
  Plan restore;
  restore.restored = {{fragments[0], a}, {fragments[1], a}};
  apply(restore, {a, b}, {{a, b}}, 300);
  EXPECT_EQ(graph.View().Roots(std::vector{fragments[0], fragments[1]}).value(),
            graph.View().Roots(std::vector{a, b}).value())
      << "the fragments lead to the new state while they have voxels";
  Plan again;
  again.fragments = {{fragments[2], a, 1, 5}, {fragments[3], a, 2, 6}};
  apply(again, {fragments[2], fragments[3], b}, {{fragments[3], b}}, 400);

  const auto replacements = [&](int64_t seconds) {
    return graph.View(absl::FromUnixSeconds(seconds)).Replacements(std::vector{a, fragments[0], fragments[2]}).value();
  };
  using Lists = std::vector<std::vector<NodeId>>;
  EXPECT_EQ(replacements(199), (Lists{{}, {}, {}}));
  EXPECT_EQ(replacements(200), (Lists{{fragments[0], fragments[1]}, {}, {}}));
  EXPECT_EQ(replacements(299), (Lists{{fragments[0], fragments[1]}, {}, {}}));
  EXPECT_EQ(replacements(300), (Lists{{}, {a}, {}}));
  EXPECT_EQ(replacements(400), (Lists{{fragments[2], fragments[3]}, {a}, {}}));
  graph.CheckWhole({a, b}, {{a, b}}, absl::FromUnixSeconds(199));
  graph.CheckWhole({fragments[0], fragments[1], b}, {{fragments[0], b}}, absl::FromUnixSeconds(250));
  graph.CheckWhole({a, b}, {{a, b}}, absl::FromUnixSeconds(350));
  graph.CheckWhole({fragments[2], fragments[3], b}, {{fragments[3], b}});
  // A fresh id is another name for what it came from, in both of its lives.
  for (const int64_t seconds : {150, 350}) {
    const std::vector<NodeId> roots =
        graph.View(absl::FromUnixSeconds(seconds)).Roots(std::vector{a, fragments[2]}).value();
    EXPECT_EQ(roots[0], roots[1]);
  }
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
