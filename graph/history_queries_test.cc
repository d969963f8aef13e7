// Goal: lineage, times, edges, ways and contacts of a graph with a past agree with plain lists of what happened.
// Method: random graphs whose history is kept beside them; every answer at every time is worked out again by brute
// force. The example of the field's own history test (split, then merge) stands at the end.
#include <queue>

#include "gtest/gtest.h"

#include "graph/contact_sites.h"
#include "graph/descend.h"
#include "graph/history_testing.h"
#include "graph/l2_graph.h"
#include "graph/lineage.h"
#include "graph/node_times.h"
#include "graph/subgraph.h"
#include "table/test_table.h"

namespace cleave::graph {
namespace {

class HistoryQueriesTest : public testing::Test {
 protected:
  using Moment = GraphHistory::Moment;
  void SetUp() override {
    history_.Ingest();
    history_.ToggleAtRandom(14);
    ASSERT_FALSE(HasFailure());
  }
  const IdLayout& layout() const { return history_.graph.layout(); }
  std::set<NodeId> RootsAt(const Moment& moment) const {
    const std::vector<NodeId> roots = history_.ViewOf(moment).Roots(history_.supervoxels).value();
    return {roots.begin(), roots.end()};
  }
  std::set<NodeId> AllRoots() const {
    std::set<NodeId> all;
    for (const Moment& moment : history_.moments) {
      all.merge(RootsAt(moment));
    }
    return all;
  }
  // Former and new, of all operations.
  std::set<EdgeEnds> AllLinks() const {
    std::set<EdgeEnds> links;
    for (const Moment& moment : history_.moments) {
      for (const NodeId former : moment.old_roots) {
        for (const NodeId now : moment.new_roots) {
          links.insert({former, now});
        }
      }
    }
    return links;
  }
  std::map<NodeId, NodeId> L2Of(const GraphView& view) const {
    std::map<NodeId, NodeId> l2_of;
    const std::vector<NodeId> parents = view.Parents(history_.supervoxels).value();
    for (size_t i = 0; i < parents.size(); ++i) {
      l2_of[history_.supervoxels[i]] = parents[i];
    }
    return l2_of;
  }
  // Active edges between L2 nodes.
  std::set<EdgeEnds> L2Pairs(const Moment& moment) const {
    const std::map<NodeId, NodeId> l2_of = L2Of(history_.ViewOf(moment));
    std::set<EdgeEnds> pairs;
    for (const EdgeEnds& edge : moment.active) {
      if (l2_of.at(edge.node1) != l2_of.at(edge.node2)) {
        pairs.insert(EdgeEnds{l2_of.at(edge.node1), l2_of.at(edge.node2)}.Sorted());
      }
    }
    return pairs;
  }

  const uint64_t seed_ = table::TestSeed();
  testing::ScopedTrace trace_{__FILE__, __LINE__, testing::Message() << "CLEAVE_TEST_SEED=" << seed_};
  GraphHistory history_{Box{{-7, 3, 0}, {50, 40, 18}}, {10, 10, 10}, seed_};
};

TEST_F(HistoryQueriesTest, LivesOfRoots) {
  const std::set<NodeId> all = AllRoots();
  std::vector<NodeId> ids(all.begin(), all.end());
  ids.insert(ids.end(), {NodeId{}, history_.supervoxels.front(),
                         layout().MakeNode({layout().layer_count(), {0, 0, 0}}, Segment{123456})});
  for (const Moment& moment : history_.moments) {
    const std::set<NodeId> now = RootsAt(moment);
    const std::vector<RootLife> lives = RootLives(history_.ViewOf(moment), ids).value();
    for (size_t i = 0; i < ids.size(); ++i) {
      ASSERT_EQ(lives[i].is_latest(), now.contains(ids[i])) << Value(ids[i]);
      for (const Moment& other : history_.moments) {
        if (std::ranges::count(other.old_roots, ids[i]) > 0) {
          ASSERT_EQ(lives[i].superseded, other.time <= moment.time ? std::optional(other.time) : std::nullopt);
        }
        if (std::ranges::count(other.new_roots, ids[i]) > 0) {
          ASSERT_EQ(lives[i].created, other.time <= moment.time ? std::optional(other.time) : std::nullopt);
        }
      }
    }
    for (const int64_t page_size : {1, 7, 1000}) {
      std::set<NodeId> paged;
      std::optional<NodeId> from = NodeId{};
      while (from.has_value()) {
        const RootPage page = LatestRoots(history_.ViewOf(moment), *from, page_size).value();
        paged.insert(page.roots.begin(), page.roots.end());
        from = page.next;
      }
      ASSERT_EQ(paged, now);
    }
  }
}

TEST_F(HistoryQueriesTest, ParentVersionsAndWrittenNodes) {
  const GraphView view = history_.graph.View();
  const auto versions = ParentVersions(view, history_.supervoxels).value();
  for (size_t i = 0; i < versions.size(); ++i) {
    std::vector<ParentVersion> expected;
    for (const Moment& moment : history_.moments) {
      const NodeId one[] = {history_.supervoxels[i]};
      const NodeId parent = history_.ViewOf(moment).Parents(one)->front();
      if (expected.empty() || expected.front().parent != parent) {
        expected.insert(expected.begin(), {moment.time, parent});
      }
    }
    ASSERT_EQ(versions[i], expected);
  }
  const Moment& last = history_.moments.back();
  const std::set<NodeId> roots = AllRoots();
  std::vector<NodeId> ids(roots.begin(), roots.end());
  ids.push_back(NodeId{5});
  std::set<NodeId> expected(last.old_roots.begin(), last.old_roots.end());
  expected.insert(last.new_roots.begin(), last.new_roots.end());
  const std::vector<NodeId> written = NodesWrittenIn(view, ids, last.time, last.time + absl::Milliseconds(1)).value();
  EXPECT_EQ(std::set(written.begin(), written.end()), expected);
}

TEST_F(HistoryQueriesTest, LineageInPagesIsTheWholeLineage) {
  const std::set<EdgeEnds> all_links = AllLinks();
  const GraphView view = history_.graph.View();
  const std::set<NodeId> roots = AllRoots();
  for (const NodeId root : roots) {
    for (const bool past : {true, false}) {
      // By walking over the list of operations.
      std::set<NodeId> expected = {root};
      std::set<EdgeEnds> expected_links;
      for (bool grown = true; grown;) {
        grown = false;
        for (const EdgeEnds& link : all_links) {
          if (expected.contains(past ? link.node2 : link.node1)) {
            grown = expected_links.insert(link).second || grown;
            expected.insert(past ? link.node1 : link.node2);
          }
        }
      }
      for (const int64_t size : {1, 2, 1000}) {
        std::set<NodeId> found;
        std::set<EdgeEnds> links;
        int64_t answers = 0;
        LineageQuery query{.roots_max = size};
        (past ? query.past_of : query.future_of) = {root};
        while (!query.past_of.empty() || !query.future_of.empty()) {
          const Lineage page = ReadLineage(view, query).value();
          ASSERT_LE(std::ssize(page.roots), size);
          for (const RootRow& row : page.roots) {
            EXPECT_TRUE(found.insert(row.id).second) << "visited twice";
          }
          links.insert(page.links.begin(), page.links.end());
          query.past_of = page.more_past_of;
          query.future_of = page.more_future_of;
          ASSERT_LE(++answers, std::ssize(expected) + 1);
        }
        ASSERT_EQ(found, expected);
        ASSERT_EQ(links, expected_links);
      }
      const NodeId one[] = {root};
      const RootList list = past ? PastRoots(view, one, absl::InfinitePast(), 1000).value()
                                 : FutureRoots(view, one, absl::InfiniteFuture(), 1000).value();
      expected.erase(root);
      EXPECT_EQ(std::set(list.roots.begin(), list.roots.end()), expected);
      if (!past) {
        const RootList latest = LatestRootsOf(view, one, 1000).value();
        const std::set<NodeId> now = RootsAt(history_.moments.back());
        expected.insert(root);
        std::erase_if(expected, [&](NodeId id) { return !now.contains(id); });
        EXPECT_EQ(std::set(latest.roots.begin(), latest.roots.end()), expected);
      }
    }
  }
}

TEST_F(HistoryQueriesTest, RowsOfRootsNameTheirOperations) {
  RootRows rows(history_.graph.View());
  const std::set<NodeId> all = AllRoots();
  ASSERT_TRUE(rows.Read(std::vector<NodeId>(all.begin(), all.end())).ok());
  for (const Moment& moment : history_.moments) {
    for (const NodeId root : moment.new_roots) {
      EXPECT_EQ(rows.Of(root).created_by, moment.operation);
      EXPECT_EQ(rows.Of(root).created, moment.time);
      EXPECT_EQ(rows.Of(root).formers, moment.old_roots);
    }
    for (const NodeId root : moment.old_roots) {
      EXPECT_EQ(rows.Of(root).superseded_by, moment.operation);
      EXPECT_EQ(rows.Of(root).superseded, moment.time);
      EXPECT_EQ(rows.Of(root).successors, moment.new_roots);
    }
  }
  EXPECT_EQ(rows.Read(std::vector<NodeId>{history_.supervoxels.front()}).code(), absl::StatusCode::kNotFound);
}

TEST_F(HistoryQueriesTest, EdgesOfObjects) {
  for (const Moment& moment : history_.moments) {
    const GraphView view = history_.ViewOf(moment);
    const std::map<NodeId, NodeId> l2_of = L2Of(view);
    const std::set<NodeId> roots = RootsAt(moment);
    for (const NodeId root : roots) {
      const std::vector<NodeId> leaves = view.Leaves(root, std::nullopt).value();
      std::map<EdgeEnds, SubgraphEdge> expected;
      for (const auto& [ends, stored] : history_.possible) {
        for (const EdgeEnds& own : {ends, ends.Reversed()}) {
          const bool internal = std::ranges::binary_search(leaves, own.node2);
          if (!std::ranges::binary_search(leaves, own.node1) || (internal && own != ends)) {
            continue;
          }
          SubgraphEdge edge{.edge = {own.node1, own.node2, stored.affinity, stored.area}, .internal = internal};
          const bool same_chunk = layout().EdgeLayer(own.node1, own.node2) == kSupervoxelLayer;
          const bool same_l2 = l2_of.at(own.node1) == l2_of.at(own.node2);
          edge.category = same_l2 ? EdgeCategory::kIn : same_chunk ? EdgeCategory::kOut : EdgeCategory::kCross;
          edge.active = same_chunk ? same_l2 : moment.active.contains(ends);
          expected[own] = edge;
        }
      }
      for (const EdgeExtent extent : {EdgeExtent::kAll, EdgeExtent::kInternal}) {
        const std::vector<SubgraphEdge> edges =
            EdgesBelow(view, history_.files, {{root}}, std::nullopt, extent).value();
        size_t wanted = 0;
        for (const auto& [ends, edge] : expected) {
          wanted += extent == EdgeExtent::kAll || edge.internal ? 1 : 0;
        }
        ASSERT_EQ(edges.size(), wanted);
        for (const SubgraphEdge& edge : edges) {
          const SubgraphEdge& right = expected.at({edge.edge.node1, edge.edge.node2});
          ASSERT_EQ(edge.edge, right.edge);
          ASSERT_EQ(edge.category, right.category);
          ASSERT_EQ(edge.active, right.active);
          ASSERT_EQ(edge.internal, right.internal);
        }
      }
    }
  }
  const NodeId two_times[] = {history_.ViewOf(history_.moments.front()).Parents(history_.supervoxels)->front(),
                              history_.supervoxels.front()};
  EXPECT_EQ(EdgesOfL2Nodes(history_.graph.View(), history_.files, two_times, EdgeExtent::kAll).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(HistoryQueriesTest, LiftedCrossEdgesJoinNodesOfTheirLayer) {
  for (const Moment& moment : history_.moments) {
    const GraphView view = history_.ViewOf(moment);
    const std::vector<std::vector<NodeId>> chains = view.Chains(history_.supervoxels).value();
    std::set<NodeId> nodes;
    for (const std::vector<NodeId>& chain : chains) {
      nodes.insert(chain.begin(), chain.end());
    }
    const std::vector<NodeId> list(nodes.begin(), nodes.end());
    const auto lifted = LiftedCrossEdges(view, list).value();
    for (size_t i = 0; i < list.size(); ++i) {
      const int layer = layout().LayerOf(list[i]);
      std::set<EdgeEnds> expected;
      for (const EdgeEnds& edge : moment.active) {
        for (const EdgeEnds& own : {edge, edge.Reversed()}) {
          if (layout().EdgeLayer(own.node1, own.node2) >= layer &&
              view.Ancestors({{own.node1}}, layer)->front() == list[i]) {
            expected.insert({list[i], view.Ancestors({{own.node2}}, layer)->front()});
          }
        }
      }
      ASSERT_EQ(std::set(lifted[i].begin(), lifted[i].end()), expected);
      ASSERT_TRUE(std::ranges::is_sorted(lifted[i]));
    }
  }
}

TEST_F(HistoryQueriesTest, L2GraphsAndShortestPaths) {
  const Box box{{10, 10, 0}, {40, 30, 18}};
  for (const Moment& moment : history_.moments) {
    const GraphView view = history_.ViewOf(moment);
    const std::set<EdgeEnds> pairs = L2Pairs(moment);
    const std::set<NodeId> roots = RootsAt(moment);
    for (const NodeId root : roots) {
      for (const std::optional<Box>& where : {std::optional<Box>(), std::optional<Box>(box)}) {
        const std::vector<NodeId> l2_nodes = view.L2Nodes(root, where).value();
        std::vector<EdgeEnds> expected;
        for (const EdgeEnds& pair : pairs) {
          if (std::ranges::binary_search(l2_nodes, pair.node1) && std::ranges::binary_search(l2_nodes, pair.node2)) {
            expected.push_back(pair);
          }
        }
        ASSERT_EQ(L2Graph(view, root, where).value(), expected);
      }
    }
    for (int round = 0; round < 30; ++round) {
      const NodeId a = history_.supervoxels[history_.random()() % history_.supervoxels.size()];
      const NodeId b = history_.supervoxels[history_.random()() % history_.supervoxels.size()];
      const std::vector<std::vector<NodeId>> chains = view.Chains({{a, b}}).value();
      const auto path = ShortestL2Path(view, a, b);
      if (chains[0].back() != chains[1].back()) {
        ASSERT_EQ(path.status().code(), absl::StatusCode::kNotFound);
        continue;
      }
      ASSERT_TRUE(path.ok()) << path.status();
      const auto common =
          std::ranges::find_if(chains[0], [&](NodeId node) { return std::ranges::count(chains[1], node) > 0; });
      const std::vector<NodeId> inside = view.L2Nodes(*common, std::nullopt).value();
      // Breadth first over plain pairs.
      std::map<NodeId, int> steps = {{chains[0].front(), 0}};
      std::queue<NodeId> queue;
      queue.push(chains[0].front());
      while (!queue.empty()) {
        const NodeId node = queue.front();
        queue.pop();
        for (const EdgeEnds& pair : pairs) {
          for (const EdgeEnds& way : {pair, pair.Reversed()}) {
            if (way.node1 == node && std::ranges::binary_search(inside, way.node2) &&
                steps.try_emplace(way.node2, steps[node] + 1).second) {
              queue.push(way.node2);
            }
          }
        }
      }
      ASSERT_EQ(path->front(), chains[0].front());
      ASSERT_EQ(path->back(), chains[1].front());
      ASSERT_EQ(std::ssize(*path), steps.at(chains[1].front()) + 1);
      for (size_t i = 1; i < path->size(); ++i) {
        ASSERT_TRUE(pairs.contains(EdgeEnds{(*path)[i - 1], (*path)[i]}.Sorted()));
      }
    }
  }
}

TEST_F(HistoryQueriesTest, ContactSitesByPartner) {
  for (const Moment& moment : history_.moments) {
    const GraphView view = history_.ViewOf(moment);
    const std::vector<NodeId> root_list = view.Roots(history_.supervoxels).value();
    std::map<NodeId, NodeId> root_of;
    for (size_t i = 0; i < root_list.size(); ++i) {
      root_of[history_.supervoxels[i]] = root_list[i];
    }
    const std::map<NodeId, NodeId> l2_of = L2Of(view);
    std::vector<EdgeEnds> active;
    for (const auto& [ends, edge] : history_.possible) {
      if (moment.active.contains(ends) || l2_of.at(ends.node1) == l2_of.at(ends.node2)) {
        active.push_back(ends);
      }
    }
    const std::set<NodeId> roots = RootsAt(moment);
    for (const NodeId root : roots) {
      std::map<NodeId, std::map<NodeId, uint64_t>> area_of;  // by partner root, then by partner supervoxel
      for (const auto& [ends, edge] : history_.possible) {
        for (const EdgeEnds& own : {ends, ends.Reversed()}) {
          if (root_of[own.node1] == root && root_of[own.node2] != root) {
            area_of[root_of[own.node2]][own.node2] += edge.area;
          }
        }
      }
      const auto sites = ContactSites(view, history_.files, root, {}).value();
      ASSERT_EQ(sites.size(), area_of.size());
      for (const auto& [partner, by_supervoxel] : area_of) {
        std::vector<NodeId> touching;
        for (const auto& [supervoxel, area] : by_supervoxel) {
          touching.push_back(supervoxel);
        }
        std::map<std::vector<NodeId>, uint64_t> expected;
        const std::vector<std::vector<NodeId>> groups = ComponentsOf(touching, active);
        for (const std::vector<NodeId>& group : groups) {
          for (const NodeId supervoxel : group) {
            expected[group] += by_supervoxel.at(supervoxel);
          }
        }
        std::map<std::vector<NodeId>, uint64_t> found;
        for (const ContactSite& site : sites.at(partner)) {
          found[site.partner_supervoxels] = site.area;
        }
        ASSERT_EQ(found, expected);
        ASSERT_TRUE(std::ranges::is_sorted(sites.at(partner), std::ranges::greater(), &ContactSite::area));
        const auto pairwise = ContactSites(view, history_.files, root, {.partners = {partner}}).value();
        ASSERT_EQ(pairwise.size(), 1u);
        ASSERT_EQ(pairwise.begin()->second.size(), found.size());
      }
    }
  }
}

// The field's own example: root R is split into A and B, and these are merged into M.
TEST(LineageExample, SplitThenMerge) {
  GraphHistory history(Box{{0, 0, 0}, {20, 10, 10}}, {10, 10, 10}, 1);
  const NodeId a = history.graph.NewSupervoxel({0, 0, 0});
  const NodeId b = history.graph.NewSupervoxel({1, 0, 0});
  history.supervoxels = {a, b};
  const absl::Time ingested = absl::FromUnixSeconds(1000);
  ASSERT_NO_FATAL_FAILURE(history.graph.Build({a, b}, {{a, b}}, ingested));
  history.moments.push_back({ingested, {{a, b}}, {}, {}, {}});
  const NodeId r = history.graph.View().Roots({{a}})->front();
  ASSERT_NO_FATAL_FAILURE(history.Toggle({{a, b}}));
  const std::vector<NodeId> halves = history.graph.View().Roots({{a, b}}).value();
  ASSERT_NO_FATAL_FAILURE(history.Toggle({{a, b}}));
  const NodeId m = history.graph.View().Roots({{a}})->front();
  const GraphView view = history.graph.View();
  const auto past_links = [&](const std::vector<NodeId>& ids) {
    return ReadLineage(view, {.past_of = ids})->links.size();
  };
  EXPECT_EQ(past_links({halves[0]}), 1u);
  EXPECT_EQ(past_links(halves), 2u);
  EXPECT_EQ(past_links({m}), 4u);
  const auto history_length = [&](NodeId id) {
    return PastRoots(view, {{id}}, absl::InfinitePast(), 100)->roots.size() + 1 +
           FutureRoots(view, {{id}}, absl::InfiniteFuture(), 100)->roots.size();
  };
  EXPECT_EQ(history_length(r), 4u);
  EXPECT_EQ(history_length(halves[0]), 3u);
  EXPECT_EQ(history_length(halves[1]), 3u);
  EXPECT_EQ(history_length(m), 4u);
  // M comes from R, which was split: R has become no single root, each half has.
  const PastFutureIds whole = MapPastFuture(view, {{m}}, absl::InfinitePast(), absl::InfiniteFuture(), 100).value();
  EXPECT_EQ(whole.past.at(m), std::vector<NodeId>{r});
  EXPECT_TRUE(whole.future.empty());
  const PastFutureIds since = MapPastFuture(view, {{m}}, history.moments[1].time, absl::InfiniteFuture(), 100).value();
  EXPECT_EQ(since.past.at(m), halves);
  EXPECT_EQ(since.future.at(halves[0]), m);
  // Just before the halves were made, R stood.
  const absl::Time before = history.moments[1].time - absl::Milliseconds(1);
  EXPECT_EQ(MapPastFuture(view, {{m}}, before, absl::InfiniteFuture(), 100)->past.at(m), std::vector<NodeId>{r});
  const Lineage narrow = ReadLineage(view, {.past_of = {m}, .not_before = before}).value();
  EXPECT_EQ(narrow.roots.size(), 3u);
  const Lineage bordered = ReadLineage(view, {.past_of = {m}, .not_before = before, .with_border = true}).value();
  EXPECT_EQ(bordered.roots.size(), 4u);
  EXPECT_EQ(bordered.links.size(), 4u);
  EXPECT_TRUE(MapPastFuture(view, {{m}}, absl::InfinitePast(), absl::InfiniteFuture(), 2)->is_cut);
  const Lineage windowed = ReadLineage(view, {.past_of = {m}, .not_before = history.moments[1].time}).value();
  EXPECT_EQ(windowed.roots.size(), 3u);
  EXPECT_EQ(ReadLineage(view, {.past_of = {a}}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadLineage(view, {.roots_max = 0}).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace cleave::graph
