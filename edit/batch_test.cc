// Goal: a batch is done item by item, or whole or not at all; the same request, sent again under its key, is done once.
// Method: two rows of blocks (block_rows_testing.h); objects, log and locks before and after.
#include <thread>

#include "base/crash_point.h"
#include "edit/block_rows_testing.h"
#include "edit/request_keys.h"
#include "edit/safe_time.h"

namespace cleave::edit {
namespace {

using graph::EdgeEnds;
using graph::NodeId;
using graph::OperationId;

class BatchTest : public BlockRows {
 protected:
  MergeRequest MergeOf(NodeId a, NodeId b) { return {.user = "ada", .edges = {{a, b}}}; }
  BatchReport Run(const BatchRequest& request) {
    const auto report = editor().Run(request);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(BatchReport{});
  }
};

TEST_F(BatchTest, ItemsStandForThemselves) {
  const BatchReport report = Run({.items = {MergeOf(A(0), A(1)), MergeOf(A(0), A(1)), MergeOf(A(1), A(2)),
                                            SplitRequest{.edges = {{A(0), A(1)}}}}});
  EXPECT_FALSE(report.done);
  ASSERT_EQ(report.items.size(), 4U);
  EXPECT_TRUE(report.items[0].status.ok());
  ExpectRefused(report.items[1].status, absl::StatusCode::kFailedPrecondition, {"nothing to merge"});
  EXPECT_TRUE(report.items[2].status.ok());
  EXPECT_TRUE(report.items[3].status.ok());
  EXPECT_FALSE(Together(A(0), A(1)));
  EXPECT_TRUE(Together(A(1), A(2)));
  ExpectClean(dataset());
}

TEST_F(BatchTest, AWholeBatchIsOneCommitOfConsecutiveOperations) {
  const std::vector<int> before = Objects();
  // Each item needs those before it; all write edges of the same chunk; one takes a merge of the batch apart again.
  const BatchReport report = Run({.items = {MergeOf(A(0), B(0)), MergeOf(A(0), B(4)), MergeOf(A(2), B(0)),
                                            SplitRequest{.edges = {{A(0), B(0)}}}, MergeOf(B(0), B(8))},
                                  .as_a_whole = true});
  ASSERT_TRUE(report.done);
  ASSERT_EQ(report.items.size(), 5U);
  EXPECT_FALSE(Together(A(0), B(0)));
  EXPECT_TRUE(Together(A(0), B(4))) << "a fake edge of the same chunk and commit";
  EXPECT_TRUE(Together(A(2), B(8)));
  const OperationId leader = report.items[0].edit.operation;
  for (size_t i = 0; i < 5; ++i) {
    const EditReport& edit = report.items[i].edit;
    const OperationRecord record = Logged(edit.operation);
    EXPECT_EQ(record.status, OperationStatus::kSuccess);
    EXPECT_EQ(record.batch, leader);
    EXPECT_EQ(record.batch_operations.size(), i == 0 ? 5U : 0U);
    EXPECT_EQ(edit.time, report.items[0].edit.time + absl::Milliseconds(i));
  }
  // Every moment on the way is a state of the graph.
  EXPECT_EQ(Objects(report.items[0].edit.time - absl::Milliseconds(1)), before);
  EXPECT_TRUE(Together(A(0), B(0), report.items[2].edit.time));
  EXPECT_FALSE(Together(A(0), B(0), report.items[3].edit.time));
  ExpectClean(dataset());
  ExpectNoLocks();
  // An operation of a batch is undone like any other.
  ASSERT_TRUE(editor().Undo({.operation = report.items[3].edit.operation}).ok());
  EXPECT_TRUE(Together(A(0), B(0)));
  ExpectClean(dataset());
}

TEST_F(BatchTest, AWholeBatchWithOneBadItemChangesNothing) {
  const std::vector<int> before = Objects();
  const BatchReport report =
      Run({.items = {MergeOf(A(0), A(1)), MergeOf(A(0), A(1)), MergeOf(A(1), A(2))}, .as_a_whole = true});
  EXPECT_FALSE(report.done);
  ExpectRefused(report.items[0].status, absl::StatusCode::kCancelled, {"item 1"});
  ExpectRefused(report.items[1].status, absl::StatusCode::kFailedPrecondition, {"nothing to merge"});
  ExpectRefused(report.items[2].status, absl::StatusCode::kCancelled, {"item 1"});
  EXPECT_EQ(Objects(), before);
  const OperationRecord record = Log().back();
  EXPECT_EQ(record.status, OperationStatus::kException);
  EXPECT_EQ(record.failure, OperationFailure::kRejected);
  EXPECT_NE(record.exception.find("item 1"), std::string::npos) << record.exception;
  ExpectNoLocks();
  ExpectRefused(editor().Run({}).status(), absl::StatusCode::kInvalidArgument, {"no items"});
}

// Its times are given before its rows say so: what is read at a safe time may not change when they do.
TEST_F(BatchTest, TheSafeTimeStaysBelowAWholeBatchThatIsBeingCommitted) {
  MergeRowA(3, 4);  // so that a time has been given before
  std::optional<absl::Time> safe;
  SetCrashPointObserver([&](absl::string_view name) {
    if (name == "edit.intent_written") {
      safe = FindSafeTime(dataset().table(), Clock::System(), dataset().meta().ingested)->time;
    }
  });
  const BatchReport report = Run({.items = {MergeOf(A(0), A(1)), MergeOf(A(1), A(2))}, .as_a_whole = true});
  SetCrashPointObserver(nullptr);
  ASSERT_TRUE(report.done);
  ASSERT_TRUE(safe.has_value());
  EXPECT_LT(*safe, report.items[0].edit.time);
}

// Voxel cuts of one batch: the second cuts what the first left, in the same storage chunk.
TEST_F(BatchTest, AWholeBatchOfVoxelCuts) {
  const Array3<uint64_t> before = ExportSupervoxels(dataset());
  const BatchReport report = Run({.items = {SplitRequest{.sources = {{1, 2, 4}}, .sinks = {{6, 2, 4}}},
                                            SplitRequest{.sources = {{9, 2, 4}}, .sinks = {{14, 2, 4}}},
                                            SplitRequest{.sources = {{6, 0, 0}}, .sinks = {{6, 3, 7}}},
                                            MergeRequest{.source = VoxelPoint{1, 2, 4}, .sink = VoxelPoint{6, 3, 7}}},
                                  .as_a_whole = true});
  ASSERT_TRUE(report.done) << report.items[0].status << report.items[1].status << report.items[2].status;
  EXPECT_FALSE(Together(SupervoxelAt({9, 2, 4}), SupervoxelAt({14, 2, 4})));
  EXPECT_FALSE(Together(SupervoxelAt({6, 0, 0}), SupervoxelAt({6, 3, 7})));
  EXPECT_TRUE(Together(SupervoxelAt({1, 2, 4}), SupervoxelAt({6, 3, 7})));
  uint64_t generation = report.items[0].edit.generation;
  for (size_t i = 1; i < 3; ++i) {
    EXPECT_EQ(report.items[i].edit.generation, generation + i) << "a version of its own for each";
  }
  ExpectOnlyMoved(before, ExportSupervoxels(dataset(), generation), report.items[0].edit.fragments);
  ExpectClean(dataset());
  ExpectNoLocks();
}

TEST_F(BatchTest, UndosInAWholeBatchSeeEachOther) {
  const EditReport merge = MergeRowA(0, 1);
  UndoRequest undo;
  undo.operation = merge.operation;
  const BatchReport twice = Run({.items = {undo, undo}, .as_a_whole = true});
  EXPECT_FALSE(twice.done);
  ExpectRefused(twice.items[1].status, absl::StatusCode::kFailedPrecondition, {"undone already"});
  EXPECT_TRUE(Together(A(0), A(1)));
  EXPECT_TRUE(Run({.items = {undo, MergeOf(A(1), A(2))}, .as_a_whole = true}).done);
  EXPECT_FALSE(Together(A(0), A(1)));
  ExpectClean(dataset());
}

TEST_F(BatchTest, ARequestWithAKeyIsDoneOnce) {
  MergeRequest request = MergeOf(A(0), A(1));
  request.terms.key = "form 7";
  const auto first = editor().Merge(request);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_FALSE(first->repeated);
  const auto second = editor().Merge(request);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_TRUE(second->repeated);
  EXPECT_EQ(second->operation, first->operation);
  EXPECT_EQ(second->new_roots, first->new_roots);
  EXPECT_EQ(second->old_roots, first->old_roots);
  EXPECT_EQ(second->new_l2_nodes, first->new_l2_nodes);
  EXPECT_EQ(second->added_edges, first->added_edges);
  EXPECT_EQ(second->time, first->time);
  EXPECT_EQ(Logged(first->operation).request_key, "form 7");
  Reopen();
  EXPECT_EQ(editor().Merge(request)->operation, first->operation) << "also after a restart";
  MergeRequest other = MergeOf(A(2), A(3));
  other.terms.key = "form 7";
  ExpectRefused(editor().Merge(other).status(), absl::StatusCode::kFailedPrecondition,
                {"'form 7' was used for another request", graph::ToString(first->operation)});
  EXPECT_FALSE(Together(A(2), A(3)));
  other.terms.key = std::string(kRequestKeyBytesMax + 1, 'k');
  ExpectRefused(editor().Merge(other).status(), absl::StatusCode::kInvalidArgument, {"256"});
}

TEST_F(BatchTest, AKeyOfARefusedRequestIsFree) {
  MergeRowA(0, 2);
  SplitRequest request{.edges = {{A(0), A(2)}}, .terms = {.key = "k"}};
  ASSERT_FALSE(editor().Split(request).ok());
  request.edges = {{A(0), A(1)}};
  const auto report = editor().Split(request);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(report->repeated);
}

TEST_F(BatchTest, AVoxelCutRepeatedTellsItsFragments) {
  SplitRequest request{.sources = {{1, 2, 4}}, .sinks = {{6, 2, 4}}, .terms = {.key = "cut"}};
  const auto first = editor().Split(request);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_FALSE(first->fragments.empty());
  const auto second = editor().Split(request);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->fragments, first->fragments);
  EXPECT_EQ(second->changed_boxes, first->changed_boxes);
  EXPECT_EQ(second->changed_chunk_count, first->changed_chunk_count);
  EXPECT_EQ(second->generation, first->generation);
}

TEST_F(BatchTest, SendersOfOneKeyAtOnceGetOneEdit) {
  MergeRequest request = MergeOf(A(0), A(1));
  request.terms.key = "all at once";
  std::vector<absl::StatusOr<EditReport>> answers(8, absl::UnknownError(""));
  {
    std::vector<std::jthread> threads;
    for (auto& answer : answers) {
      threads.emplace_back([&] {
        do {
          answer = editor().Merge(request);
        } while (absl::IsUnavailable(answer.status()) || absl::IsAborted(answer.status()));
      });
    }
  }
  std::set<OperationId> operations;
  for (const auto& answer : answers) {
    ASSERT_TRUE(answer.ok()) << answer.status();
    operations.insert(answer->operation);
  }
  EXPECT_EQ(operations.size(), 1U);
  const std::vector<OperationRecord> log = Log();
  EXPECT_EQ(std::ranges::count(log, OperationStatus::kSuccess, &OperationRecord::status), 1);
  ExpectNoLocks();
}

TEST_F(BatchTest, ABatchIsResumedByItsKey) {
  BatchRequest request{.items = {MergeOf(A(0), A(1)), MergeOf(A(2), A(2)), MergeOf(A(3), A(4))}, .key = "day 1"};
  const BatchReport first = Run(request);
  EXPECT_FALSE(first.done);
  request.items[1] = MergeOf(A(1), A(2));
  const BatchReport second = Run(request);
  EXPECT_TRUE(second.done);
  EXPECT_TRUE(second.items[0].edit.repeated);
  EXPECT_EQ(second.items[0].edit.operation, first.items[0].edit.operation);
  EXPECT_FALSE(second.items[1].edit.repeated);
  EXPECT_TRUE(second.items[2].edit.repeated);

  BatchRequest whole{.items = {MergeOf(B(0), B(1)), MergeOf(B(1), B(2))}, .as_a_whole = true, .key = "day 2"};
  const BatchReport done = Run(whole);
  ASSERT_TRUE(done.done);
  const BatchReport again = Run(whole);
  ASSERT_TRUE(again.done);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_TRUE(again.items[i].edit.repeated);
    EXPECT_EQ(again.items[i].edit.operation, done.items[i].edit.operation);
    EXPECT_EQ(again.items[i].edit.new_roots, done.items[i].edit.new_roots);
  }
  ExpectClean(dataset());
}

}  // namespace
}  // namespace cleave::edit
