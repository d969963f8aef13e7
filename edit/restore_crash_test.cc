// Goal: an undo with voxels that was stopped reads as one state or the other to whoever looks meanwhile, and is
// replayed or reverted rightly. Method: the edit runs in a child that is killed at a crash point (crash_testing.h); the
// project is then opened without recovery, read, and settled as an operator would.
#include "absl/strings/match.h"

#include "edit/recovery.h"
#include "edit/safe_time.h"
#include "edit/stuck_testing.h"
#include "ocdbt/database.h"

namespace cleave::edit {
namespace {

class StuckRestore : public StuckProject {
 protected:
  static constexpr graph::OperationId kUndo{2};

  void SetUp() override {
    StuckProject::SetUp();
    cut_ = Copy(origin_);
    ASSERT_EQ(RunChild({.folder = cut_, .action = "split"}), 0);
  }
  std::string StoppedAt(const std::string& stop) {
    std::string project = Copy(cut_);
    const int status = RunChild({.folder = project, .action = "undo with voxels", .crash_at = stop});
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << stop << " was not passed";
    return project;
  }
  // A voxel of a fragment of the cut.
  static VoxelPoint FragmentVoxel(OpenProject& project) {
    const uint64_t fragment = Value(RowOf(project).fragments.front());
    const Array3<uint64_t> voxels = ExportSupervoxels(*project.dataset);
    VoxelPoint point;
    for (int64_t i = 0; i < voxels.size(); ++i) {
      if (voxels.data()[i] == fragment) {
        point = {i % voxels.extent().x, i / voxels.extent().x % voxels.extent().y,
                 i / (voxels.extent().x * voxels.extent().y)};
      }
    }
    return point;
  }
  static bool Apart(graph::Dataset& dataset) { return RootAt(dataset, kSource) != RootAt(dataset, kSink); }

  std::string cut_;
};

TEST_F(StuckRestore, ReadersSeeOneStateOrTheOther) {
  const Seen before = LookAt(cut_);
  const std::string undone = Copy(cut_);
  ASSERT_EQ(RunChild({.folder = undone, .action = "undo with voxels"}), 0);
  const Seen after = LookAt(undone);
  struct Stop {
    const char* name;
    bool turned;
    bool written;
  };
  for (const Stop& stop : {Stop{"edit.prepared:1", false, false}, Stop{"edit.flip_claimed:1", false, false},
                           Stop{"edit.graph_turned:1", true, false}, Stop{"edit.voxels_written:1", true, true}}) {
    SCOPED_TRACE(stop.name);
    OpenProject project = OpenAsLeft(StoppedAt(stop.name));
    graph::Dataset& dataset = *project.dataset;
    EXPECT_EQ(Apart(dataset), !stop.turned);
    const Array3<uint64_t> voxels = ExportSupervoxels(dataset);
    const Seen& seen = stop.written ? after : before;
    EXPECT_TRUE(std::equal(voxels.data(), voxels.data() + voxels.size(), seen.supervoxels.data()));
    for (const auto& [id, root] : RootsOf(dataset, voxels)) {
      EXPECT_TRUE(dataset.Now().RequireCurrentRoot(graph::NodeId{root}).ok()) << id << " leads to a past object";
    }
    // Whoever wants a state that stays asks at the safe time, and finds the one before.
    const auto safe = FindSafeTime(dataset.table(), Clock::System(), dataset.meta().ingested);
    ASSERT_TRUE(safe.ok()) << safe.status();
    EXPECT_EQ(RootsOf(dataset, before.supervoxels, safe->time), before.roots);
  }
}

TEST_F(StuckRestore, IsRevertedBeforeTheTurnAndRefusedAfter) {
  const Seen before = LookAt(cut_);
  for (const char* stop : {"edit.chunks_locked:1", "edit.committed:1", "edit.prepared:1"}) {
    SCOPED_TRACE(stop);
    OpenProject project = OpenAsLeft(StoppedAt(stop));
    const auto outcome = RevertStuck(*project.dataset, Clock::System(), kUndo);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    ExpectSettled(project, before);
    EXPECT_EQ(RowOf(project, kUndo).failure, OperationFailure::kReverted);
    auto editor = Editor::Open(*project.dataset);
    ASSERT_TRUE(editor.ok());
    EXPECT_TRUE((*editor)->Undo({.operation = kFirst, .voxels = true}).ok()) << "it can be asked for again";
    ExpectClean(*project.dataset);
  }
  for (const char* stop : {"edit.flip_claimed:1", "edit.graph_turned:1", "edit.voxels_written:1"}) {
    SCOPED_TRACE(stop);
    OpenProject project = OpenAsLeft(StoppedAt(stop));
    const auto refused = RevertStuck(*project.dataset, Clock::System(), kUndo);
    EXPECT_TRUE(absl::IsFailedPrecondition(refused.status())) << refused.status();
    EXPECT_TRUE(absl::StrContains(refused.status().message(), "replay it")) << refused.status();
    const auto outcome = ReplayStuck(*project.dataset, Clock::System(), kUndo);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_FALSE(Apart(*project.dataset));
    ExpectClean(*project.dataset);
  }
}

// The chunk was read, locked and then written by another program: nothing is turned on, and it can be taken back.
TEST_F(StuckRestore, AChunkThatOthersWroteStopsItBeforeTheTurn) {
  OpenProject project = OpenAsLeft(StoppedAt("edit.committed:1"));
  graph::Dataset& dataset = *project.dataset;
  const volume::Volume& volume = dataset.segmentation();
  const VoxelPoint point = FragmentVoxel(project);
  const ChunkPoint chunk = volume.grid(0).ChunkOf(point);
  const auto read = volume.ReadChunk(0, chunk);
  ASSERT_TRUE(read.ok()) << read.status();
  Array3<uint64_t> labels = volume.DecodeChunk(0, chunk, *read).value();
  labels[point - volume.grid(0).BoxOf(chunk).lo] = 0;
  const auto write = volume.EncodeChunkWrite(0, chunk, std::as_const(labels).view(), read->generation);
  ocdbt::WriteBatch batch;
  batch.Put(write->key, *write->value);
  ASSERT_TRUE(dataset.database().Commit(batch).ok());
  const auto refused = ReplayStuck(dataset, Clock::System(), kUndo);
  EXPECT_TRUE(absl::IsInternal(refused.status())) << refused.status();
  EXPECT_EQ(RowOf(project, kUndo).status, OperationStatus::kWriteStarted);
  const auto outcome = RevertStuck(dataset, Clock::System(), kUndo);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(RowOf(project, kUndo).failure, OperationFailure::kReverted);
}

// A worker that sleeps behind the turn, while recovery ends its operation and the object is edited further.
TEST_F(StuckRestore, ASleeperChangesNothing) {
  OpenProject project = OpenAsLeft(Copy(cut_));
  ShiftedClock clock;
  auto worker = Editor::Open(*project.dataset, Still(clock));
  ASSERT_TRUE(worker.ok());
  Seen seen;
  {
    const AtCrashPoint recovered("edit.graph_turned", [&] {
      const auto all = RecoverOperations(*project.dataset, Clock::System());
      ASSERT_TRUE(all.ok()) << all.status();
      auto other = Editor::Open(*project.dataset, Still(Clock::System()));
      ASSERT_TRUE((*other)->Redo({.operation = kFirst}).ok());
      seen = Look(project);
    });
    const auto report = (*worker)->Undo({.operation = kFirst, .voxels = true});
    EXPECT_TRUE(report.ok()) << report.status();
  }
  EXPECT_TRUE(Look(project) == seen) << "what came after is as it was";
  EXPECT_TRUE(Apart(*project.dataset));
  ExpectClean(*project.dataset);
}

}  // namespace
}  // namespace cleave::edit
