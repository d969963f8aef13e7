// Goal: wherever the process is killed during an edit, and wherever it is killed while it recovers, the next start
// finds the state before the edit or the one after it; fsck is clean, and the next edit of the same object works.
// Method: the edit runs in a child, which is this program with one hidden test and a folder in its environment. A first
// run lists every crash point that the child passes, with an observer; then a fresh copy of the project is edited once
// for each of them, and the child ends there by SIGKILL (base/crash_point.h). Recovery is killed in the same way, from
// several states that an edit left behind. The point of each kill is checked to have been reached.
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "base/crash_point.h"
#include "edit/crash_testing.h"

namespace cleave::edit {
namespace {

// The edits of the child, by name.
absl::Status Act(Editor& editor, absl::string_view action) {
  const graph::OperationId first{1};  // in projects where an edit was made before
  if (action == "split") {
    return CutNeck(editor).status();
  }
  if (action == "split with key") {
    return CutNeck(editor, "once").status();
  }
  if (action == "merge") {
    return editor.Merge({.source = kSource, .sink = VoxelPoint{1, 1, 1}, .user = "child"}).status();
  }
  if (action == "undo") {
    return editor.Undo({.operation = first, .user = "child"}).status();
  }
  if (action == "undo with voxels") {
    return editor.Undo({.operation = first, .user = "child", .voxels = true}).status();
  }
  if (action == "redo") {
    return editor.Redo({.operation = first, .user = "child"}).status();
  }
  if (action == "commit") {
    const auto preview = editor.Preview(SplitRequest{.sources = {kSource}, .sinks = {kSink}, .user = "child"});
    return preview.ok() ? editor.CommitPreview(preview->preview_token).status() : preview.status();
  }
  if (action == "batch") {  // two voxel cuts, the second of what the first left, and a merge
    const auto report =
        editor.Run({.items = {SplitRequest{.sources = {kSource}, .sinks = {kSink}, .user = "child"},
                              SplitRequest{.sources = {kSource}, .sinks = {{5, 8, 4}}, .user = "child"},
                              MergeRequest{.source = kSink, .sink = VoxelPoint{1, 1, 1}, .user = "child"}},
                    .as_a_whole = true});
    if (report.ok() && !report->done) {
      for (const ItemReport& item : report->items) {
        std::cout << item.status << '\n';
      }
    }
    return !report.ok() || report->done ? report.status() : absl::UnknownError("the batch was refused");
  }
  return absl::OkStatus();
}

// What the child does: opens the project, which recovers, then edits unless CLEAVE_CRASH_CHILD_ACTION is "open".
TEST(CrashChild, RunsTheEdit) {
  const char* folder = std::getenv("CLEAVE_CRASH_CHILD_FOLDER");
  if (folder == nullptr) {
    GTEST_SKIP() << "runs as the child of CrashTest only";
  }
  const std::string action = std::getenv("CLEAVE_CRASH_CHILD_ACTION");
  std::ofstream list;
  if (const char* path = std::getenv("CLEAVE_CRASH_CHILD_LIST")) {
    list.open(path);
    SetCrashPointObserver([&list](absl::string_view name) { list << std::string(name) << std::endl; });
  }
  OpenProject project = Open(folder);
  ASSERT_NE(project.editor, nullptr);
  const absl::Status status = Act(*project.editor, action);
  ASSERT_TRUE(status.ok()) << status;
  SetCrashPointObserver(nullptr);
}

class CrashTest : public testing::Test {
 protected:
  void SetUp() override {
    IngestLabels(origin_, NeckLabels(), {.chunk_size = {16, 16, 16}, .voxel_size_nm = {8, 8, 8}, .fuse = {{1, 3}}});
  }

  std::string Copy(const std::string& from) {
    const std::string to = absl::StrCat(folder_.path(), "/copy", ++copies_);
    std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
    return to;
  }
  void Remove(const std::string& project) { std::filesystem::remove_all(project); }

  // Runs `action` on copies of `start`, killed at each of its crash points. `before` and `after` are the two states
  // that may be seen afterwards. Returns the names of the points.
  std::set<std::string> KillEverywhere(const std::string& start, const std::string& action, const Seen& before,
                                       const Seen& after, bool edit_again) {
    const std::string list_file = folder_.path() + "/points";
    const std::string observed = Copy(start);
    EXPECT_EQ(RunChild({.folder = observed, .action = action, .list_file = list_file}), 0);
    Remove(observed);
    std::set<std::string> names;
    int covered = 0;
    const std::vector<std::string> arrivals = Arrivals(list_file);
    EXPECT_FALSE(arrivals.empty());
    for (const std::string& arrival : arrivals) {
      SCOPED_TRACE(absl::StrCat(action, " killed at ", arrival));
      // How often the store writes may differ by one from run to run: a point that was not reached is tried again.
      std::string project = Copy(start);
      int status = RunChild({.folder = project, .action = action, .crash_at = arrival});
      for (int i = 0; i < 8 && !WIFSIGNALED(status); ++i) {
        Remove(project);
        project = Copy(start);
        status = RunChild({.folder = project, .action = action, .crash_at = arrival});
      }
      if (!WIFSIGNALED(status) && names.contains(arrival.substr(0, arrival.find(':')))) {
        std::cout << arrival << " was passed once and not again\n";
        ExpectWhole(project, before, after, edit_again);
        Remove(project);
        ++covered;
        continue;
      }
      EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the child passed the point";
      covered += WIFSIGNALED(status) ? 1 : 0;
      names.insert(arrival.substr(0, arrival.find(':')));
      ExpectWhole(project, before, after, edit_again);
      Remove(project);
    }
    std::cout << action << ": crash points covered " << covered << "/" << arrivals.size() << " (" << names.size()
              << " names)\n";
    EXPECT_EQ(covered, static_cast<int>(arrivals.size()));
    return names;
  }

  // Opens the project, which recovers it.
  void ExpectWhole(const std::string& folder, const Seen& before, const Seen& after, bool edit_again) {
    OpenProject project = Open(folder);
    ASSERT_NE(project.editor, nullptr);
    const Seen now = Look(project);
    const bool is_after = now == after;
    EXPECT_TRUE(is_after || now == before) << "neither the state before nor the one after";
    ExpectClean(*project.dataset);
    if (edit_again) {
      const bool apart = RootAt(*project.dataset, kSource) != RootAt(*project.dataset, kSink);
      const auto report = apart ? project.editor->Merge({.source = kSource, .sink = kSink}) : CutNeck(*project.editor);
      EXPECT_TRUE(report.ok()) << report.status();
      EXPECT_EQ(RootAt(*project.dataset, kSource) != RootAt(*project.dataset, kSink), !apart);
      ExpectClean(*project.dataset);
    }
  }

  Seen LookAt(const std::string& folder) {
    OpenProject project = Open(folder);
    return Look(project);
  }

  store::TemporaryFolder folder_;
  const std::string origin_ = folder_.path() + "/origin";
  int copies_ = 0;
};

TEST_F(CrashTest, SplitIsWholeOrNothing) {
  const Seen before = LookAt(origin_);
  const std::string done = Copy(origin_);
  ASSERT_EQ(RunChild({.folder = done, .action = "split"}), 0);
  const Seen after = LookAt(done);
  ASSERT_FALSE(before == after);
  const std::set<std::string> names = KillEverywhere(origin_, "split", before, after, true);
  for (const char* name :
       {"edit.created", "edit.roots_locked", "edit.chunks_locked", "edit.locked_for_commit", "edit.intent_written",
        "edit.committed", "edit.prepared", "edit.voxels_written", "edit.flip_claimed", "edit.flipped",
        "edit.half_unlocked", "edit.unlocked", "edit.intent_removed", "edit.finished"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

TEST_F(CrashTest, MergeIsWholeOrNothing) {
  const Seen before = LookAt(origin_);
  const std::string done = Copy(origin_);
  ASSERT_EQ(RunChild({.folder = done, .action = "merge"}), 0);
  const Seen after = LookAt(done);
  ASSERT_FALSE(before == after);
  KillEverywhere(origin_, "merge", before, after, true);
}

TEST_F(CrashTest, TheCommitOfAPreviewIsWholeOrNothing) {
  const Seen before = LookAt(origin_);
  const std::string done = Copy(origin_);
  ASSERT_EQ(RunChild({.folder = done, .action = "commit"}), 0);
  const Seen after = LookAt(done);
  ASSERT_FALSE(before == after);
  KillEverywhere(origin_, "commit", before, after, true);
}

TEST_F(CrashTest, ABatchAsAWholeIsWholeOrNothing) {
  const Seen before = LookAt(origin_);
  const std::string done = Copy(origin_);
  ASSERT_EQ(RunChild({.folder = done, .action = "batch"}), 0);
  const Seen after = LookAt(done);
  ASSERT_FALSE(before == after);
  ASSERT_EQ(after.succeeded.size(), 3U);
  KillEverywhere(origin_, "batch", before, after, false);
}

TEST_F(CrashTest, UndoAndRedoOfAVoxelCutAreWholeOrNothing) {
  const std::string cut = Copy(origin_);
  ASSERT_EQ(RunChild({.folder = cut, .action = "split"}), 0);
  const Seen before = LookAt(cut);
  const std::string undone = Copy(cut);
  ASSERT_EQ(RunChild({.folder = undone, .action = "undo"}), 0);
  const Seen between = LookAt(undone);
  ASSERT_FALSE(before == between);
  KillEverywhere(cut, "undo", before, between, true);
  const std::string redone = Copy(undone);
  ASSERT_EQ(RunChild({.folder = redone, .action = "redo"}), 0);
  KillEverywhere(undone, "redo", between, LookAt(redone), true);
}

// The redo cuts anew.
TEST_F(CrashTest, UndoWithVoxelsAndItsRedoAreWholeOrNothing) {
  const std::string cut = Copy(origin_);
  ASSERT_EQ(RunChild({.folder = cut, .action = "split"}), 0);
  const Seen before = LookAt(cut);
  const std::string undone = Copy(cut);
  ASSERT_EQ(RunChild({.folder = undone, .action = "undo with voxels"}), 0);
  const Seen between = LookAt(undone);
  const Seen first = LookAt(origin_);
  EXPECT_TRUE(std::equal(first.supervoxels.data(), first.supervoxels.data() + first.supervoxels.size(),
                         between.supervoxels.data()));
  const std::set<std::string> names = KillEverywhere(cut, "undo with voxels", before, between, true);
  for (const char* name : {"edit.committed", "edit.prepared", "edit.flip_claimed", "edit.graph_turned",
                           "edit.voxels_written", "edit.flipped"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
  const std::string redone = Copy(undone);
  ASSERT_EQ(RunChild({.folder = redone, .action = "redo"}), 0);
  KillEverywhere(undone, "redo", between, LookAt(redone), true);
}

// Whoever does not know whether his edit was done asks again: it is done once, wherever the first try was killed.
TEST_F(CrashTest, ARequestWithAKeyIsDoneOnceWhereverItIsKilled) {
  const std::string list_file = folder_.path() + "/points";
  const std::string observed = Copy(origin_);
  ASSERT_EQ(RunChild({.folder = observed, .action = "split with key", .list_file = list_file}), 0);
  for (const std::string& arrival : Arrivals(list_file)) {
    SCOPED_TRACE(arrival);
    const std::string project = Copy(origin_);
    ASSERT_TRUE(WIFSIGNALED(RunChild({.folder = project, .action = "split with key", .crash_at = arrival})));
    ASSERT_EQ(RunChild({.folder = project, .action = "split with key"}), 0);
    OpenProject open = Open(project);
    ASSERT_NE(open.editor, nullptr);
    EXPECT_EQ(Look(open).succeeded.size(), 1U);
    EXPECT_NE(RootAt(*open.dataset, kSource), RootAt(*open.dataset, kSink));
    open = {};
    Remove(project);
  }
}

TEST_F(CrashTest, RecoveryThatIsKilledIsRecovered) {
  const Seen before = LookAt(origin_);
  const std::string done = Copy(origin_);
  ASSERT_EQ(RunChild({.folder = done, .action = "split"}), 0);
  const Seen after = LookAt(done);
  std::set<std::string> names;
  for (const char* stop : {"edit.chunks_locked:1", "edit.intent_written:1", "edit.committed:1", "edit.voxels_written:1",
                           "edit.flipped:1", "edit.intent_removed:1"}) {
    SCOPED_TRACE(stop);
    const std::string left_behind = Copy(origin_);
    const int status = RunChild({.folder = left_behind, .action = "split", .crash_at = stop});
    ASSERT_TRUE(WIFSIGNALED(status));
    const bool committed = stop != std::string("edit.chunks_locked:1") && stop != std::string("edit.intent_written:1");
    const Seen& end = committed ? after : before;
    names.merge(KillEverywhere(left_behind, "open", end, end, true));
    Remove(left_behind);
  }
  EXPECT_TRUE(names.contains("edit.recovered"));
  EXPECT_TRUE(names.contains("edit.voxels_written"));
}

}  // namespace
}  // namespace cleave::edit
