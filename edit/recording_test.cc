// Goal: an edit that was recorded can be planned again from the recording alone, and each stage of it again and again.
// Method: projects of labels with a neck; a merge, a split of edges' objects and a cut in voxels are recorded, in the
// state after other edits; then the project is deleted, and the recording must lead to what the edit does in a copy.
#include "edit/recording.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "gtest/gtest.h"

#include "edit/crash_testing.h"
#include "edit/edit_testing.h"

namespace cleave::edit {
namespace {

class RecordingTest : public testing::Test {
 protected:
  void SetUp() override { IngestLabels(project_, NeckLabels(), {.chunk_size = {16, 16, 12}, .fuse = {{1, 3}}}); }

  EditorOptions DryRun(StageRepetition repetition = {}) const {
    return {.dry_run = true, .profile = true, .repetition = std::move(repetition)};
  }
  EditReport PlanIn(const std::string& folder, const BatchItem& edit, const EditorOptions& options) {
    OpenProject project = Open(folder, options);
    auto report = project.editor->Run({.items = {edit}});
    EXPECT_TRUE(report.ok() && report->items[0].status.ok()) << report.status() << report->items[0].status;
    return report->items[0].edit;
  }

  store::TemporaryFolder folder_;
  const std::string project_ = folder_.path() + "/project";
  const std::string recording_ = folder_.path() + "/recording";
  const BatchItem cut_ = SplitRequest{.sources = {kSource}, .sinks = {kSink}, .user = "ana"};
};

TEST_F(RecordingTest, ACutInVoxelsIsPlannedAgainWithoutTheProject) {
  const auto recording = RecordEdit(project_, cut_, "the text", recording_);
  ASSERT_TRUE(recording.ok()) << recording.status();
  EXPECT_GT(recording->row_count, 0);
  EXPECT_GT(recording->chunk_count, 0);
  EXPECT_GT(recording->edge_file_count, 0);
  EXPECT_GT(recording->read_bytes, 0);
  std::stringstream text;
  text << std::ifstream(recording_ + "/" + kRecordedEditFile).rdbuf();
  EXPECT_EQ(text.str(), "the text");

  OpenProject project = Open(project_);
  const auto done = CutNeck(*project.editor);
  ASSERT_TRUE(done.ok()) << done.status();
  project = {};
  std::filesystem::remove_all(project_);
  const EditReport again = PlanIn(recording_, cut_, DryRun());
  ASSERT_EQ(again.fragments.size(), done->fragments.size());
  for (size_t i = 0; i < again.fragments.size(); ++i) {
    EXPECT_EQ(again.fragments[i].former, done->fragments[i].former);
    EXPECT_EQ(again.fragments[i].side, done->fragments[i].side);
    EXPECT_EQ(again.fragments[i].voxel_count, done->fragments[i].voxel_count);
  }
  EXPECT_EQ(again.old_roots, done->old_roots);
}

TEST_F(RecordingTest, EveryStageThatOnlyReadsCanBeRepeatedAlone) {
  ASSERT_TRUE(RecordEdit(project_, cut_, "", recording_).ok());
  const EditReport once = PlanIn(recording_, cut_, DryRun());
  EXPECT_TRUE(once.stages.repeated().empty());
  EXPECT_EQ(once.stages.repeatable(),
            (std::set<std::string>{"graph cut", "read graph", "read mask", "route edges", "voxel cut"}));
  for (const std::string& stage : once.stages.repeatable()) {
    SCOPED_TRACE(stage);
    const auto visits = [&](const EditReport& report) {
      const std::vector<StageProfile> profile = report.stages.Profile();
      return std::ranges::find(profile, stage, &StageProfile::name)->visits;
    };
    const EditReport repeated = PlanIn(recording_, cut_, DryRun({stage, 5}));
    EXPECT_EQ(visits(repeated), 5 * visits(once));
    EXPECT_EQ(std::ssize(repeated.stages.repeated()), visits(repeated));
    EXPECT_EQ(repeated.fragments.size(), once.fragments.size());
  }
}

TEST_F(RecordingTest, TheStateAfterOtherEditsIsWhatIsRecorded) {
  {
    OpenProject project = Open(project_);
    ASSERT_TRUE(CutNeck(*project.editor).ok());
  }
  const BatchItem merge = MergeRequest{.source = kSource, .sink = kSink, .user = "ana"};
  const auto recording = RecordEdit(project_, merge, "", recording_);
  ASSERT_TRUE(recording.ok()) << recording.status();
  const EditReport again = PlanIn(recording_, merge, DryRun());
  EXPECT_EQ(again.old_roots, recording->report.old_roots);
  EXPECT_EQ(again.new_roots.size(), 1U);
  {
    OpenProject project = Open(project_);
    EXPECT_EQ(project.editor->Run({.items = {merge}})->items[0].status, absl::OkStatus());
    ExpectClean(*project.dataset);
  }
  const auto split = RecordEdit(project_, cut_, "", folder_.path() + "/split");
  ASSERT_TRUE(split.ok()) << split.status();
  EXPECT_TRUE(split->report.fragments.empty());
  EXPECT_EQ(split->report.new_roots.size(), 2U);
}

TEST_F(RecordingTest, WhatCannotBeRecordedLeavesNoFolder) {
  const auto expect_refused = [&](const BatchItem& edit, absl::StatusCode code) {
    EXPECT_EQ(RecordEdit(project_, edit, "", recording_).status().code(), code);
    EXPECT_FALSE(std::filesystem::exists(recording_));
  };
  expect_refused(UndoRequest{{.operation = graph::OperationId{1}}}, absl::StatusCode::kInvalidArgument);
  expect_refused(SplitRequest{.sources = {kSource}, .sinks = {VoxelPoint{1000, 0, 0}}}, absl::StatusCode::kOutOfRange);
  std::filesystem::create_directory(recording_);
  std::ofstream(recording_ + "/mine") << "x";
  EXPECT_EQ(RecordEdit(project_, cut_, "", recording_).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(std::filesystem::exists(recording_ + "/mine"));
  OpenProject project = Open(project_);
  ExpectClean(*project.dataset);
}

}  // namespace
}  // namespace cleave::edit
