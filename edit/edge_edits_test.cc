// Goal: merges by edges and splits of edges do what design reference A says in sections 10 and 11, and refuse, in words
// that help, what it refuses. Method: two rows of blocks (block_rows_testing.h), whose objects after each edit follow
// from the edges by eye.
#include "edit/block_rows_testing.h"
#include "graph/edges.h"
#include "graph/local_graph.h"

namespace cleave::edit {
namespace {

using graph::EdgeEnds;
using graph::NodeId;

class EdgeEdits : public BlockRows {
 protected:
  // The users' edges that the chunk of a supervoxel keeps.
  std::vector<EdgeEnds> EditedEdges(NodeId supervoxel) {
    const ChunkPoint chunks[] = {dataset().layout().ChunkOf(supervoxel).position};
    const auto edges = graph::ReadEditedEdges(dataset().Now(), dataset().table(), chunks);
    EXPECT_TRUE(edges.ok()) << edges.status();
    std::set<EdgeEnds> ends;
    for (const graph::Edge& edge : edges->front()) {
      ends.insert(EdgeEnds{edge.node1, edge.node2}.Sorted());
    }
    return {ends.begin(), ends.end()};
  }
  absl::Status MergeStatus(const MergeRequest& request) { return editor().Merge(request).status(); }
  absl::Status SplitStatus(const std::vector<EdgeEnds>& edges) { return editor().Split({.edges = edges}).status(); }
};

TEST_F(EdgeEdits, AMergeAlongStoredEdgesActivatesThemAndStoresNone) {
  const EditReport report = MergeRowA(0, 3);
  EXPECT_EQ(report.added_edges.size(), 3U);
  EXPECT_EQ(report.old_roots.size(), 4U);
  EXPECT_EQ(report.new_roots.size(), 1U);
  EXPECT_TRUE(Together(A(0), A(3)));
  EXPECT_FALSE(Together(A(3), A(4)));
  EXPECT_TRUE(EditedEdges(A(0)).empty());
  EXPECT_TRUE(EditedEdges(A(2)).empty());
  ExpectClean(dataset());
  ExpectNoLocks();
}

TEST_F(EdgeEdits, InactiveEdgesBetweenThePiecesTakeThePlaceOfTheUsersEdge) {
  MergeRowA(0, 2);
  MergeRowA(3, 5);
  const EditReport report = MergeEdges({{A(0), A(5)}});  // far ends; the rows' halves touch between blocks 2 and 3
  const EdgeEnds touching[] = {EdgeEnds{A(2), A(3)}.Sorted()};
  EXPECT_TRUE(std::ranges::equal(report.added_edges, touching));
  EXPECT_TRUE(EditedEdges(A(0)).empty());
  EXPECT_TRUE(Together(A(0), A(5)));
  ExpectClean(dataset());
}

TEST_F(EdgeEdits, SeveralFakeEdgesOfOneMergeInOneChunkAllSurvive) {
  const std::vector<EdgeEnds> edges = {{A(0), B(0)}, {A(0), B(4)}, {A(0), A(9)}};
  const EditReport report = MergeEdges(edges);
  EXPECT_EQ(report.added_edges.size(), 3U);
  EXPECT_EQ(EditedEdges(A(0)).size(), 3U);
  EXPECT_EQ(EditedEdges(B(4)).size(), 1U);
  EXPECT_EQ(EditedEdges(A(9)).size(), 1U);
  // Each can be taken away by itself.
  for (size_t i = 0; i < edges.size(); ++i) {
    ASSERT_TRUE(editor().Split({.edges = {edges[i]}}).ok());
    for (size_t j = 0; j < edges.size(); ++j) {
      EXPECT_EQ(Together(edges[j].node1, edges[j].node2), j > i) << "edge " << j << " after " << i;
    }
  }
  ExpectClean(dataset());
}

TEST_F(EdgeEdits, FakeEdgesAcrossChunksStandInBoth) {
  MergeEdges({{A(0), B(7)}});
  EXPECT_EQ(EditedEdges(A(0)), EditedEdges(B(7)));
  EXPECT_EQ(EditedEdges(A(0)).size(), 1U);
  EXPECT_TRUE(Together(A(0), B(7)));
  ExpectClean(dataset());
}

TEST_F(EdgeEdits, ALimitedDistanceIsInChunksAndNamed) {
  MergeRequest request{.source = PointA(0), .sink = PointB(11), .user = "ada"};
  request.chebyshev_distance_max_chunks = 3;
  ExpectRefused(MergeStatus(request), absl::StatusCode::kInvalidArgument, {"5 chunks apart", "at most 3"});
  request.chebyshev_distance_max_chunks = 5;
  EXPECT_TRUE(MergeStatus(request).ok());
  EXPECT_TRUE(Together(A(0), B(11)));
  MergeRequest anywhere{.edges = {{A(1), B(10)}}};
  EXPECT_TRUE(MergeStatus(anywhere).ok());
  ExpectClean(dataset());
}

TEST_F(EdgeEdits, AMergeWithinOneObjectIsStoredWhenAllowed) {
  MergeRowA(0, 4);
  MergeRequest request{.edges = {{A(0), A(4)}}};
  ExpectRefused(MergeStatus(request), absl::StatusCode::kFailedPrecondition,
                {"both lie in object", "nothing to merge"});
  request.allow_same_segment_merge = true;
  const auto report = editor().Merge(request);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->new_roots.size(), 1U);
  EXPECT_EQ(EditedEdges(A(0)).size(), 1U);
  ExpectRefused(MergeStatus(request), absl::StatusCode::kFailedPrecondition, {"joined by an active edge already"});
  // The new edge leads around a cut of the row.
  ASSERT_TRUE(editor().Split({.edges = {{A(2), A(3)}}}).ok());
  EXPECT_TRUE(Together(A(2), A(3)));
  ASSERT_TRUE(editor().Split({.edges = {{A(0), A(4)}}}).ok());
  EXPECT_FALSE(Together(A(2), A(3)));
  EXPECT_TRUE(Together(A(3), A(4)));
  // A stored edge that is not active is taken, and none stored.
  request.edges = {{A(2), A(3)}};
  ASSERT_TRUE(editor().Merge(request).ok());
  EXPECT_TRUE(EditedEdges(A(2)).empty());
  ExpectClean(dataset());
}

TEST_F(EdgeEdits, ASplitOfEdgesRemovesTheseAndComputesNoCut) {
  MergeRowA(0, 5);
  const auto report = editor().Split({.user = "ada", .edges = {{A(2), A(1)}, {A(3), A(4)}}});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->old_roots.size(), 1U);
  EXPECT_EQ(report->new_roots.size(), 3U);
  EXPECT_EQ(report->removed_edges.size(), 2U);
  EXPECT_TRUE(Together(A(0), A(1)));
  EXPECT_FALSE(Together(A(1), A(2)));
  EXPECT_TRUE(Together(A(2), A(3)));
  EXPECT_FALSE(Together(A(3), A(4)));
  const OperationRecord record = Logged(report->operation);
  EXPECT_EQ(record.removed_edges.size(), 2U);
  EXPECT_FALSE(record.bounding_box_offset.has_value()) << "a split of known edges is no multicut";
  ExpectClean(dataset());
}

TEST_F(EdgeEdits, EdgesThatAreNotThereAreIgnoredBesideOnesThatAre) {
  MergeRowA(0, 3);
  const auto report = editor().Split({.edges = {{A(0), A(3)}, {A(1), A(2)}}});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->removed_edges, (std::vector{EdgeEnds{A(1), A(2)}.Sorted()}));
  EXPECT_FALSE(Together(A(1), A(2)));
}

TEST_F(EdgeEdits, WrongMergesAreRefusedAndLeaveNothing) {
  MergeRowA(0, 1);
  const size_t operations = Log().size();
  const std::vector<int> objects = Objects();
  const NodeId l2_node = dataset().Now().Parents(std::vector{A(0)}).value().front();
  const NodeId unknown{Value(A(0)) + 1000};
  ExpectRefused(MergeStatus({.edges = {{A(0), A(0)}}}), absl::StatusCode::kInvalidArgument, {"with itself"});
  ExpectRefused(MergeStatus({.edges = {{A(0), l2_node}}}), absl::StatusCode::kInvalidArgument,
                {"not a supervoxel", "layer is 2"});
  ExpectRefused(MergeStatus({.edges = {{unknown, A(3)}}}), absl::StatusCode::kInvalidArgument,
                {"there is no supervoxel", graph::ToString(unknown)});
  ExpectRefused(MergeStatus({.edges = {{NodeId{}, A(3)}}}), absl::StatusCode::kInvalidArgument, {});
  ExpectRefused(MergeStatus({}), absl::StatusCode::kInvalidArgument, {"a source and a sink point, or edges"});
  ExpectRefused(MergeStatus({.source = PointA(0)}), absl::StatusCode::kInvalidArgument, {"no sink point"});
  ExpectRefused(MergeStatus({.edges = {{A(0), A(3)}}, .affinities = {1, 2}}), absl::StatusCode::kInvalidArgument,
                {"2 affinities", "1 edges"});
  ExpectRefused(MergeStatus({.edges = {{A(0), A(1)}}}), absl::StatusCode::kFailedPrecondition, {"nothing to merge"});
  ExpectRefused(MergeStatus({.edges = {{A(0), A(3)}, {A(6), A(7)}}}), absl::StatusCode::kFailedPrecondition,
                {"2 objects, not one"});
  EXPECT_EQ(Log().size(), operations) << "what is refused before it has locks leaves no row";
  EXPECT_EQ(Objects(), objects);
  ExpectNoLocks();
}

TEST_F(EdgeEdits, WrongSplitsAreRefused) {
  MergeRowA(0, 3);
  const NodeId root = dataset().Now().Roots(std::vector{A(0)}).value().front();
  ExpectRefused(SplitStatus({{A(0), A(0)}}), absl::StatusCode::kInvalidArgument, {"with itself"});
  ExpectRefused(SplitStatus({{A(0), root}}), absl::StatusCode::kInvalidArgument, {"not a supervoxel"});
  ExpectRefused(SplitStatus({{A(0), NodeId{Value(A(0)) + 1000}}}), absl::StatusCode::kInvalidArgument,
                {"there is no supervoxel"});
  ExpectRefused(SplitStatus({{A(3), A(4)}}), absl::StatusCode::kFailedPrecondition, {"different objects"});
  ExpectRefused(editor().Split({.sources = {PointA(0)}, .sinks = {PointA(1)}, .edges = {{A(0), A(1)}}}).status(),
                absl::StatusCode::kInvalidArgument, {"not both"});
  ExpectRefused(editor().Split({}).status(), absl::StatusCode::kInvalidArgument, {"no source point"});
}

TEST_F(EdgeEdits, ARefusalUnderTheLocksEndsAsARowThatSaysSo) {
  MergeRowA(0, 3);
  const std::vector<int> objects = Objects();
  ExpectRefused(SplitStatus({{A(0), A(3)}}), absl::StatusCode::kFailedPrecondition, {"none of the edges"});
  const OperationRecord record = Log().back();
  EXPECT_EQ(record.status, OperationStatus::kException);
  EXPECT_EQ(record.failure, OperationFailure::kRejected);
  EXPECT_NE(record.exception.find("none of the edges"), std::string::npos);
  EXPECT_TRUE(record.new_roots.empty());
  EXPECT_EQ(Objects(), objects);
  for (const OperationRecord& each : Log()) {
    EXPECT_NE(each.status, OperationStatus::kCreated);
  }
  ExpectNoLocks();
}

TEST_F(EdgeEdits, ReplacedSupervoxelsAreRefusedNamingWhatTookTheirPlace) {
  const NodeId block = A(2);
  ASSERT_TRUE(editor().Split({.sources = {{17, 2, 4}}, .sinks = {{22, 2, 4}}}).ok());
  const NodeId left = SupervoxelAt({17, 2, 4});
  ASSERT_NE(left, block);
  ExpectRefused(MergeStatus({.edges = {{block, A(5)}}}), absl::StatusCode::kFailedPrecondition,
                {"was cut into", graph::ToString(left)});
  EXPECT_TRUE(MergeStatus({.edges = {{left, A(5)}}}).ok());
  ExpectClean(dataset());
}

TEST_F(EdgeEdits, TheLogSaysWhatWasAsked) {
  MergeRequest request{.source = PointA(0), .sink = PointB(1), .user = "ada"};
  request.edges = {{A(0), B(1)}};
  request.affinities = {0.5F};
  const auto report = editor().Merge(request);
  ASSERT_TRUE(report.ok()) << report.status();
  const OperationRecord record = Logged(report->operation);
  EXPECT_EQ(record.kind, OperationKind::kMerge);
  EXPECT_EQ(record.user, "ada");
  EXPECT_EQ(record.affinities, request.affinities);
  EXPECT_EQ(record.sources, std::vector{PointA(0)});
  EXPECT_EQ(record.source_supervoxels, std::vector{A(0)});
  EXPECT_EQ(record.sink_supervoxels, std::vector{B(1)});
  EXPECT_EQ(record.added_edges, report->added_edges);
  EXPECT_EQ(record.old_roots, report->old_roots);
  EXPECT_EQ(record.new_roots, report->new_roots);
  EXPECT_EQ(record.new_l2_nodes, report->new_l2_nodes);
  const auto cut = editor().Split({.sources = {PointA(0)}, .sinks = {PointB(1)}});
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_TRUE(Logged(cut->operation).bounding_box_offset.has_value()) << "a multicut says how far it looked";
}

// All edges of the row are alike, and the first that parts the points is the one next to the source.
TEST_F(EdgeEdits, AnIsolatingCutIsRefusedUnlessAllowed) {
  MergeRowA(0, 5);
  SplitRequest request{.sources = {PointA(0)}, .sinks = {PointA(5)}};
  ExpectRefused(editor().Split(request).status(), absl::StatusCode::kFailedPrecondition, {"only the labelled"});
  EXPECT_EQ(Log().back().failure, OperationFailure::kRejected);
  request.refuse_isolating_cut = false;
  const auto report = editor().Split(request);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(Together(A(0), A(1)));
  EXPECT_TRUE(Together(A(1), A(5)));
}

}  // namespace
}  // namespace cleave::edit
