// Goal: what is read at the safe time never changes, and the safe time goes on as operations end.
// Method: each state of an operation in flight by example; then threads that commit through the log as sessions do,
// slowed down at random in between, while others ask for the safe time and note what is visible at it. In the end
// nothing may have been added to any note.
#include "edit/safe_time.h"

#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "absl/time/clock.h"
#include "gtest/gtest.h"

#include "base/test_scale.h"
#include "edit/operation_log.h"
#include "table/embedded_table.h"
#include "table/memory_table.h"
#include "table/serializers.h"
#include "table/test_table.h"

namespace cleave::edit {
namespace {

using graph::OperationId;

constexpr absl::Duration kMs = absl::Milliseconds(1);

InFlight InFlightOf(OperationId id) {
  InFlight operation;
  operation.id = id;
  return operation;
}

class SafeTimeTest : public testing::Test {
 protected:
  absl::Time Safe() { return FindSafeTime(table_, clock_, ingested_)->time; }
  void Write(OperationId id, OperationStatus status, absl::Time time) {
    OperationRecord record;
    record.id = id;
    record.status = status;
    record.time = time;
    ASSERT_TRUE(log_.Write(record).ok());
  }

  table::TestClock clock_;
  table::MemoryTable table_{clock_};
  OperationLog log_{table_};
  const absl::Time ingested_ = clock_.Now() - absl::Hours(1);
};

TEST_F(SafeTimeTest, IsNowWhereNothingIsInFlight) {
  EXPECT_EQ(Safe(), clock_.Now());
  EXPECT_FALSE(FindSafeTime(table_, clock_, ingested_)->held_by.has_value());
  EXPECT_EQ(log_.NextCommitTime(clock_.Now()).value(), clock_.Now() + kMs) << "given a time that was said to be safe";
  clock_.Advance(-absl::Minutes(5));  // a clock that goes back takes nothing back
  EXPECT_EQ(Safe(), clock_.Now() + absl::Minutes(5) + kMs);
}

TEST_F(SafeTimeTest, StaysBelowOperationsInFlight) {
  const OperationId id{7};
  const absl::Time first = log_.NextCommitTime(clock_.Now()).value();
  clock_.Advance(absl::Seconds(10));
  ASSERT_TRUE(log_.WriteInFlight(InFlightOf(id)).ok());
  EXPECT_EQ(Safe(), first) << "no row yet: the operation may have a time already";
  Write(id, OperationStatus::kCreated, clock_.Now());
  clock_.Advance(absl::Seconds(10));
  EXPECT_EQ(Safe(), first);
  EXPECT_EQ(FindSafeTime(table_, clock_, ingested_)->held_by, id);
  const absl::Time commit = log_.NextCommitTime(clock_.Now()).value();
  EXPECT_EQ(Safe(), first) << "a time was given, and the row does not say so yet";
  Write(id, OperationStatus::kWriteStarted, commit);
  clock_.Advance(absl::Seconds(10));
  EXPECT_EQ(Safe(), commit - kMs);
  Write(id, OperationStatus::kSuccess, commit);
  EXPECT_EQ(Safe(), clock_.Now()) << "visible, though the row in flight is still there";
  ASSERT_TRUE(log_.RemoveInFlight(id).ok());
  EXPECT_EQ(Safe(), clock_.Now());
}

TEST_F(SafeTimeTest, IsNeverBeforeIngest) {
  ASSERT_TRUE(log_.WriteInFlight(InFlightOf(OperationId{1})).ok());
  EXPECT_EQ(Safe(), ingested_);
  Write(OperationId{1}, OperationStatus::kException, clock_.Now());
  EXPECT_EQ(Safe(), clock_.Now()) << "an operation that failed holds nothing";
}

TEST_F(SafeTimeTest, AnOperationThatTriesAgainMovesOn) {
  ASSERT_TRUE(log_.WriteInFlight(InFlightOf(OperationId{1})).ok());
  const absl::Time other = log_.NextCommitTime(clock_.Now()).value();
  ASSERT_TRUE(log_.WriteInFlight(InFlightOf(OperationId{1})).ok());
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(Safe(), other);
}

TEST(SafeTimeRace, NothingAppearsAtOrBeforeATimeThatWasSafe) {
  const uint64_t seed = table::TestSeed();
  SCOPED_TRACE(testing::Message() << "CLEAVE_TEST_SEED=" << seed);
  const table::TestFolder folder;
  const auto table = table::EmbeddedTable::Open(folder.path() + "/table", {.create_if_missing = true}).value();
  const table::Column visible{"0", "visible"};
  constexpr int kWriters = 4;
  const int operations = SmallTests() ? 40 : 150;
  std::atomic<uint64_t> next_id = 1;
  std::atomic<int> writers_left = kWriters;
  std::vector<std::thread> threads;
  for (int writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([&, writer] {
      std::mt19937_64 random(seed + static_cast<uint64_t>(writer));
      const auto dawdle = [&] {
        if (random() % 2 == 0) {
          absl::SleepFor(absl::Microseconds(random() % 3000));
        }
      };
      OperationLog log(table->ordered());
      for (int i = 0; i < operations; ++i) {
        OperationRecord record;
        record.id = OperationId{next_id++};
        ASSERT_TRUE(log.WriteInFlight(InFlightOf(record.id)).ok());
        record.time = absl::Now();
        ASSERT_TRUE(log.Write(record).ok());
        dawdle();
        record.time = log.NextCommitTime(absl::Now()).value();
        dawdle();
        record.status = OperationStatus::kWriteStarted;
        ASSERT_TRUE(log.Write(record).ok());
        dawdle();
        record.status = OperationStatus::kSuccess;
        const table::RowMutation flip[] = {OperationLog::RowOf(record),
                                           {"zone", {table::SetCell{visible, record.time, "x"}}}};
        ASSERT_TRUE(table->ordered().Apply(flip).ok());
        dawdle();
        ASSERT_TRUE(log.RemoveInFlight(record.id).ok());
      }
      --writers_left;
    });
  }
  const auto cells_at = [&](absl::Time time) {
    const table::Row row = table->ReadRow("zone", {.columns = {visible}, .end = time, .end_inclusive = true}).value();
    const auto cells = row.cells.find(visible);
    return cells == row.cells.end() ? size_t{0} : cells->second.size();
  };
  std::mutex mutex;
  std::map<absl::Time, size_t> noted;
  for (int asker = 0; asker < 2; ++asker) {
    threads.emplace_back([&] {
      while (writers_left > 0) {
        const absl::Time safe = FindSafeTime(table->ordered(), Clock::System(), absl::UnixEpoch())->time;
        const size_t count = cells_at(safe);
        const std::lock_guard lock(mutex);
        const auto [known, is_new] = noted.try_emplace(safe, count);
        EXPECT_EQ(known->second, count) << "the same time, read twice";
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_GT(noted.size(), 3u) << "the safe time stood still";
  for (const auto& [time, count] : noted) {
    ASSERT_EQ(cells_at(time), count) << "something appeared at or before " << time;
  }
  const SafeTime last = FindSafeTime(*table, Clock::System(), absl::UnixEpoch()).value();
  EXPECT_EQ(cells_at(last.time), static_cast<size_t>(kWriters * operations));
}

}  // namespace
}  // namespace cleave::edit
