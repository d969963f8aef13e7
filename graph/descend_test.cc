// Goal: questions up and down the hierarchy give the same as following one parent or child at a time.
// Method: random graphs with a past; at every time, each answer for many nodes at once is compared with a slow walk
// over single nodes, or with the plain lists of the graph's history. Reads are counted: a thousand nodes take as many
// as one.
#include "graph/descend.h"

#include "gtest/gtest.h"

#include "graph/history_testing.h"
#include "table/overlay_table.h"
#include "table/test_table.h"

namespace cleave::graph {
namespace {

const Box kVolume{{-7, 3, 0}, {50, 40, 18}};
const Extent3 kChunk{10, 10, 10};

// A table that counts what is asked of it.
class CountingReader final : public table::TableReader {
 public:
  explicit CountingReader(const table::TableReader& base) : base_(base) {}
  absl::StatusOr<std::vector<table::Row>> ReadRows(std::span<const std::string> keys,
                                                   const table::Filter& filter) const override {
    ++reads;
    return base_.ReadRows(keys, filter);
  }
  absl::StatusOr<std::vector<table::Row>> ReadRange(const table::RowRange& range, const table::Filter& filter,
                                                    int64_t limit) const override {
    ++reads;
    return base_.ReadRange(range, filter, limit);
  }
  mutable int reads = 0;

 private:
  const table::TableReader& base_;
};

NodeId ParentOf(const GraphView& view, NodeId node) { return view.Parents({{node}}).value().front(); }

std::vector<NodeId> ChainOf(const GraphView& view, NodeId node) {
  std::vector<NodeId> chain;
  for (NodeId up = ParentOf(view, node); up != NodeId{}; up = ParentOf(view, up)) {
    chain.push_back(up);
  }
  return chain;
}

// Every node at or below, one at a time.
std::set<NodeId> AllBelow(const GraphView& view, NodeId node) {
  std::set<NodeId> all = {node};
  const std::vector<NodeId> children = view.Children({{node}}).value().front();
  for (const NodeId child : children) {
    all.merge(AllBelow(view, child));
  }
  return all;
}

// Every node of the graph at the view's time.
std::vector<NodeId> AllNodes(const GraphView& view, const std::vector<NodeId>& supervoxels) {
  std::set<NodeId> all(supervoxels.begin(), supervoxels.end());
  for (const NodeId supervoxel : supervoxels) {
    const std::vector<NodeId> chain = ChainOf(view, supervoxel);
    all.insert(chain.begin(), chain.end());
  }
  return {all.begin(), all.end()};
}

class DescendTest : public testing::Test {
 protected:
  void SetUp() override {
    history_.Ingest();
    history_.ToggleAtRandom(12);
    ASSERT_FALSE(HasFailure());
  }
  const uint64_t seed_ = table::TestSeed();
  testing::ScopedTrace trace_{__FILE__, __LINE__, testing::Message() << "CLEAVE_TEST_SEED=" << seed_};
  GraphHistory history_{kVolume, kChunk, seed_};
};

TEST_F(DescendTest, ChainsAndAncestorsFollowParents) {
  for (const GraphHistory::Moment& moment : history_.moments) {
    const GraphView view = history_.ViewOf(moment);
    std::vector<NodeId> nodes = AllNodes(view, history_.supervoxels);
    std::ranges::shuffle(nodes, history_.random());
    nodes.push_back(nodes.front());  // twice
    nodes.push_back(NodeId{});
    nodes.push_back(history_.graph.layout().MakeNode({1, {0, 0, 0}}, Segment{9999}));  // unknown
    const std::vector<std::vector<NodeId>> chains = view.Chains(nodes).value();
    for (int layer = 1; layer <= view.layout().layer_count(); ++layer) {
      const std::vector<NodeId> below = view.Ancestors(nodes, layer).value();
      const std::vector<NodeId> above = view.Ancestors(nodes, layer, SkippedLayer::kGoAbove).value();
      for (size_t i = 0; i < nodes.size(); ++i) {
        std::vector<NodeId> way = ChainOf(view, nodes[i]);
        ASSERT_EQ(chains[i], way);
        way.insert(way.begin(), nodes[i]);
        NodeId expected_below = nodes[i];
        NodeId expected_above = way.back();
        for (const NodeId node : way) {
          expected_below = view.layout().LayerOf(node) <= layer ? node : expected_below;
        }
        const auto first = std::ranges::find_if(way, [&](NodeId node) { return view.layout().LayerOf(node) >= layer; });
        expected_above = first == way.end() ? expected_above : *first;
        ASSERT_EQ(below[i], expected_below);
        ASSERT_EQ(above[i], expected_above);
      }
    }
  }
}

TEST_F(DescendTest, DescendantsByLayerAndBox) {
  const Box box{{10, 10, 0}, {31, 20, 10}};
  for (const GraphHistory::Moment& moment : history_.moments) {
    const GraphView view = history_.ViewOf(moment);
    const std::vector<NodeId> nodes = AllNodes(view, history_.supervoxels);
    const auto overlaps = [&](NodeId node) {
      return !Intersect(view.layout().ChunkBox(view.layout().ChunkOf(node)), box).empty();
    };
    for (int stop = 1; stop <= view.layout().layer_count(); ++stop) {
      const auto whole = Descendants(view, nodes, {.stop_layer = stop}).value();
      const auto in_box = Descendants(view, nodes, {.stop_layer = stop, .box = box}).value();
      const auto at_layer = NodesAtLayers(view, nodes, {stop}, box).value();
      for (size_t i = 0; i < nodes.size(); ++i) {
        std::vector<NodeId> expected;
        std::vector<NodeId> expected_at_layer;
        const std::set<NodeId> below = AllBelow(view, nodes[i]);
        for (const NodeId node : below) {
          const NodeId parent = ParentOf(view, node);
          if (view.layout().LayerOf(node) <= stop && (node == nodes[i] || view.layout().LayerOf(parent) > stop)) {
            expected.push_back(node);
          }
          if (view.layout().LayerOf(node) == stop && overlaps(node)) {
            expected_at_layer.push_back(node);
          }
        }
        ASSERT_EQ(whole[i], expected);
        std::erase_if(expected, [&](NodeId node) { return !overlaps(node); });
        ASSERT_EQ(in_box[i], expected);
        ASSERT_EQ(at_layer[i].at(stop), expected_at_layer);
      }
    }
  }
}

TEST_F(DescendTest, ManyNodesTakeAsManyReadsAsOne) {
  const CountingReader reader(history_.graph.table());
  const GraphView view(history_.graph.layout(), reader, absl::InfiniteFuture());
  const auto reads = [&](const auto& ask) {
    reader.reads = 0;
    ask();
    return reader.reads;
  };
  const int layers = view.layout().layer_count();
  EXPECT_LE(reads([&] { (void)view.Roots(history_.supervoxels).value(); }), layers - 1);
  const std::vector<NodeId> roots = view.Roots(history_.supervoxels).value();
  EXPECT_LE(reads([&] { (void)Descendants(view, roots, {}).value(); }), layers + 1);
  EXPECT_LE(reads([&] { (void)FirstSupervoxels(view, roots).value(); }), layers);
  EXPECT_LE(reads([&] { (void)AreCurrent(view, roots).value(); }), 2 * layers + 1);
  EXPECT_LE(reads([&] { (void)MinimalCoveringNodes(view, history_.supervoxels).value(); }), 4 * layers + 3);
}

TEST_F(DescendTest, FirstSupervoxelsAndCurrentNodes) {
  std::set<NodeId> ever;
  for (const GraphHistory::Moment& moment : history_.moments) {
    const std::vector<NodeId> nodes = AllNodes(history_.ViewOf(moment), history_.supervoxels);
    ever.insert(nodes.begin(), nodes.end());
  }
  ever.insert(NodeId{});
  ever.insert(history_.graph.layout().MakeNode({2, {0, 0, 0}}, Segment{9999}));
  const std::vector<NodeId> all(ever.begin(), ever.end());
  for (const GraphHistory::Moment& moment : history_.moments) {
    const GraphView view = history_.ViewOf(moment);
    const std::vector<NodeId> now = AllNodes(view, history_.supervoxels);
    const std::vector<bool> current = AreCurrent(view, all).value();
    const std::vector<NodeId> firsts = FirstSupervoxels(view, all).value();
    for (size_t i = 0; i < all.size(); ++i) {
      ASSERT_EQ(current[i], std::ranges::binary_search(now, all[i])) << Value(all[i]);
      if (current[i]) {
        ASSERT_EQ(view.layout().LayerOf(firsts[i]), kSupervoxelLayer);
        ASSERT_TRUE(AllBelow(view, all[i]).contains(firsts[i]));
      }
    }
  }
}

TEST_F(DescendTest, L2ChunksHoldTheirComponents) {
  for (const GraphHistory::Moment& moment : history_.moments) {
    const GraphView view = history_.ViewOf(moment);
    std::map<ChunkPoint, std::set<std::vector<NodeId>>> expected;
    const std::vector<std::vector<NodeId>> objects = history_.L2Objects(moment);
    for (const std::vector<NodeId>& members : objects) {
      // Edges inside chunks join; L2Objects is over all chunks, each component in one.
      expected[view.layout().ChunkOf(members.front()).position].insert(members);
    }
    const std::vector<ChunkPoint> chunks = view.layout().ChunksOverlapping(kVolume);
    for (const ChunkPoint chunk : chunks) {
      std::set<std::vector<NodeId>> found;
      const std::vector<L2Content> contents = ReadL2Chunk(view, chunk).value();
      for (const L2Content& content : contents) {
        EXPECT_TRUE(found.insert(content.supervoxels).second);
        EXPECT_EQ(ParentOf(view, content.supervoxels.front()), content.node);
      }
      ASSERT_EQ(found, expected[chunk]);
    }
  }
}

TEST_F(DescendTest, MinimalCoveringNodesAreTheHighestWholeOnes) {
  for (const GraphHistory::Moment& moment : history_.moments) {
    const GraphView view = history_.ViewOf(moment);
    const std::vector<NodeId> all = AllNodes(view, history_.supervoxels);
    for (int round = 0; round < 5; ++round) {
      std::vector<NodeId> asked;
      for (const NodeId node : all) {
        if (history_.random()() % 3 == 0 || (round == 0 && view.layout().LayerOf(node) == kSupervoxelLayer)) {
          asked.push_back(node);
        }
      }
      std::set<NodeId> covered;
      for (const NodeId node : asked) {
        const std::vector<NodeId> leaves = view.Leaves(node, std::nullopt).value();
        covered.insert(leaves.begin(), leaves.end());
      }
      const bool has_supervoxel =
          std::ranges::any_of(asked, [&](NodeId node) { return view.layout().LayerOf(node) == kSupervoxelLayer; });
      if (!has_supervoxel) {
        continue;
      }
      std::vector<NodeId> expected;
      const auto is_whole = [&](NodeId node) {
        const std::vector<NodeId> leaves = view.Leaves(node, std::nullopt).value();
        return std::ranges::all_of(leaves, [&](NodeId leaf) { return covered.contains(leaf); });
      };
      for (const NodeId node : all) {
        const NodeId parent = ParentOf(view, node);
        if (is_whole(node) && (parent == NodeId{} || !is_whole(parent))) {
          expected.push_back(node);
        }
      }
      ASSERT_EQ(MinimalCoveringNodes(view, asked).value(), expected);
    }
  }
  EXPECT_TRUE(MinimalCoveringNodes(history_.graph.View(), {})->empty());
  const NodeId unknown[] = {history_.graph.layout().MakeNode({2, {0, 0, 0}}, Segment{9999})};
  EXPECT_EQ(MinimalCoveringNodes(history_.graph.View(), unknown).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(DescendTest, AnOverlayIsReadThrough) {
  // A plan's rows over the table, as an edit sees its own result before it is written.
  const NodeId child = history_.supervoxels.front();
  const NodeId planned =
      history_.graph.layout().MakeNode({kL2Layer, history_.graph.layout().ChunkOf(child).position}, Segment{4242});
  table::OverlayTable overlay(history_.graph.table(), absl::FromUnixSeconds(5000));
  const table::RowMutation rows[] = {
      {table::NodeRowKey(Value(planned)),
       {table::SetCell{table::columns::kChild, {}, table::EncodeCompressedArray(std::vector<NodeId>{child})}}},
      {table::NodeRowKey(Value(child)), {table::SetCell{table::columns::kParent, {}, table::EncodeValue(planned)}}}};
  ASSERT_TRUE(overlay.Add(rows).ok());
  const GraphView view(history_.graph.layout(), overlay, absl::InfiniteFuture());
  EXPECT_EQ(view.Chains({{child}}).value().front(), std::vector<NodeId>{planned});
  EXPECT_EQ(Descendants(view, {{planned}}, {}).value().front(), std::vector<NodeId>{child});
  EXPECT_NE(ParentOf(history_.graph.View(), child), planned);
}

TEST_F(DescendTest, AParentThatDoesNotLieAboveItsChildIsNamed) {
  const NodeId a = history_.supervoxels.front();
  const table::RowMutation rows[] = {
      {table::NodeRowKey(Value(a)),
       {table::SetCell{table::columns::kParent, absl::FromUnixSeconds(9000), table::EncodeValue(a)}}}};
  ASSERT_TRUE(history_.graph.table().Apply(rows).ok());
  const absl::Status status = history_.graph.View().Roots({{a}}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(status.message().find(ToString(a)), absl::string_view::npos);
}

}  // namespace
}  // namespace cleave::graph
