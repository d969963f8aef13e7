// Goal: undo and redo restore partitions, follow chains of themselves, survive voxel cuts between, and refuse what is
// not in the state they need (design reference A, section 15). Method: two rows of blocks (block_rows_testing.h); the
// objects before and after each edit are compared, and fsck looks at all moments.
#include "edit/block_rows_testing.h"
#include "graph/local_graph.h"

namespace cleave::edit {
namespace {

using graph::EdgeEnds;
using graph::NodeId;
using graph::OperationId;

class UndoTest : public BlockRows {
 protected:
  EditReport Undo(OperationId operation) { return Done(editor().Undo({.operation = operation, .user = "bob"})); }
  EditReport Redo(OperationId operation) { return Done(editor().Redo({.operation = operation, .user = "bob"})); }
  static EditReport Done(const absl::StatusOr<EditReport>& report) {
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(EditReport{});
  }
  void ExpectUndoRefused(OperationId operation, const std::vector<std::string>& words) {
    ExpectRefused(editor().Undo({.operation = operation}).status(), absl::StatusCode::kFailedPrecondition, words);
  }
  void ExpectRedoRefused(OperationId operation, const std::vector<std::string>& words) {
    ExpectRefused(editor().Redo({.operation = operation}).status(), absl::StatusCode::kFailedPrecondition, words);
  }
  EditReport Split(VoxelPoint source, VoxelPoint sink) {
    return Done(editor().Split({.sources = {source}, .sinks = {sink}, .user = "ada", .refuse_isolating_cut = false}));
  }
};

TEST_F(UndoTest, AMergeIsUndoneAndRedone) {
  const std::vector<int> before = Objects();
  const EditReport merge = MergeRowA(0, 2);
  const std::vector<int> after = Objects();
  const EditReport undo = Undo(merge.operation);
  EXPECT_EQ(Objects(), before);
  EXPECT_EQ(undo.kind, OperationKind::kUndo);
  EXPECT_EQ(undo.target, merge.operation);
  EXPECT_EQ(undo.removed_edges, merge.added_edges);
  EXPECT_EQ(undo.old_roots, merge.new_roots);
  const OperationRecord record = Logged(undo.operation);
  EXPECT_EQ(record.kind, OperationKind::kUndo);
  EXPECT_EQ(record.target, merge.operation);
  EXPECT_EQ(Logged(merge.operation).undone_by, undo.operation);
  const EditReport redo = Redo(merge.operation);
  EXPECT_EQ(Objects(), after);
  EXPECT_EQ(redo.kind, OperationKind::kRedo);
  EXPECT_EQ(redo.added_edges, merge.added_edges);
  EXPECT_EQ(Logged(merge.operation).undone_by, OperationId{});
  EXPECT_EQ(Objects(merge.time), after);
  EXPECT_EQ(Objects(undo.time), before);
  EXPECT_EQ(Objects(redo.time), after);
  ExpectClean(dataset());
  ExpectNoLocks();
}

TEST_F(UndoTest, AFakeEdgeIsNotStoredAgain) {
  const EditReport merge = MergeEdges({{A(0), B(0)}});
  Undo(merge.operation);
  EXPECT_FALSE(Together(A(0), B(0)));
  Redo(merge.operation);
  EXPECT_TRUE(Together(A(0), B(0)));
  const ChunkPoint chunks[] = {{0, 0, 0}};
  const auto stored = graph::ReadEditedEdges(dataset().Now(), dataset().table(), chunks);
  ASSERT_TRUE(stored.ok());
  EXPECT_EQ(stored->front().size(), 2U) << "one edge, once from each end";
  ExpectClean(dataset());
}

TEST_F(UndoTest, SplitsAreUndoneAndRedone) {
  MergeRowA(0, 5);
  const std::vector<int> whole = Objects();
  const EditReport multicut = Split(PointA(1), PointA(3));
  const std::vector<int> cut = Objects();
  Undo(multicut.operation);
  EXPECT_EQ(Objects(), whole);
  const EditReport redo = Redo(multicut.operation);
  EXPECT_EQ(Objects(), cut);
  EXPECT_EQ(redo.removed_edges, multicut.removed_edges);
  const EditReport known = Done(editor().Split({.edges = {{A(4), A(5)}}}));
  Undo(known.operation);
  EXPECT_EQ(Objects(), cut);
  ExpectClean(dataset());
}

TEST_F(UndoTest, ChainsLeadToTheOriginal) {
  const std::vector<int> before = Objects();
  const EditReport merge = MergeRowA(0, 1);
  const std::vector<int> after = Objects();
  const EditReport undo = Undo(merge.operation);
  const EditReport undo_of_undo = Undo(undo.operation);
  EXPECT_EQ(undo_of_undo.kind, OperationKind::kRedo);
  EXPECT_EQ(undo_of_undo.target, merge.operation);
  EXPECT_EQ(Objects(), after);
  const EditReport undo_of_redo = Undo(undo_of_undo.operation);
  EXPECT_EQ(undo_of_redo.kind, OperationKind::kUndo);
  EXPECT_EQ(undo_of_redo.target, merge.operation);
  EXPECT_EQ(Objects(), before);
  const EditReport redo_of_redo = Redo(undo_of_undo.operation);
  EXPECT_EQ(redo_of_redo.kind, OperationKind::kRedo);
  EXPECT_EQ(Objects(), after);
  const EditReport redo_of_undo = Redo(undo.operation);
  EXPECT_EQ(redo_of_undo.kind, OperationKind::kUndo);
  EXPECT_EQ(Objects(), before);
  ExpectClean(dataset());
}

TEST_F(UndoTest, WhatIsInThatStateAlreadyIsRefused) {
  const EditReport merge = MergeRowA(0, 1);
  ExpectRedoRefused(merge.operation, {"all its edges are active"});
  const EditReport undo = Undo(merge.operation);
  ExpectUndoRefused(merge.operation, {"undone already", graph::ToString(undo.operation)});
  ExpectRedoRefused(undo.operation, {"undone already"});
  Redo(merge.operation);
  ExpectRedoRefused(merge.operation, {"it stands"});
  ExpectUndoRefused(undo.operation, {"it stands"});
}

TEST_F(UndoTest, AMergeWhoseEdgesWereCutSinceIsRefused) {
  const EditReport merge = MergeRowA(0, 1);
  const EditReport split = Done(editor().Split({.edges = {{A(0), A(1)}}}));
  ExpectUndoRefused(merge.operation, {"none of its edges is active"});
  Undo(split.operation);
  Undo(merge.operation);
  EXPECT_FALSE(Together(A(0), A(1)));
  ExpectUndoRefused(split.operation, {"undone already"});
}

TEST_F(UndoTest, OnlySuccessfulOperationsAreUndone) {
  MergeRowA(0, 1);
  ASSERT_FALSE(editor().Split({.edges = {{A(0), A(1)}, {A(0), A(5)}}}).ok());
  ASSERT_FALSE(editor().Split({.sources = {PointA(0)}, .sinks = {PointA(0)}}).ok());
  MergeRowA(1, 2);
  ASSERT_FALSE(editor().Split({.edges = {{A(0), A(2)}}}).ok());
  const OperationRecord failed = Log().back();
  ASSERT_EQ(failed.status, OperationStatus::kException);
  ExpectUndoRefused(failed.id, {"status is 'exception'", "none of the edges"});
  ExpectRefused(editor().Undo({.operation = OperationId{999}}).status(), absl::StatusCode::kNotFound, {"999"});
}

TEST_F(UndoTest, AVoxelCutIsUndoneInTheGraphAndItsFragmentsStay) {
  const NodeId block = A(2);
  const VoxelPoint left{17, 2, 4};
  const VoxelPoint right{22, 2, 4};
  MergeRowA(1, 3);
  const EditReport split = Split(left, right);
  ASSERT_FALSE(split.fragments.empty());
  const Array3<uint64_t> voxels = ExportSupervoxels(dataset());
  const EditReport undo = Undo(split.operation);
  EXPECT_TRUE(Together(SupervoxelAt(left), SupervoxelAt(right)));
  EXPECT_TRUE(Together(A(1), A(3)));
  EXPECT_NE(SupervoxelAt(left), block);
  EXPECT_TRUE(undo.fragments.empty());
  const Array3<uint64_t> now = ExportSupervoxels(dataset());
  EXPECT_TRUE(std::equal(voxels.data(), voxels.data() + voxels.size(), now.data()));
  Redo(split.operation);
  EXPECT_FALSE(Together(SupervoxelAt(left), SupervoxelAt(right)));
  Undo(split.operation);
  EXPECT_TRUE(Together(SupervoxelAt(left), SupervoxelAt(right)));
  ExpectClean(dataset());
}

// The merge names supervoxels that are no more when it is taken back.
TEST_F(UndoTest, EdgesOfSupervoxelsThatWereCutSinceAreThoseOfTheirParts) {
  const EditReport merge = MergeRowA(1, 3);
  const EditReport fake = MergeEdges({{A(2), B(2)}});
  const VoxelPoint left{17, 2, 4};
  const VoxelPoint right{22, 2, 4};
  const EditReport split = Split(left, right);
  ASSERT_FALSE(split.fragments.empty());
  Undo(fake.operation);
  EXPECT_FALSE(Together(SupervoxelAt(left), B(2)));
  EXPECT_FALSE(Together(SupervoxelAt(right), B(2)));
  Undo(merge.operation);
  EXPECT_FALSE(Together(A(1), SupervoxelAt(left)));
  EXPECT_FALSE(Together(A(3), SupervoxelAt(right)));
  Redo(merge.operation);
  EXPECT_TRUE(Together(A(1), SupervoxelAt(left)));
  EXPECT_TRUE(Together(A(3), SupervoxelAt(right)));
  EXPECT_FALSE(Together(A(1), A(3))) << "the voxel cut stands";
  Redo(fake.operation);
  Undo(split.operation);
  EXPECT_TRUE(Together(A(1), A(3)));
  EXPECT_TRUE(Together(A(1), B(2)));
  ExpectClean(dataset());
}

TEST_F(UndoTest, LineageIsByObjectWhereAnUndoChangesSeveral) {
  const EditReport merge = MergeRowA(0, 3);  // edges 0-1, 1-2, 2-3
  ASSERT_TRUE(editor().Split({.edges = {{A(1), A(2)}}}).ok());
  const std::vector<NodeId> roots = dataset().Now().Roots(std::vector{A(0), A(2)}).value();
  ASSERT_NE(roots[0], roots[1]);
  const EditReport undo = Undo(merge.operation);  // 0-1 in one object, 2-3 in the other
  EXPECT_EQ(undo.old_roots.size(), 2U);
  EXPECT_EQ(undo.new_roots.size(), 4U);
  const auto successors = dataset().Now().Successors(roots).value();
  std::vector<NodeId> expected = dataset().Now().Roots(std::vector{A(0), A(1)}).value();
  std::ranges::sort(expected);
  EXPECT_EQ(successors[0], expected);
  expected = dataset().Now().Roots(std::vector{A(2), A(3)}).value();
  std::ranges::sort(expected);
  EXPECT_EQ(successors[1], expected);
  ExpectClean(dataset());
}

TEST_F(UndoTest, AUsersOperationsAreRolledBackNewestFirst) {
  const std::vector<int> begin = Objects();
  MergeRowA(0, 2);
  const EditReport others = Done(editor().Merge({.user = "eve", .edges = {{B(0), B(1)}}}));
  const EditReport split = Split(PointA(0), PointA(2));
  const EditReport undone = MergeEdges({{A(4), A(5)}});
  Undo(undone.operation);
  const auto items = editor().RollbackUser({.user = "ada"});
  ASSERT_TRUE(items.ok()) << items.status();
  ASSERT_EQ(items->size(), 2U) << "what was undone before is left alone";
  EXPECT_EQ((*items)[0].operation, split.operation);
  for (const RollbackItem& item : *items) {
    EXPECT_TRUE(item.status.ok()) << item.status;
    EXPECT_EQ(Logged(item.edit.operation).user, "ada");
  }
  EXPECT_FALSE(Together(A(0), A(1)));
  EXPECT_FALSE(Together(A(1), A(2)));
  EXPECT_TRUE(Together(B(0), B(1)));
  EXPECT_TRUE(editor().RollbackUser({.user = "ada"})->empty());
  const auto skipped = editor().RollbackUser({.user = "eve", .skip = {others.operation}});
  EXPECT_TRUE(skipped->empty());
  ASSERT_TRUE(editor().RollbackUser({.user = "eve", .as_user = "admin"}).ok());
  EXPECT_EQ(Log().back().user, "admin");
  EXPECT_EQ(Objects(), begin);
  ExpectRefused(editor().RollbackUser({}).status(), absl::StatusCode::kInvalidArgument, {"user"});
  ExpectClean(dataset());
}

TEST_F(UndoTest, ARollbackGoesOnBehindWhatCannotBeUndone) {
  MergeRowA(0, 1);
  const EditReport second = MergeRowA(4, 5);
  ASSERT_TRUE(editor().Split({.user = "eve", .edges = {{A(4), A(5)}}}).ok());
  const auto items = editor().RollbackUser({.user = "ada"});
  ASSERT_TRUE(items.ok());
  ASSERT_EQ(items->size(), 2U);
  EXPECT_EQ((*items)[0].operation, second.operation);
  ExpectRefused((*items)[0].status, absl::StatusCode::kFailedPrecondition, {"none of its edges"});
  EXPECT_TRUE((*items)[1].status.ok());
  EXPECT_FALSE(Together(A(0), A(1)));
}

}  // namespace
}  // namespace cleave::edit
