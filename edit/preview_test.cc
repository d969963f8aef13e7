// Goal: what is committed is what was shown, or nothing; a dry run leaves nothing but counters behind.
// Method: two rows of blocks (block_rows_testing.h). A preview is compared with the log, the voxels and the report of
// its commit; between the two, edits are made that the plan has read from, or has not; objects on disk are damaged.
#include <fstream>
#include <thread>

#include "edit/block_rows_testing.h"
#include "edit/kept_preview.h"
#include "edit/lock_keys.h"
#include "edit/preview_sides.h"
#include "edit/protection.h"
#include "store/store.h"
#include "table/row_locks.h"

namespace cleave::edit {
namespace {

using graph::NodeId;

class PreviewTest : public BlockRows {
 protected:
  // Two points in one block of a row: only voxels can be cut between them.
  static SplitRequest CutOfBlock(bool row_a, int block) {
    const VoxelPoint centre = row_a ? PointA(block) : PointB(block);
    return {.sources = {centre - VoxelPoint{3, 0, 0}}, .sinks = {centre + VoxelPoint{3, 0, 0}}, .user = "ada"};
  }
  EditReport Preview(const BatchItem& item) {
    const auto report = editor().Preview(item);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(EditReport{});
  }
  EditReport Commit(const std::string& token) {
    const auto report = editor().CommitPreview(token);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(EditReport{});
  }
  std::vector<std::string> Kept() { return dataset().previews().List({}).value(); }

  // All that is stored but counters, and what an index of times needs.
  struct Stored {
    std::vector<table::Row> rows;
    uint64_t generation = 0;
    size_t intents = 0;
    size_t previews = 0;
  };
  Stored Look() {
    Stored stored;
    std::vector<table::Row> rows = dataset().table().ReadRange({}, {}, 0).value();
    for (table::Row& row : rows) {
      if (row.key.front() != 'i') {
        stored.rows.push_back(std::move(row));
      }
    }
    stored.generation = VoxelGeneration(dataset()).value();
    stored.intents = dataset().intents().List({})->size();
    stored.previews = Kept().size();
    return stored;
  }
  static void ExpectSame(const Stored& a, const Stored& b) {
    ASSERT_EQ(a.rows.size(), b.rows.size());
    for (size_t i = 0; i < a.rows.size(); ++i) {
      EXPECT_EQ(a.rows[i].key, b.rows[i].key);
      EXPECT_EQ(a.rows[i].cells, b.rows[i].cells) << a.rows[i].key;
    }
    EXPECT_EQ(a.generation, b.generation);
    EXPECT_EQ(a.intents, b.intents);
    EXPECT_EQ(a.previews, b.previews);
  }
};

TEST_F(PreviewTest, TheCommitDoesExactlyWhatWasShown) {
  MergeRowA(0, 3);
  const Stored before = Look();
  const EditReport shown = Preview(CutOfBlock(true, 1));
  EXPECT_FALSE(shown.fragments.empty());
  EXPECT_EQ(shown.operation, graph::OperationId{});
  ASSERT_EQ(Kept(), std::vector{shown.preview_token});
  Stored after_preview = Look();
  after_preview.previews = 0;
  ExpectSame(before, after_preview);
  const auto planned = ReadPreview(dataset(), absl::Now(), shown.preview_token);
  ASSERT_TRUE(planned.ok()) << planned.status();
  const auto sides = SidesInBox(dataset(), planned->plan, 2, shown.supervoxel_components, dataset().meta().volume);
  ASSERT_TRUE(sides.ok()) << sides.status();

  const EditReport done = Commit(shown.preview_token);
  EXPECT_EQ(done.old_roots, shown.old_roots);
  EXPECT_EQ(done.new_roots, shown.new_roots);
  EXPECT_EQ(done.fragments, shown.fragments);
  EXPECT_EQ(done.new_l2_nodes, shown.new_l2_nodes);
  EXPECT_EQ(done.removed_edges, shown.removed_edges);
  EXPECT_EQ(done.changed_boxes, shown.changed_boxes);
  EXPECT_EQ(done.generation, before.generation + 1);
  EXPECT_EQ(Logged(done.operation).user, "ada");
  EXPECT_TRUE(Kept().empty());
  ExpectNoLocks();
  ExpectClean(dataset());

  const Array3<uint64_t> labels = ExportSupervoxels(dataset());
  const std::map<uint64_t, uint64_t> root_of = RootsOf(dataset(), labels);
  const uint64_t source_root = RootAt(dataset(), PointA(1) - VoxelPoint{3, 0, 0});
  const uint64_t sink_root = RootAt(dataset(), PointA(1) + VoxelPoint{3, 0, 0});
  EXPECT_NE(source_root, sink_root);
  for (int64_t i = 0; i < labels.size(); ++i) {
    const uint64_t root = labels.data()[i] == 0 ? 0 : root_of.at(labels.data()[i]);
    const uint8_t side = root == source_root ? kSourceSide : root == sink_root ? kSinkSide : kNoSide;
    ASSERT_EQ(sides->data()[i], side) << "voxel " << i;
  }
}

// A commit that met another's locks is refused; asked again when they are gone, it does what was shown.
TEST_F(PreviewTest, ACommitThatMetLocksCanBeAskedForAgain) {
  const EditReport shown = Preview(CutOfBlock(true, 1));
  table::RowLocks others(dataset().table(), Clock::System(), table::LockedRows::kRoots);
  const std::vector<std::string> keys = RootLockKeys(shown.old_roots);
  ASSERT_TRUE(others.Acquire(keys, 901).ok());
  const auto refused = editor().CommitPreview(shown.preview_token);
  EXPECT_TRUE(absl::IsUnavailable(refused.status())) << refused.status();
  EXPECT_EQ(Log().back().status, OperationStatus::kException);
  ASSERT_TRUE(others.Release(keys, 901).ok());
  const EditReport done = Commit(shown.preview_token);
  EXPECT_EQ(done.new_roots, shown.new_roots);
  EXPECT_EQ(done.fragments, shown.fragments);
  EXPECT_EQ(Log().size(), 1U);
  EXPECT_EQ(Log().back().status, OperationStatus::kSuccess);
  ExpectNoLocks();
  ExpectClean(dataset());
}

TEST_F(PreviewTest, ACommitThatIsAskedForAgainIsDoneOnce) {
  const EditReport shown = Preview(CutOfBlock(true, 1));
  Reopen();  // the commit may be another process's
  const EditReport done = Commit(shown.preview_token);
  EXPECT_FALSE(done.repeated);
  const EditReport again = Commit(shown.preview_token);
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.operation, done.operation);
  EXPECT_EQ(again.new_roots, done.new_roots);
  EXPECT_EQ(Log().size(), 1U);

  const EditReport other = Preview(CutOfBlock(true, 4));
  std::vector<std::thread> threads;
  std::atomic<int> first = 0;
  std::atomic<int> repeated = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto report = editor().CommitPreview(other.preview_token);
      ASSERT_TRUE(report.ok()) << report.status();
      ++(report->repeated ? repeated : first);
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(first, 1);
  EXPECT_EQ(repeated, 3);
  EXPECT_EQ(Log().size(), 2U);
  ExpectNoLocks();
  ExpectClean(dataset());
}

TEST_F(PreviewTest, IsRefusedWhenTheObjectWasEditedSince) {
  MergeRowA(0, 3);
  const EditReport shown = Preview(SplitRequest{.edges = {{A(1), A(2)}}});
  const EditReport merge = MergeEdges({{A(3), A(4)}});
  const Stored before = Look();
  ExpectRefused(editor().CommitPreview(shown.preview_token).status(), absl::StatusCode::kFailedPrecondition,
                {"since the preview was made", graph::ToString(shown.old_roots.front())});
  EXPECT_TRUE(Together(A(0), A(4)));
  EXPECT_EQ(Look().generation, before.generation);
  EXPECT_EQ(Log().back().id, merge.operation);
  ExpectRefused(editor().CommitPreview(shown.preview_token).status(), absl::StatusCode::kNotFound, {"new preview"});
  ExpectNoLocks();
}

TEST_F(PreviewTest, IsRefusedWhenVoxelsBesideTheCutWereRewritten) {
  const EditReport shown = Preview(CutOfBlock(true, 1));
  ASSERT_TRUE(editor().Split(CutOfBlock(false, 1)).ok());  // another object, in the same chunk
  ExpectRefused(editor().CommitPreview(shown.preview_token).status(), absl::StatusCode::kFailedPrecondition,
                {"voxels beside the cut", "since the preview was made"});
  EXPECT_EQ(RootAt(dataset(), PointA(1) - VoxelPoint{3, 0, 0}), RootAt(dataset(), PointA(1) + VoxelPoint{3, 0, 0}));
  ExpectNoLocks();
  ExpectClean(dataset());
}

TEST_F(PreviewTest, OtherEditsDoNotStandInItsWay) {
  const EditReport shown = Preview(CutOfBlock(true, 1));
  const EditReport of_merge = Preview(MergeRequest{.user = "ada", .edges = {{A(5), A(6)}}});
  ASSERT_TRUE(editor().Split(CutOfBlock(false, 10)).ok());  // far away
  MergeEdges({{B(1), B(2)}});                               // near, but no voxels
  EXPECT_EQ(Commit(shown.preview_token).new_roots, shown.new_roots);
  const EditReport merged = Commit(of_merge.preview_token);
  EXPECT_EQ(merged.new_roots, of_merge.new_roots);
  EXPECT_TRUE(Together(A(5), A(6)));
  const EditReport of_undo = Preview(UndoRequest{{.operation = merged.operation, .user = "ada"}});
  EXPECT_EQ(Commit(of_undo.preview_token).kind, OperationKind::kUndo);
  EXPECT_FALSE(Together(A(5), A(6)));
  ExpectNoLocks();
  ExpectClean(dataset());
}

TEST_F(PreviewTest, AProtectionThatWasSetSinceRefusesIt) {
  const EditReport shown = Preview(MergeRequest{.edges = {{A(0), A(1)}}});
  const NodeId root = shown.old_roots.front();
  ASSERT_TRUE(editor().Protect({.root = root, .user = "eve", .since = {}, .note = "done"}).ok());
  ExpectRefused(editor().CommitPreview(shown.preview_token).status(), absl::StatusCode::kFailedPrecondition,
                {"protected by eve"});
  EXPECT_FALSE(Together(A(0), A(1)));
}

TEST_F(PreviewTest, TokensThatAreNone) {
  const EditReport shown = Preview(MergeRequest{.edges = {{A(0), A(1)}}});
  const std::string& token = shown.preview_token;
  for (const std::string& text : {std::string(), std::string("7"), std::string("../../project.json"), token + "0",
                                  "0" + token, token.substr(1), token.substr(0, token.size() - 1) + "G"}) {
    const absl::Status status = editor().CommitPreview(text).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status) || absl::IsNotFound(status)) << text << ": " << status;
  }
  EXPECT_EQ(ReadPreview(dataset(), absl::Now() + 2 * kPreviewLife, token).status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(Together(A(0), A(1)));
}

TEST_F(PreviewTest, ADamagedPreviewIsNotCarriedOut) {
  const EditReport shown = Preview(MergeRequest{.edges = {{A(0), A(1)}}});
  const std::string whole = *dataset().previews().Read(shown.preview_token)->value;
  for (size_t at = 0; at < whole.size(); at += 1 + whole.size() / 50) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    ASSERT_TRUE(dataset().previews().Write(shown.preview_token, damaged).ok());
    ExpectRefused(editor().CommitPreview(shown.preview_token).status(), absl::StatusCode::kDataLoss,
                  {shown.preview_token});
  }
  EXPECT_FALSE(Together(A(0), A(1)));
  ASSERT_TRUE(dataset().previews().Write(shown.preview_token, whole).ok());
  Commit(shown.preview_token);
  EXPECT_TRUE(Together(A(0), A(1)));
}

TEST_F(PreviewTest, OldPreviewsAreRemovedByNewOnes) {
  const EditReport shown = Preview(MergeRequest{.edges = {{A(0), A(1)}}});
  const auto planned = ReadPreview(dataset(), absl::Now(), shown.preview_token);
  ASSERT_TRUE(planned.ok()) << planned.status();
  const auto later = KeepPreview(dataset(), absl::Now() + kPreviewLife + absl::Minutes(1), *planned);
  ASSERT_TRUE(later.ok()) << later.status();
  EXPECT_EQ(Kept(), std::vector{*later});
}

TEST_F(PreviewTest, ADryRunLeavesNoTrace) {
  const EditReport merge = MergeRowA(0, 3);
  const Stored before = Look();
  Reopen({.dry_run = true});
  const auto split = editor().Split(CutOfBlock(true, 1));
  ASSERT_TRUE(split.ok()) << split.status();
  EXPECT_FALSE(split->fragments.empty());
  EXPECT_EQ(split->operation, graph::OperationId{});
  EXPECT_TRUE(split->preview_token.empty());
  const auto merged = editor().Merge({.edges = {{A(3), A(4)}}, .terms = {.key = "once"}});
  ASSERT_TRUE(merged.ok()) << merged.status();
  EXPECT_EQ(merged->old_roots.size(), 2U);
  EXPECT_TRUE(editor().Undo({.operation = merge.operation}).ok());
  EXPECT_TRUE(editor().Preview(CutOfBlock(true, 1))->preview_token.empty());
  for (const bool as_a_whole : {false, true}) {
    const auto batch =
        editor().Run({.items = {MergeRequest{.edges = {{A(3), A(4)}}}, CutOfBlock(true, 2)}, .as_a_whole = as_a_whole});
    ASSERT_TRUE(batch.ok()) << batch.status();
    EXPECT_TRUE(batch->done);
    EXPECT_EQ(batch->items[1].edit.fragments.empty(), false);
  }
  const auto rollback = editor().RollbackUser({.user = "ada"});
  ASSERT_TRUE(rollback.ok()) << rollback.status();
  ASSERT_EQ(rollback->size(), 1U);
  EXPECT_TRUE((*rollback)[0].status.ok()) << (*rollback)[0].status;
  ExpectRefused(editor().Merge({.edges = {{A(0), A(1)}}}).status(), absl::StatusCode::kFailedPrecondition, {});
  ExpectSame(before, Look());
  ExpectNoLocks();
}

}  // namespace
}  // namespace cleave::edit
