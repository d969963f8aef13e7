// Goal: edits by several threads, of other and of the same objects, leave what the same edits one after the other
// would. Method: eight threads merge and split random points of one small volume; locks make some of them wait, retry
// or give up. Afterwards no lock is left and fsck is clean at every time. Then the log is replayed in the order of its
// times, on a fresh copy of the project: the same voxels must lie together.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <thread>

#include "gtest/gtest.h"

#include "edit/edit_testing.h"
#include "edit/operation_log.h"
#include "volume/test_labels.h"

namespace cleave::edit {
namespace {

// Every voxel's object, named by the first voxel of it.
std::vector<int64_t> Objects(graph::Dataset& dataset) {
  const Array3<uint64_t> supervoxels = ExportSupervoxels(dataset);
  const std::map<uint64_t, uint64_t> root_of = RootsOf(dataset, supervoxels);
  std::map<uint64_t, int64_t> first;
  std::vector<int64_t> objects(static_cast<size_t>(supervoxels.size()), -1);
  for (int64_t i = 0; i < supervoxels.size(); ++i) {
    if (const uint64_t id = supervoxels.data()[i]; id != 0) {
      objects[static_cast<size_t>(i)] = first.try_emplace(root_of.at(id), i).first->second;
    }
  }
  return objects;
}

TEST(Concurrency, ThreadsEditAsIfOneAfterTheOther) {
  constexpr int kThreads = 8;
  constexpr int kEditsPerThread = 8;
  const uint64_t seed = volume::TestSeed();
  std::mt19937_64 random(seed);
  store::TemporaryFolder folder;
  const Extent3 extent{48, 48, 32};
  const std::string path = folder.path() + "/p";
  ASSERT_NO_FATAL_FAILURE(IngestLabels(path, RandomBlobs(random, extent, 16), {.chunk_size = {16, 16, 16}}));
  const std::string fresh = folder.path() + "/fresh";
  std::filesystem::copy(path, fresh, std::filesystem::copy_options::recursive);
  EditorOptions options;
  options.lock_tries = 40;
  options.lock_wait = absl::Milliseconds(20);
  OpenProject project = Open(path, options);
  ASSERT_NE(project.editor, nullptr);

  std::atomic<int> done = 0;
  std::atomic<int> gave_up = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, thread_seed = random()] {
      std::mt19937_64 mine(thread_seed);
      for (int i = 0; i < kEditsPerThread; ++i) {
        const auto point = [&]() -> VoxelPoint {
          return {volume::Random(mine, 0, extent.x - 1), volume::Random(mine, 0, extent.y - 1),
                  volume::Random(mine, 0, extent.z - 1)};
        };
        const VoxelPoint p = point();
        const VoxelPoint q = point();
        const bool together = RootAt(*project.dataset, p) == RootAt(*project.dataset, q);
        const auto report =
            together ? project.editor->Split({{p}, {q}, "thread"}) : project.editor->Merge({p, q, "thread"});
        if (report.ok()) {
          ++done;
        } else if (absl::IsUnavailable(report.status()) || absl::IsAborted(report.status())) {
          ++gave_up;
        } else {
          EXPECT_TRUE(absl::IsFailedPrecondition(report.status()) || absl::IsInvalidArgument(report.status()))
              << report.status();
        }
      }
    });
  }
  threads.clear();
  std::cout << done << " edits done, " << gave_up << " gave up waiting for locks\n";
  EXPECT_GT(done, kThreads);
  ExpectClean(*project.dataset);

  absl::StatusOr<std::vector<OperationRecord>> log = OperationLog(project.dataset->table()).ReadAll();
  ASSERT_TRUE(log.ok()) << log.status();
  std::erase_if(*log, [](const OperationRecord& record) { return record.status != OperationStatus::kSuccess; });
  EXPECT_EQ(log->size(), static_cast<size_t>(done.load()));
  std::ranges::sort(*log, {}, [](const OperationRecord& record) { return record.time; });
  OpenProject replay = Open(fresh);
  ASSERT_NE(replay.editor, nullptr);
  for (const OperationRecord& record : *log) {
    const auto report = record.kind == OperationKind::kSplit
                            ? replay.editor->Split({record.sources, record.sinks, "replay"})
                            : replay.editor->Merge({record.sources[0], record.sinks[0], "replay"});
    ASSERT_TRUE(report.ok()) << "seed " << seed << ", operation " << Value(record.id) << ": " << report.status();
  }
  EXPECT_EQ(Objects(*replay.dataset), Objects(*project.dataset)) << "seed " << seed;
}

}  // namespace
}  // namespace cleave::edit
