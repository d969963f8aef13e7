// Goal: what nobody works on any more is finished while the dataset is being edited, and a worker that slept meanwhile
// changes nothing when it wakes up.
// Method: at a crash point in the middle of an edit, a second actor of this process does what another process would do
// while the first one sleeps: it recovers, reverts, edits. Then the first one goes on. Time is a clock that is put
// forward; writes fail because a file stands where their folder was.
#include "edit/recoverer.h"

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "absl/time/clock.h"

#include "edit/intent.h"
#include "edit/recovery.h"
#include "edit/session.h"
#include "edit/stuck_testing.h"
#include "graph/dataset.h"

namespace cleave::edit {
namespace {

constexpr VoxelPoint kOutside{1, 1, 1};  // of the object around the one with the neck

class RecovererTest : public StuckProject {
 protected:
  // A project that is open for edits, with nothing that recovers it but what the test asks for.
  OpenProject OpenStill(const std::string& folder) {
    OpenProject project = OpenAsLeft(folder);
    project.editor = Editor::Open(*project.dataset, Still(clock_)).value();
    return project;
  }
  // As another process would, when the locks have expired.
  static void RecoverElsewhere(OpenProject& project, bool rolled_forward) {
    const auto recovered = RecoverOperations(*project.dataset, Clock::System());
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    ASSERT_EQ(recovered->size(), 1U);
    EXPECT_TRUE(recovered->front().problem.ok());
    EXPECT_EQ(recovered->front().rolled_forward, rolled_forward);
  }

  ShiftedClock clock_;
};

TEST_F(RecovererTest, ASleeperThatWasAbandonedChangesNothing) {
  const Seen before = Before();
  for (const char* point :
       {"edit.created", "edit.roots_locked", "edit.chunks_locked", "edit.locked_for_commit", "edit.intent_written"}) {
    SCOPED_TRACE(point);
    OpenProject project = OpenStill(Copy(origin_));
    absl::Status status;
    {
      const AtCrashPoint sleep(point, [&] { RecoverElsewhere(project, false); });
      status = CutNeck(*project.editor).status();
    }
    EXPECT_TRUE(absl::IsAborted(status)) << status;
    ExpectSettled(project, before);
    EXPECT_EQ(RowOf(project).failure, OperationFailure::kAbandoned) << "the sleeper wrote over what recovery said";
    const auto again = CutNeck(*project.editor);
    EXPECT_TRUE(again.ok()) << again.status();
  }
}

TEST_F(RecovererTest, ASleeperWithABatchThatWasAbandonedLeavesNoRowsOfFollowers) {
  const Seen before = Before();
  for (const char* point : {"edit.locked_for_commit", "edit.intent_written"}) {
    SCOPED_TRACE(point);
    OpenProject project = OpenStill(Copy(origin_));
    absl::StatusOr<BatchReport> report;
    {
      const AtCrashPoint sleep(point, [&] { RecoverElsewhere(project, false); });
      report = project.editor->Run({.items = {SplitRequest{.sources = {kSource}, .sinks = {kSink}},
                                              MergeRequest{.source = kSink, .sink = kOutside}},
                                    .as_a_whole = true});
    }
    EXPECT_TRUE(report.ok() && !report->done) << report.status();
    ExpectSettled(project, before);
  }
}

// Another process carries the operation out, and edits the same object further; then the first worker goes on.
TEST_F(RecovererTest, ASleeperPastItsCommitPointChangesNothing) {
  for (const char* point : {"edit.committed", "edit.prepared", "edit.voxels_written", "edit.flip_claimed",
                            "edit.flipped", "edit.half_unlocked", "edit.unlocked", "edit.intent_removed"}) {
    SCOPED_TRACE(point);
    OpenProject project = OpenStill(Copy(origin_));
    Seen seen;
    uint64_t generation = 0;
    absl::StatusOr<EditReport> report;
    {
      const AtCrashPoint sleep(point, [&] {
        RecoverElsewhere(project, true);
        const auto other = Editor::Open(*project.dataset, Still(clock_)).value();
        const auto merged = other->Merge({.source = kSink, .sink = kOutside, .user = "other"});
        ASSERT_TRUE(merged.ok()) << merged.status();
        const auto split = other->Split({.sources = {kSource}, .sinks = {{5, 8, 4}}, .user = "other"});
        ASSERT_TRUE(split.ok()) << split.status();
        seen = Look(project);
        generation = VoxelGeneration(*project.dataset).value();
      });
      report = CutNeck(*project.editor);
    }
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->operation, kFirst);
    EXPECT_EQ(VoxelGeneration(*project.dataset).value(), generation);
    ExpectSettled(project, seen);
  }
}

// An operator takes the operation back while its worker sleeps.
TEST_F(RecovererTest, ASleeperThatWasRevertedChangesNothing) {
  const Seen before = Before();
  for (const char* point : {"edit.committed", "edit.prepared", "edit.voxels_written"}) {
    SCOPED_TRACE(point);
    OpenProject project = OpenStill(Copy(origin_));
    absl::Status status;
    {
      const AtCrashPoint sleep(point, [&] {
        const auto outcome = RevertStuck(*project.dataset, Clock::System(), kFirst);
        ASSERT_TRUE(outcome.ok()) << outcome.status();
      });
      status = CutNeck(*project.editor).status();
    }
    EXPECT_TRUE(absl::IsAborted(status)) << status;
    ExpectSettled(project, before);
    EXPECT_EQ(RowOf(project).failure, OperationFailure::kReverted);
  }
}

// Once the flip was claimed, a revert comes too late.
TEST_F(RecovererTest, ARevertDuringTheFlipIsRefused) {
  OpenProject project = OpenStill(Copy(origin_));
  absl::Status revert;
  {
    const AtCrashPoint sleep("edit.flip_claimed",
                             [&] { revert = RevertStuck(*project.dataset, Clock::System(), kFirst).status(); });
    ASSERT_TRUE(CutNeck(*project.editor).ok());
  }
  EXPECT_TRUE(absl::IsFailedPrecondition(revert)) << revert;
  ExpectSettled(project, After());
}

// What this process runs is its own, however long it takes.
TEST_F(RecovererTest, ARunningOperationIsLeftAlone) {
  for (const char* point : {"edit.chunks_locked", "edit.locked_for_commit", "edit.committed", "edit.flipped"}) {
    SCOPED_TRACE(point);
    OpenProject project = OpenStill(Copy(origin_));
    {
      const AtCrashPoint sleep(point, [&] {
        clock_.Forward(2 * table::kLockExpiry);
        EXPECT_EQ(project.editor->RecoverNow().value(), 0);
      });
      const auto report = CutNeck(*project.editor);
      EXPECT_TRUE(report.ok()) << report.status();
    }
    EXPECT_TRUE(project.editor->recovered().empty());
  }
}

// A write fails past the commit point: the editor that could not finish it does so at the next look, with no wait for
// locks to expire, once writes succeed again.
TEST_F(RecovererTest, AnOperationWhoseWritesFailedIsFinishedWithoutARestart) {
  const Seen after = After();
  const std::string folder = Copy(origin_);
  OpenProject project = OpenStill(folder);
  const std::filesystem::path fork = folder + "/ocdbt/" + project.dataset->meta().graph_id;
  ASSERT_TRUE(std::filesystem::is_directory(fork)) << fork;
  const std::filesystem::path away = folder + "/away";
  absl::Status status;
  {
    const AtCrashPoint fail("edit.prepared", [&] {
      std::filesystem::rename(fork, away);
      std::ofstream(fork) << "in the way";
    });
    status = CutNeck(*project.editor).status();
  }
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(project.editor->RecoverNow().value(), 0) << "the folder is still away";
  EXPECT_EQ(project.editor->recovered().size(), 1U);
  EXPECT_FALSE(project.editor->recovered().front().problem.ok());
  std::filesystem::remove(fork);
  std::filesystem::rename(away, fork);
  EXPECT_EQ(project.editor->RecoverNow().value(), 1);
  EXPECT_TRUE(project.editor->recovered().front().rolled_forward);
  ExpectSettled(project, after);
}

TEST_F(RecovererTest, AnEditThatMeetsTheLocksOfADeadOneFinishesIt) {
  for (const char* stop : {"edit.locked_for_commit:1", "edit.committed:1", "edit.voxels_written:1"}) {
    SCOPED_TRACE(stop);
    const bool committed = stop != std::string("edit.locked_for_commit:1");
    clock_.Reset();
    OpenProject project = OpenStill(LeftAt(stop));
    const auto merge = [&] { return project.editor->Merge({.source = kSource, .sink = kOutside}).status(); };
    EXPECT_TRUE(absl::IsUnavailable(merge())) << "its worker may be alive";
    clock_.Forward(table::kLockExpiry + absl::Seconds(1));
    const absl::Status status = merge();
    EXPECT_TRUE(status.ok()) << status;
    ASSERT_EQ(project.editor->recovered().size(), 1U);
    EXPECT_EQ(project.editor->recovered().front().rolled_forward, committed);
    EXPECT_EQ(RootAt(*project.dataset, kSource) != RootAt(*project.dataset, kSink), committed);
    ExpectClean(*project.dataset);
  }
}

TEST_F(RecovererTest, TheThreadLooksByItself) {
  OpenProject project = OpenAsLeft(LeftAt("edit.voxels_written:1"));
  clock_.Forward(table::kLockExpiry + absl::Seconds(1));
  EditorOptions options = Still(clock_);
  options.recovery_period = absl::Milliseconds(1);
  project.editor = Editor::Open(*project.dataset, options).value();
  while (project.editor->recovered().empty()) {
    absl::SleepFor(absl::Milliseconds(1));
  }
  EXPECT_TRUE(project.editor->recovered().front().rolled_forward);
  project.editor.reset();  // stops the thread
  ExpectSettled(project, After());
}

// A lock that is renewed is a sign of life, though nothing else of the operation moves.
TEST_F(RecovererTest, ASlowPlanOfAnotherProcessIsLeftAlone) {
  OpenProject project = OpenStill(LeftAt("edit.chunks_locked:1"));
  clock_.Forward(table::kLockExpiry + absl::Seconds(1));
  const auto stuck = ShowStuck(*project.dataset, kFirst).value();
  table::RowLocks locks(project.dataset->table(), clock_, table::LockedRows::kRoots);
  std::vector<std::string> roots;
  for (const ScopeLock& lock : stuck.locks) {
    if (!lock.is_chunk) {
      roots.push_back(lock.state.key);
    }
  }
  ASSERT_TRUE(locks.Renew(roots, Value(kFirst)).ok());
  EXPECT_EQ(project.editor->RecoverNow().value(), 0);
  clock_.Forward(table::kLockExpiry + absl::Seconds(1));
  EXPECT_EQ(project.editor->RecoverNow().value(), 1);
  ExpectSettled(project, Before());
}

// A power cut may take the rows of an operation that had not come to its commit point, and leave its intent.
TEST_F(RecovererTest, AnIntentThatNothingRefersToIsRemovedAtTheNextOpening) {
  const graph::OperationId lost{kFirst}, abandoned{Value(kFirst) + 1}, committed{Value(kFirst) + 2},
      in_flight{Value(kFirst) + 3};
  OpenProject project = OpenAsLeft(Copy(origin_));
  graph::Dataset& dataset = *project.dataset;
  OperationLog log(dataset.table());
  for (const graph::OperationId id : {lost, abandoned, committed, in_flight}) {
    const auto bytes = EncodeIntent(MakeIntent(id, absl::Now(), {}));
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    ASSERT_TRUE(dataset.intents().Write(IntentKey(id), *bytes).ok());
  }
  ASSERT_TRUE(dataset.intents().Write("not-an-intent", "x").ok());
  OperationRecord record;
  record.time = absl::Now();
  record.id = abandoned;
  record.status = OperationStatus::kException;
  ASSERT_TRUE(log.Write(record).ok());
  record.id = committed;
  record.status = OperationStatus::kWriteStarted;
  ASSERT_TRUE(log.Write(record).ok());
  ASSERT_TRUE(log.WriteInFlight({in_flight, {}, {}}).ok());

  const auto found = FindLostIntents(dataset);
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->size(), 2U);
  EXPECT_EQ((*found)[0].operation, lost);
  EXPECT_EQ((*found)[1].operation, abandoned);
  const auto recovered = RecoverOperations(dataset, Clock::System());
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  const std::vector<std::string> left = {IntentKey(committed), "not-an-intent"};
  EXPECT_EQ(dataset.intents().List({}).value(), left) << "a committed operation's plan is for a repair to carry out";
}

}  // namespace
}  // namespace cleave::edit
