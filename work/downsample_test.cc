// Goal: coarser scales follow the voxels exactly, write only where something changed, and come out right whatever
// workers do at once, are stopped in the middle, or find locks of the dead. Method: small projects with several scales,
// an odd offset and memory so small that every scale is a tier of its own; scales are compared with plain arrays.
#include "work/downsample.h"

#include <algorithm>
#include <random>
#include <thread>

#include "absl/time/clock.h"
#include "gtest/gtest.h"

#include "base/test_seed.h"
#include "edit/repair.h"
#include "graph/scales.h"
#include "ocdbt/database.h"
#include "table/row_keys.h"
#include "work/downsample_service.h"
#include "work/work_testing.h"

namespace cleave::work {
namespace {

class DownsampleTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(MakeProject(path_, random_, {-3, 7, 5}));
    project_ = edit::Open(path_);
    ASSERT_NE(project_.editor, nullptr);
    ASSERT_GE(dataset().segmentation().scale_count(), 3);
  }
  graph::Dataset& dataset() { return *project_.dataset; }
  std::unique_ptr<DownsampleWorker> Worker(const DownsampleOptions& options = {}) {
    return DownsampleWorker::Create(dataset(), options).value();
  }
  uint64_t Generation() { return edit::VoxelGeneration(dataset()).value(); }
  // Makes one voxel of every chunk of a scale wrong.
  void Damage(int scale) {
    const volume::Volume& volume = dataset().segmentation();
    const Box bounds = volume.grid(scale).bounds;
    auto labels = volume.ReadBox(scale, bounds).value();
    labels.data()[labels.size() / 2] += 1;
    ASSERT_TRUE(volume.WriteBox(scale, bounds, std::as_const(labels).view()).ok());
  }

  std::mt19937_64 random_{TestSeed()};
  store::TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/p";
  edit::OpenProject project_;
};

TEST_F(DownsampleTest, IngestFillsEveryScale) {
  ASSERT_NO_FATAL_FAILURE(ExpectFreshScales(dataset()));
  const auto report = edit::Fsck(dataset(), {}, Progress::Silent());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->clean());
  EXPECT_GT(report->checked[7], 3);
  const uint64_t before = Generation();
  EXPECT_EQ(Worker()->FillScales(Progress::Silent())->chunks_written, 0);
  EXPECT_EQ(Generation(), before);
}

TEST_F(DownsampleTest, FollowsEditsAndNothingElse) {
  ASSERT_NO_FATAL_FAILURE(EditUntilVoxelsChange(project_, random_(), 3));
  edit::ExpectClean(dataset());  // the queue is not empty: what is stale is no finding
  const DownsampleQueue queue = ReadDownsampleQueue(dataset()).value();
  EXPECT_GE(queue.events, 3);
  EXPECT_GE(queue.boxes.size(), 3U);
  const auto done = Worker()->Drain();
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(done->events, queue.events);
  EXPECT_GT(done->chunks_written, 0);
  ASSERT_NO_FATAL_FAILURE(ExpectFreshScales(dataset()));
  EXPECT_EQ(ReadDownsampleQueue(dataset())->events, 0);
  edit::ExpectClean(dataset());
  const uint64_t before = Generation();
  EXPECT_EQ(Worker()->Drain()->events, 0);
  EXPECT_EQ(Generation(), before) << "nothing new, and a version all the same";
}

TEST_F(DownsampleTest, WritesOnlyChunksThatChange) {
  ASSERT_NO_FATAL_FAILURE(EditUntilVoxelsChange(project_, random_(), 1));
  const std::vector<Box> boxes = ReadDownsampleQueue(dataset())->boxes;
  const auto downsampler = Downsampler::Create(dataset(), {}).value();
  const ocdbt::Snapshot before = dataset().database().Newest().value();
  ASSERT_TRUE(downsampler->Update(boxes).ok());
  EXPECT_EQ(downsampler->Update(boxes)->chunks_written, 0);
  const ocdbt::Snapshot after = dataset().database().Newest().value();
  const volume::Volume& volume = dataset().segmentation();
  for (int scale = 0; scale < volume.scale_count(); ++scale) {
    for (const ChunkPoint chunk : volume.grid(scale).ChunksOver(volume.grid(scale).bounds)) {
      const std::string key = volume.ChunkKey(scale, chunk);
      const bool is_over = std::ranges::any_of(boxes, [&](const Box& box) {
        return !Intersect(downsampler->blocks().AtScale(box, scale), volume.grid(scale).BoxOf(chunk)).empty();
      });
      if (scale == 0 || !is_over) {
        EXPECT_EQ(before.KeyGeneration(key).value(), after.KeyGeneration(key).value()) << key;
      }
    }
  }
}

TEST_F(DownsampleTest, EveryScaleATierOfItsOwnGivesTheSame) {
  ASSERT_NO_FATAL_FAILURE(EditUntilVoxelsChange(project_, random_(), 3));
  const DownsampleOptions tiny{.memory_bytes = 1, .threads = 3};
  EXPECT_EQ(Downsampler::Create(dataset(), tiny).value()->blocks().tier_count(),
            dataset().segmentation().scale_count() - 1);
  ASSERT_TRUE(Worker(tiny)->Drain().ok());
  ASSERT_NO_FATAL_FAILURE(ExpectFreshScales(dataset()));
}

TEST_F(DownsampleTest, AStopBetweenTiersIsMendedByRunningAgain) {
  ASSERT_NO_FATAL_FAILURE(EditUntilVoxelsChange(project_, random_(), 2));
  // What a worker leaves that dies after the first tier: only the second scale follows.
  const std::vector<Box> boxes = ReadDownsampleQueue(dataset())->boxes;
  const volume::PyramidBlocks blocks = volume::PyramidBlocks::Create(dataset().segmentation().info(), 1).value();
  for (const Box& box : boxes) {
    for (const ChunkPoint position : blocks.BlocksOver(0, box)) {
      const auto parts = blocks.Downsample(dataset().segmentation(), {0, position}, box).value();
      for (const volume::ScalePart& part : parts) {
        const auto writes = volume::CompareWithStored(dataset().segmentation(), part).value();
        ASSERT_TRUE(dataset().segmentation().store().WriteBatch(writes).ok());
      }
    }
  }
  ASSERT_TRUE(Worker({.memory_bytes = 1})->Drain().ok());
  ASSERT_NO_FATAL_FAILURE(ExpectFreshScales(dataset()));
}

TEST_F(DownsampleTest, WorkersThatOverlapShareTheQueue) {
  ASSERT_NO_FATAL_FAILURE(EditUntilVoxelsChange(project_, random_(), 6));
  const int64_t events = ReadDownsampleQueue(dataset())->events;
  std::atomic<int64_t> handled = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&] {
        const auto done = Worker({.memory_bytes = 1})->Drain();
        EXPECT_TRUE(done.ok()) << done.status();
        handled += done.ok() ? done->events : 0;
      });
    }
  }
  EXPECT_GE(handled, events);  // those without voxels may be looked at by each
  ASSERT_NO_FATAL_FAILURE(ExpectFreshScales(dataset()));
  EXPECT_EQ(ReadDownsampleQueue(dataset())->events, 0);
  for (const table::RowRange& range : {table::DownsampleLockRowRange(), EventClaims::RowRange()}) {
    EXPECT_TRUE(dataset().table().ReadRange(range, {}, 0)->empty()) << "a lock or a claim is left behind";
  }
}

TEST_F(DownsampleTest, LocksOfADeadWorkerExpireOrAreGivenFree) {
  ASSERT_NO_FATAL_FAILURE(EditUntilVoxelsChange(project_, random_(), 1));
  const std::vector<Box> boxes = ReadDownsampleQueue(dataset())->boxes;
  const DownsampleOptions options{.memory_bytes = 1, .lock_expiry = absl::Milliseconds(300)};
  const auto blocks = volume::PyramidBlocks::Create(dataset().segmentation().info(), 1).value();
  const std::string keys[] = {table::DownsampleLockRowKey(1, blocks.BlocksOver(0, boxes[0]).front())};
  table::RowLocks locks(dataset().table(), Clock::System(), table::LockedRows::kChunks, absl::Milliseconds(300));
  ASSERT_TRUE(locks.Acquire(keys, 77).ok());  // and nobody renews it
  ASSERT_TRUE(Worker(options)->Drain().ok());
  ASSERT_NO_FATAL_FAILURE(ExpectFreshScales(dataset()));
  ASSERT_TRUE(locks.Acquire(keys, 78).ok());
  ASSERT_TRUE(ReleaseDeadWorkers(dataset()).ok());
  ASSERT_TRUE(locks.Acquire(keys, 79).ok());
}

TEST_F(DownsampleTest, AClaimKeepsOthersAwayUntilItEnds) {
  ASSERT_NO_FATAL_FAILURE(EditUntilVoxelsChange(project_, random_(), 1));
  const auto events = edit::ListEvents(dataset().table(), absl::InfinitePast(), 0).value();
  EventClaims first(dataset().table(), Clock::System(), "group", absl::Minutes(1));
  EventClaims second(dataset().table(), Clock::System(), "group", absl::Minutes(1));
  EventClaims other(dataset().table(), Clock::System(), "another", absl::Minutes(1));
  EXPECT_EQ(first.Claim(events, 1)->size(), 1U);
  EXPECT_EQ(second.Claim({events[0]}, 1)->size(), 0U);
  EXPECT_EQ(other.Claim({events[0]}, 1)->size(), 1U);
  ASSERT_TRUE(first.Finish().ok());
  EXPECT_EQ(second.Claim({events[0]}, 1)->size(), 0U) << "it has been handled";
  EXPECT_EQ(second.Handled(events)->size(), 1U);
}

TEST_F(DownsampleTest, FsckFindsAWrongScaleAndFillingMendsIt) {
  for (int scale = 1; scale < dataset().segmentation().scale_count(); ++scale) {
    ASSERT_NO_FATAL_FAILURE(Damage(scale));
  }
  const auto report = edit::Fsck(dataset(), {}, Progress::Silent());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_GE(report->found[7], dataset().segmentation().scale_count() - 1);
  EXPECT_EQ(report->found[7], report->total_found());
  EXPECT_GT(Worker()->FillScales(Progress::Silent())->chunks_written, 0);
  ASSERT_NO_FATAL_FAILURE(ExpectFreshScales(dataset()));
  edit::ExpectClean(dataset());
}

TEST_F(DownsampleTest, VoxelsThatARepairPutBackAreFollowed) {
  // Another program writes over the finest scale, and a worker follows it.
  const volume::Volume& volume = dataset().segmentation();
  const Box box = BoxAt(volume.grid(0).bounds.lo, {20, 20, 20});
  Array3<uint64_t> labels = volume.ReadBox(0, box).value();
  const uint64_t label = *std::max_element(labels.data(), labels.data() + labels.size());
  std::fill_n(labels.data(), labels.size() / 2, label);
  ASSERT_TRUE(volume.WriteBox(0, box, std::as_const(labels).view()).ok());
  ASSERT_TRUE(Worker()->FillScales(Progress::Silent()).ok());
  auto plan = edit::PlanRepair(dataset(), {}, Clock::System(), Progress::Silent());
  ASSERT_TRUE(plan.ok()) << plan.status();
  const auto repaired = edit::ApplyRepair(dataset(), Clock::System(), *std::move(plan), "test", {}, Progress::Silent());
  ASSERT_TRUE(repaired.ok()) << repaired.status();
  EXPECT_TRUE(repaired->after.clean());
  EXPECT_GT(Worker()->Drain()->chunks_written, 0);
  ASSERT_NO_FATAL_FAILURE(ExpectFreshScales(dataset()));
  edit::ExpectClean(dataset());
}

TEST_F(DownsampleTest, AProjectThatNeverHadScalesIsLeftAloneUntilFilled) {
  const table::RowMutation rows[] = {{"scales", {table::DeleteRow{}}}};
  ASSERT_TRUE(dataset().table().Apply(rows).ok());
  ASSERT_NO_FATAL_FAILURE(Damage(1));
  ASSERT_NO_FATAL_FAILURE(EditUntilVoxelsChange(project_, random_(), 2));
  edit::ExpectClean(dataset());
  const uint64_t before = Generation();
  EXPECT_EQ(Worker()->Drain()->events, 0);
  EXPECT_EQ(Generation(), before);
  ASSERT_TRUE(Worker()->FillScales(Progress::Silent()).ok());
  EXPECT_EQ(ReadDownsampleQueue(dataset())->events, 0);
  ASSERT_NO_FATAL_FAILURE(ExpectFreshScales(dataset()));
}

TEST_F(DownsampleTest, TheServiceFollowsSoonAndStopsWhenTold) {
  auto service = DownsampleService::Start(dataset(), {.workers = 2, .poll_period = absl::Milliseconds(5)}).value();
  ASSERT_NO_FATAL_FAILURE(EditUntilVoxelsChange(project_, random_(), 3));
  const absl::Time give_up = absl::Now() + absl::Seconds(60);
  while (ReadDownsampleQueue(dataset())->events > 0 && absl::Now() < give_up) {
    absl::SleepFor(absl::Milliseconds(5));
  }
  EXPECT_EQ(ReadDownsampleQueue(dataset())->events, 0);
  EXPECT_EQ(service->state().errors, 0) << service->state().last_error;
  service.reset();
  ASSERT_NO_FATAL_FAILURE(ExpectFreshScales(dataset()));
}

TEST(DownsampleOfOneScale, HasNothingToDoAndKeepsNoQueue) {
  std::mt19937_64 random(TestSeed());
  store::TemporaryFolder folder;
  const std::string path = folder.path() + "/p";
  const auto source = volume::MakeArraySource(edit::RandomBlobs(random, kSmallExtent, 12), {}, VoxelSizeNm{8, 8, 20});
  ingest::IngestOptions options;
  options.project_folder = path;
  options.chunk_size = {16, 16, 16};
  options.scales = 1;
  ASSERT_TRUE(ingest::IngestFrom(*source, options, Progress::Silent()).ok());
  edit::OpenProject project = edit::Open(path);
  EXPECT_EQ(project.dataset->segmentation().scale_count(), 1);
  ASSERT_NO_FATAL_FAILURE(EditUntilVoxelsChange(project, random(), 1));
  const auto worker = DownsampleWorker::Create(*project.dataset, {}).value();
  EXPECT_GT(worker->Drain()->events, 0);
  EXPECT_EQ(ReadDownsampleQueue(*project.dataset)->events, 0);
  edit::ExpectClean(*project.dataset);
}

}  // namespace
}  // namespace cleave::work
