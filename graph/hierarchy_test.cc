// Goal: whatever L2 nodes are replaced, the planned layers are those of the new edges, and the past stays as it was.
// Method: random supervoxels and active edges over a lattice of chunks whose extent is no power of two. Random steps
// switch edges off and on; the L2 nodes they touch are retired and their pieces planned. After each step the whole
// hierarchy is compared with brute force (graph_testing.h); at the end every past state is compared again at its time.
#include "graph/hierarchy.h"

#include <algorithm>
#include <random>
#include <set>

#include "gtest/gtest.h"

#include "graph/graph_testing.h"
#include "table/test_table.h"

namespace cleave::graph {
namespace {

struct World {
  std::vector<NodeId> supervoxels;
  std::vector<EdgeEnds> possible;
  std::set<EdgeEnds> active;
  std::vector<EdgeEnds> Edges() const { return {active.begin(), active.end()}; }
};

World RandomWorld(MemoryGraph& graph, std::mt19937_64& random) {
  World world;
  const ChunkPoint counts = graph.layout().ChunkCounts(kL2Layer);
  for (int64_t z = 0; z < counts.z; ++z) {
    for (int64_t y = 0; y < counts.y; ++y) {
      for (int64_t x = 0; x < counts.x; ++x) {
        for (uint64_t i = random() % 4; i > 0; --i) {
          world.supervoxels.push_back(graph.NewSupervoxel({x, y, z}));
        }
      }
    }
  }
  const auto near = [&](NodeId a, NodeId b) {
    const ChunkPoint d = graph.layout().ChunkOf(a).position - graph.layout().ChunkOf(b).position;
    return std::max({std::abs(d.x), std::abs(d.y), std::abs(d.z)}) <= 1;
  };
  for (size_t i = 0; i < world.supervoxels.size(); ++i) {
    for (size_t j = i + 1; j < world.supervoxels.size(); ++j) {
      // A few edges join chunks that are far apart, as users' merges do.
      if (near(world.supervoxels[i], world.supervoxels[j]) ? random() % 4 == 0 : random() % 300 == 0) {
        world.possible.push_back(EdgeEnds{world.supervoxels[i], world.supervoxels[j]}.Sorted());
      }
    }
  }
  for (const EdgeEnds& edge : world.possible) {
    if (random() % 5 == 0) {
      world.active.insert(edge);
    }
  }
  return world;
}

// The L2 nodes at the ends of `edges`, and the pieces that take their place under the active edges of `world`.
std::vector<NodeId> L2NodesAt(const MemoryGraph& graph, const std::vector<EdgeEnds>& edges) {
  std::vector<NodeId> ends;
  for (const EdgeEnds& edge : edges) {
    ends.push_back(edge.node1);
    ends.push_back(edge.node2);
  }
  std::vector<NodeId> parents = graph.View().Parents(ends).value();
  std::ranges::sort(parents);
  parents.erase(std::ranges::unique(parents).begin(), parents.end());
  return parents;
}

TEST(PlanHierarchy, RandomChangesAgreeWithBruteForce) {
  const uint64_t seed = table::TestSeed();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (const ChunkPoint counts : {ChunkPoint{1, 1, 1}, {2, 1, 1}, {5, 3, 2}, {3, 6, 1}}) {
    MemoryGraph graph(BoxAt({-9, 4, 0}, {counts.x * 10 - 3, counts.y * 10 - 1, counts.z * 10}), {10, 10, 10});
    World world = RandomWorld(graph, random);
    if (world.supervoxels.empty()) {
      continue;
    }
    absl::Time time = absl::FromUnixSeconds(1000);
    ASSERT_NO_FATAL_FAILURE(graph.Build(world.supervoxels, world.Edges(), time));
    ASSERT_NO_FATAL_FAILURE(graph.CheckWhole(world.supervoxels, world.Edges()));
    std::vector<std::pair<absl::Time, std::set<EdgeEnds>>> past = {{time, world.active}};
    for (int step = 0; step < 15 && !world.possible.empty(); ++step) {
      std::vector<EdgeEnds> changed;
      for (uint64_t i = 1 + random() % 4; i > 0; --i) {
        const EdgeEnds edge = world.possible[random() % world.possible.size()];
        changed.push_back(edge);
        if (world.active.erase(edge) == 0) {
          world.active.insert(edge);
        }
      }
      const std::vector<NodeId> retired = L2NodesAt(graph, changed);
      std::vector<NodeId> members;
      const std::vector<std::vector<NodeId>> lists = graph.View().Children(retired).value();
      for (const std::vector<NodeId>& children : lists) {
        members.insert(members.end(), children.begin(), children.end());
      }
      const std::vector<NodeId> old_roots = graph.View().Roots(retired).value();
      const auto plan = PlanHierarchy(graph.View(), graph.ids(), retired, graph.PiecesOf(members, world.Edges()));
      ASSERT_TRUE(plan.ok()) << plan.status();
      EXPECT_EQ(std::set(plan->old_roots.begin(), plan->old_roots.end()), std::set(old_roots.begin(), old_roots.end()));
      time += absl::Seconds(1);
      graph.Store(plan->nodes, time);
      ASSERT_NO_FATAL_FAILURE(graph.CheckWhole(world.supervoxels, world.Edges()));
      ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed << ", step " << step;
      past.emplace_back(time, world.active);
    }
    for (const auto& [then, active] : past) {
      graph.CheckWhole(world.supervoxels, {active.begin(), active.end()}, then);
    }
  }
}

TEST(PlanHierarchy, AnEdgeWhosePartnerIsLeftOutIsAnError) {
  MemoryGraph graph(BoxAt({0, 0, 0}, {40, 10, 10}), {10, 10, 10});
  const NodeId a = graph.NewSupervoxel({0, 0, 0});
  const NodeId b = graph.NewSupervoxel({1, 0, 0});
  graph.Build({a, b}, {}, absl::FromUnixSeconds(1));
  const NodeId retired[] = {graph.View().Parents({{a}}).value().front()};
  // `b` keeps its L2 node and its root, which do not know of the edge.
  const L2Piece pieces[] = {{{0, 0, 0}, {a}, {{kL2Layer, {{a, b}}}}}};
  const auto plan = PlanHierarchy(graph.View(), graph.ids(), retired, pieces);
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kInternal);
  EXPECT_NE(plan.status().message().find(ToString(b)), absl::string_view::npos) << plan.status();
}

}  // namespace
}  // namespace cleave::graph
