// Goal: the pieces that take the place of L2 nodes hold all their supervoxels, joined as asked, with the right edges.
// Method: a row of four chunks with two supervoxels each; nodes are retired and changed in each way there is.
#include "edit/l2_rewrite.h"

#include <algorithm>

#include "gtest/gtest.h"

#include "graph/graph_testing.h"

namespace cleave::edit {
namespace {

using graph::EdgeEnds;
using graph::L2Piece;
using graph::NodeId;

class L2RewriteTest : public testing::Test {
 protected:
  void SetUp() override {
    for (int64_t x = 0; x < 4; ++x) {
      a_.push_back(graph_.NewSupervoxel({x, 0, 0}));
      b_.push_back(graph_.NewSupervoxel({x, 0, 0}));
    }
    // a's and b's are joined along the row, and to each other in chunk 0.
    std::vector<EdgeEnds> edges = {{a_[0], b_[0]}};
    for (size_t x = 1; x < 4; ++x) {
      edges.push_back({a_[x - 1], a_[x]});
      edges.push_back({b_[x - 1], b_[x]});
    }
    std::vector<NodeId> all = a_;
    all.insert(all.end(), b_.begin(), b_.end());
    graph_.Build(all, edges, absl::FromUnixSeconds(1));
  }

  NodeId L2Of(NodeId supervoxel) { return graph_.View().Parents({{supervoxel}}).value().front(); }

  static const L2Piece& PieceOf(const std::vector<L2Piece>& pieces, NodeId supervoxel) {
    return *std::ranges::find_if(
        pieces, [&](const L2Piece& piece) { return std::ranges::count(piece.supervoxels, supervoxel) > 0; });
  }

  graph::MemoryGraph graph_{BoxAt({}, {40, 10, 10}), {10, 10, 10}};
  std::vector<NodeId> a_;
  std::vector<NodeId> b_;
};

TEST_F(L2RewriteTest, WithoutLinksEverySupervoxelIsAPiece) {
  const graph::GraphView view = graph_.View();
  L2Rewrite rewrite(view);
  const NodeId retired[] = {L2Of(a_[0]), L2Of(b_[0])};
  ASSERT_TRUE(rewrite.Retire(retired).ok());
  EXPECT_EQ(rewrite.retired().size(), 1U);  // one node holds both
  const std::vector<L2Piece> pieces = rewrite.Pieces();
  ASSERT_EQ(pieces.size(), 2U);
  EXPECT_EQ(PieceOf(pieces, a_[0]).cross_edges, (graph::CrossEdges{{2, {{a_[0], a_[1]}}}}));
  EXPECT_EQ(PieceOf(pieces, b_[0]).cross_edges, (graph::CrossEdges{{2, {{b_[0], b_[1]}}}}));
}

TEST_F(L2RewriteTest, LinksKeepSupervoxelsTogether) {
  const graph::GraphView view = graph_.View();
  L2Rewrite rewrite(view);
  const NodeId retired[] = {L2Of(a_[0]), L2Of(a_[1]), L2Of(b_[1])};
  ASSERT_TRUE(rewrite.Retire(retired).ok());
  rewrite.LinkAllOf(L2Of(a_[0]));
  rewrite.Link({b_[1], a_[1]});
  const std::vector<L2Piece> pieces = rewrite.Pieces();
  ASSERT_EQ(pieces.size(), 2U);
  EXPECT_EQ(PieceOf(pieces, a_[0]).supervoxels, (std::vector{a_[0], b_[0]}));
  const L2Piece& second = PieceOf(pieces, a_[1]);
  EXPECT_EQ(second.supervoxels, (std::vector{a_[1], b_[1]}));
  EXPECT_EQ(second.chunk, (ChunkPoint{1, 0, 0}));
  EXPECT_EQ(second.cross_edges,
            (graph::CrossEdges{{2, {{a_[1], a_[0]}, {b_[1], b_[0]}}}, {3, {{a_[1], a_[2]}, {b_[1], b_[2]}}}}));
}

TEST_F(L2RewriteTest, ReplacedSupervoxelsVanishWithTheirEdges) {
  const graph::GraphView view = graph_.View();
  L2Rewrite rewrite(view);
  const NodeId retired[] = {L2Of(a_[1]), L2Of(a_[2])};
  ASSERT_TRUE(rewrite.Retire(retired).ok());
  const NodeId fragments[] = {graph_.NewSupervoxel({1, 0, 0}), graph_.NewSupervoxel({1, 0, 0})};
  rewrite.ReplaceSupervoxel(a_[1], fragments);
  rewrite.AddCrossEdge({a_[2], fragments[1]});
  const std::vector<L2Piece> pieces = rewrite.Pieces();
  ASSERT_EQ(pieces.size(), 3U);
  EXPECT_TRUE(PieceOf(pieces, fragments[0]).cross_edges.empty());
  EXPECT_EQ(PieceOf(pieces, fragments[1]).cross_edges, (graph::CrossEdges{{3, {{fragments[1], a_[2]}}}}));
  EXPECT_EQ(PieceOf(pieces, a_[2]).cross_edges,
            (graph::CrossEdges{{2, {{a_[2], a_[3]}}}, {3, {{a_[2], fragments[1]}}}}));
}

TEST_F(L2RewriteTest, RemovedEdgesAreGoneWhateverTheirDirection) {
  const graph::GraphView view = graph_.View();
  L2Rewrite rewrite(view);
  const NodeId retired[] = {L2Of(a_[1]), L2Of(a_[2])};
  ASSERT_TRUE(rewrite.Retire(retired).ok());
  rewrite.RemoveCrossEdge({a_[2], a_[1]});
  const std::vector<L2Piece> pieces = rewrite.Pieces();
  EXPECT_EQ(PieceOf(pieces, a_[1]).cross_edges, (graph::CrossEdges{{2, {{a_[1], a_[0]}}}}));
  EXPECT_EQ(PieceOf(pieces, a_[2]).cross_edges, (graph::CrossEdges{{2, {{a_[2], a_[3]}}}}));
}

}  // namespace
}  // namespace cleave::edit
