// Goal: edits by several threads, of other and of the same objects, leave what the same edits one after the other
// would, at every time. Method: eight threads merge and split random points of one small volume, by points and by
// supervoxels, and undo and redo each other's edits; locks make some of them wait, retry or give up. Afterwards no lock
// is left, no operation is in flight, and fsck is clean at every time. Then the log is replayed in the order of its
// times on a plain model (plain_model_testing.h): at the time of each operation the same supervoxels must lie together.
// CLEAVE_TEST_SECONDS makes the threads edit for so long.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"

#include "edit/edit_testing.h"
#include "edit/operation_log.h"
#include "edit/plain_model_testing.h"
#include "edit/replay_testing.h"
#include "table/row_locks.h"
#include "volume/test_labels.h"

namespace cleave::edit {
namespace {

constexpr int kThreads = 8;
constexpr int kEditsPerThread = 10;
const Extent3 kExtent{48, 48, 32};

// Nothing: a fixed number of edits.
std::optional<absl::Duration> WishedDuration() {
  int seconds = 0;
  const char* const wish = std::getenv("CLEAVE_TEST_SECONDS");
  if (wish == nullptr) {
    return std::nullopt;
  }
  EXPECT_TRUE(absl::SimpleAtoi(wish, &seconds)) << "CLEAVE_TEST_SECONDS is no number: " << wish;
  return absl::Seconds(seconds);
}

class EditingThread {
 public:
  EditingThread(OpenProject& project, uint64_t seed) : project_(project), random_(seed) {}

  absl::StatusOr<EditReport> EditOnce() {
    const VoxelPoint p = Point();
    const VoxelPoint q = Point();
    const int64_t what = volume::Random(random_, 0, 5);
    if (what == 0) {
      const auto last = static_cast<int64_t>(OperationLog(project_.dataset->table()).ReadAll()->size());
      const InverseRequest request{
          .operation =
              graph::OperationId{static_cast<uint64_t>(volume::Random(random_, 1, std::max<int64_t>(1, last)))},
          .user = "thread"};
      return random_() % 2 == 0 ? project_.editor->Undo(request) : project_.editor->Redo(request);
    }
    if (what == 1) {
      const auto ids = project_.dataset->segmentation().ReadVoxels(0, {{p, q}});
      const graph::EdgeEnds edge{graph::NodeId{ids->front()}, graph::NodeId{ids->back()}};
      return project_.editor->Merge({.user = "thread", .edges = {edge}});
    }
    return RootAt(*project_.dataset, p) == RootAt(*project_.dataset, q)
               ? project_.editor->Split({.sources = {p}, .sinks = {q}, .user = "thread"})
               : project_.editor->Merge({.source = p, .sink = q, .user = "thread"});
  }

 private:
  VoxelPoint Point() {
    return {volume::Random(random_, 0, kExtent.x - 1), volume::Random(random_, 0, kExtent.y - 1),
            volume::Random(random_, 0, kExtent.z - 1)};
  }

  OpenProject& project_;
  std::mt19937_64 random_;
};

TEST(Concurrency, ThreadsEditAsIfOneAfterTheOther) {
  const uint64_t seed = volume::TestSeed();
  std::cout << "CLEAVE_TEST_SEED=" << seed << '\n';
  std::mt19937_64 random(seed);
  store::TemporaryFolder folder;
  const std::string path = folder.path() + "/p";
  ASSERT_NO_FATAL_FAILURE(IngestLabels(path, RandomBlobs(random, kExtent, 16),
                                       {.chunk_size = {16, 16, 16}, .voxel_size_nm = kModelVoxelSize}));
  EditorOptions options;
  options.lock_tries = 40;
  options.lock_wait = absl::Milliseconds(20);
  OpenProject project = Open(path, options);
  ASSERT_NE(project.editor, nullptr);
  PlainModel model(*project.dataset);
  Array3<uint64_t> labels = ExportSupervoxels(*project.dataset);

  std::atomic<int> done = 0;
  std::atomic<int> gave_up = 0;
  const std::optional<absl::Duration> duration = WishedDuration();
  const absl::Time end = absl::Now() + duration.value_or(absl::ZeroDuration());
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, thread_seed = random()] {
      EditingThread editing(project, thread_seed);
      for (int i = 0; duration.has_value() ? absl::Now() < end : i < kEditsPerThread; ++i) {
        const auto report = editing.EditOnce();
        if (report.ok()) {
          ++done;
        } else if (absl::IsUnavailable(report.status()) || absl::IsAborted(report.status())) {
          ++gave_up;
        } else {
          EXPECT_TRUE(absl::IsFailedPrecondition(report.status()) || absl::IsInvalidArgument(report.status()) ||
                      absl::IsNotFound(report.status()))
              << report.status();
        }
      }
    });
  }
  threads.clear();
  std::cout << done << " edits done, " << gave_up << " gave up waiting for locks\n";
  EXPECT_GT(done, kThreads);

  table::Table& table = project.dataset->table();
  const auto locks = table::ListLocks(table, {.begin = "", .end = ""});
  ASSERT_TRUE(locks.ok()) << locks.status();
  EXPECT_TRUE(locks->empty()) << "row " << locks->front().key << " is locked";
  EXPECT_TRUE(OperationLog(table).ListInFlight()->empty());
  ExpectClean(*project.dataset);

  absl::StatusOr<std::vector<OperationRecord>> log = OperationLog(table).ReadAll();
  ASSERT_TRUE(log.ok()) << log.status();
  for (const OperationRecord& record : *log) {
    EXPECT_TRUE(record.status == OperationStatus::kSuccess || record.status == OperationStatus::kException)
        << "operation " << Value(record.id) << " is " << Name(record.status);
  }
  std::erase_if(*log, [](const OperationRecord& record) { return record.status != OperationStatus::kSuccess; });
  EXPECT_EQ(log->size(), static_cast<size_t>(done.load()));
  std::ranges::sort(*log, {}, &OperationRecord::time);
  for (const OperationRecord& record : *log) {
    ASSERT_NO_FATAL_FAILURE(Replay(*project.dataset, record, model, labels)) << "seed " << seed;
    ASSERT_FALSE(testing::Test::HasFailure()) << "operation " << Value(record.id);
  }
}

}  // namespace
}  // namespace cleave::edit
