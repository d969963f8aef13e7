// Goal: the rules of row_locks.h, one test each.
// Method: a clock that the test moves, on the memory and the embedded engine. Peers' habits (several lock cells in one
// column) are played by writing the cells directly.
#include "table/row_locks.h"

#include <atomic>
#include <memory>
#include <thread>

#include "gtest/gtest.h"

#include "table/columns.h"
#include "table/embedded_table.h"
#include "table/memory_table.h"
#include "table/serializers.h"
#include "table/test_table.h"

namespace cleave::table {
namespace {

constexpr auto kOk = absl::StatusCode::kOk;
constexpr auto kUnavailable = absl::StatusCode::kUnavailable;
constexpr auto kAborted = absl::StatusCode::kAborted;

class RowLocksTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) {
      table_ = EmbeddedTable::Open(folder_.path(), {.create_if_missing = true, .clock = &clock_}).value();
    } else {
      table_ = std::make_unique<MemoryTable>(clock_);
    }
    roots_ = std::make_unique<RowLocks>(*table_, clock_, LockedRows::kRoots);
    chunks_ = std::make_unique<RowLocks>(*table_, clock_, LockedRows::kChunks);
  }
  void Set(const std::string& key, const Column& column, absl::Time time, const std::string& value) {
    const RowMutation mutation[] = {{key, {SetCell{column, time, value}}}};
    ASSERT_TRUE(table_->Apply(mutation).ok());
  }
  void Supersede(const std::string& key) {
    Set(key, columns::kNewParent, clock_.Now(), EncodeArray(std::vector<uint64_t>{9}));
  }
  RowLockState State(const std::string& key) {
    const std::string keys[] = {key};
    return ReadLocks(*table_, keys)->front();
  }

  TestFolder folder_;
  TestClock clock_;
  std::unique_ptr<Table> table_;
  std::unique_ptr<RowLocks> roots_;
  std::unique_ptr<RowLocks> chunks_;
  const std::vector<std::string> x_ = {"x"};
  const std::vector<std::string> xyz_ = {"z", "x", "y", "x"};
};

INSTANTIATE_TEST_SUITE_P(Engines, RowLocksTest, testing::Bool(),
                         [](const auto& engine) { return engine.param ? "Embedded" : "Memory"; });

TEST_P(RowLocksTest, AHeldLockRefusesOthersAndItsOwnHolder) {
  EXPECT_EQ(roots_->Acquire(x_, 1).code(), kOk);
  EXPECT_EQ(roots_->Acquire(x_, 2).code(), kUnavailable);
  EXPECT_EQ(roots_->Acquire(x_, 1).code(), kUnavailable);
  EXPECT_EQ(State("x").temporal, (LockHolder{1, clock_.Now()}));
}

TEST_P(RowLocksTest, TheRefusalNamesRowHolderAndTime) {
  ASSERT_TRUE(roots_->Acquire(x_, 17).ok());
  EXPECT_EQ(roots_->Acquire(x_, 2).message(), "row x locked by operation 17 since 2023-11-14T22:13:20+00:00");
}

TEST_P(RowLocksTest, AReleasedLockCanBeTaken) {
  ASSERT_TRUE(roots_->Acquire(x_, 1).ok());
  EXPECT_EQ(roots_->Release(x_, 1).code(), kOk);
  EXPECT_EQ(State("x").temporal, std::nullopt);
  EXPECT_EQ(roots_->Acquire(x_, 2).code(), kOk);
}

TEST_P(RowLocksTest, AnExpiredLockCanBeTakenExactlyAtItsExpiry) {
  ASSERT_TRUE(roots_->Acquire(x_, 1).ok());
  clock_.Advance(kLockExpiry - absl::Milliseconds(1));
  EXPECT_EQ(roots_->Acquire(x_, 2).code(), kUnavailable);
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(roots_->Acquire(x_, 2).code(), kOk);
}

TEST_P(RowLocksTest, ReleaseByAnotherChangesNothing) {
  ASSERT_TRUE(roots_->Acquire(x_, 1).ok());
  EXPECT_EQ(roots_->Release(x_, 2).code(), kOk);
  EXPECT_EQ(State("x").temporal->operation_id, 1u);
}

TEST_P(RowLocksTest, AStolenLockIsNotReleasedByItsFirstHolder) {
  ASSERT_TRUE(roots_->Acquire(x_, 1).ok());
  clock_.Advance(kLockExpiry);
  ASSERT_TRUE(roots_->Acquire(x_, 2).ok());
  EXPECT_EQ(roots_->Release(x_, 1).code(), kOk);
  EXPECT_EQ(State("x").temporal->operation_id, 2u);
}

TEST_P(RowLocksTest, RenewalProlongs) {
  ASSERT_TRUE(roots_->Acquire(x_, 1).ok());
  clock_.Advance(absl::Minutes(2));
  EXPECT_EQ(roots_->Renew(x_, 1).code(), kOk);
  clock_.Advance(absl::Minutes(2));
  EXPECT_EQ(roots_->Acquire(x_, 2).code(), kUnavailable);
}

TEST_P(RowLocksTest, OnlyThePresentHolderRenews) {
  EXPECT_EQ(roots_->Renew(x_, 1).code(), kAborted);  // nobody holds it
  ASSERT_TRUE(roots_->Acquire(x_, 1).ok());
  EXPECT_EQ(roots_->Renew(x_, 2).code(), kAborted);
  clock_.Advance(kLockExpiry);
  EXPECT_EQ(roots_->Renew(x_, 1).code(), kOk);  // expired, but nobody took it meanwhile
  clock_.Advance(kLockExpiry);
  ASSERT_TRUE(roots_->Acquire(x_, 2).ok());
  EXPECT_EQ(roots_->Renew(x_, 1).code(), kAborted);
  ASSERT_TRUE(roots_->Release(x_, 2).ok());
  EXPECT_EQ(roots_->Renew(x_, 1).code(), kAborted);  // lost once is lost
}

TEST_P(RowLocksTest, RenewalLooksAtTheNewestCellOnly) {
  // A peer leaves the cells of earlier holders in the column.
  Set("x", columns::kLock, clock_.Now() - absl::Minutes(4), EncodeIdText(1));
  Set("x", columns::kLock, clock_.Now(), EncodeIdText(2));
  EXPECT_EQ(chunks_->Renew(x_, 1).code(), kAborted);
  EXPECT_EQ(chunks_->Release(x_, 1).code(), kOk);
  EXPECT_EQ(State("x").temporal->operation_id, 2u);
  EXPECT_EQ(chunks_->Renew(x_, 2).code(), kOk);
}

TEST_P(RowLocksTest, AnIndefiniteLockNeedsTheTemporalOne) {
  EXPECT_EQ(roots_->AcquireIndefinite(x_, 1).code(), kAborted);
  ASSERT_TRUE(roots_->Acquire(x_, 1).ok());
  EXPECT_EQ(roots_->AcquireIndefinite(x_, 2).code(), kAborted);
  EXPECT_EQ(roots_->AcquireIndefinite(x_, 1).code(), kOk);
  EXPECT_EQ(roots_->AcquireIndefinite(x_, 1).code(), kUnavailable);
  EXPECT_EQ(State("x").indefinite, (LockHolder{1, clock_.Now()}));
}

TEST_P(RowLocksTest, AnIndefiniteLockBlocksAfterTheTemporalHasExpired) {
  ASSERT_TRUE(chunks_->Acquire(x_, 1).ok());
  ASSERT_TRUE(chunks_->AcquireIndefinite(x_, 1).ok());
  clock_.Advance(absl::Hours(1000));
  EXPECT_EQ(chunks_->Acquire(x_, 2).code(), kUnavailable);
  ASSERT_TRUE(chunks_->Release(x_, 1).ok());
  const absl::Status refusal = chunks_->Acquire(x_, 2);
  EXPECT_NE(refusal.message().find("locked by operation 1 since"), absl::string_view::npos) << refusal;
}

TEST_P(RowLocksTest, AnIndefiniteLockIsReleasedByValueOnly) {
  ASSERT_TRUE(chunks_->Acquire(x_, 1).ok());
  ASSERT_TRUE(chunks_->AcquireIndefinite(x_, 1).ok());
  EXPECT_EQ(chunks_->ReleaseIndefinite(x_, 2).code(), kOk);
  EXPECT_EQ(State("x").indefinite->operation_id, 1u);
  EXPECT_EQ(chunks_->ReleaseIndefinite(x_, 1).code(), kOk);
  EXPECT_EQ(State("x").indefinite, std::nullopt);
  EXPECT_EQ(State("x").temporal->operation_id, 1u);
}

TEST_P(RowLocksTest, SupersededRootsAreNeitherLockedNorRenewed) {
  ASSERT_TRUE(roots_->Acquire(x_, 1).ok());
  Supersede("x");
  EXPECT_EQ(roots_->Renew(x_, 1).code(), kAborted);
  EXPECT_EQ(roots_->AcquireIndefinite(x_, 1).code(), kAborted);
  ASSERT_TRUE(roots_->Release(x_, 1).ok());
  const absl::Status refusal = roots_->Acquire(x_, 2);
  EXPECT_EQ(refusal.code(), kAborted);
  EXPECT_NE(refusal.message().find("superseded"), absl::string_view::npos) << refusal;
  EXPECT_EQ(chunks_->Acquire(x_, 2).code(), kOk);  // other rows have no lineage
}

TEST_P(RowLocksTest, AllRowsOrNone) {
  const std::vector<std::string> y = {"y"};
  ASSERT_TRUE(roots_->Acquire(y, 1).ok());
  EXPECT_EQ(roots_->Acquire(xyz_, 2).code(), kUnavailable);
  EXPECT_EQ(State("x").temporal, std::nullopt);
  EXPECT_EQ(State("y").temporal->operation_id, 1u);
  EXPECT_EQ(State("z").temporal, std::nullopt);
  ASSERT_TRUE(roots_->Release(y, 1).ok());
  EXPECT_EQ(roots_->Acquire(xyz_, 2).code(), kOk);
  EXPECT_EQ(State("z").temporal->operation_id, 2u);
}

TEST_P(RowLocksTest, AllIndefiniteLocksOrNone) {
  ASSERT_TRUE(chunks_->Acquire(xyz_, 2).ok());
  Set("y", columns::kIndefiniteLock, clock_.Now(), EncodeIdText(1));  // left by a crash
  EXPECT_EQ(chunks_->AcquireIndefinite(xyz_, 2).code(), kUnavailable);
  EXPECT_EQ(State("x").indefinite, std::nullopt);
  EXPECT_EQ(State("y").indefinite->operation_id, 1u);
  EXPECT_EQ(State("z").indefinite, std::nullopt);
}

TEST_P(RowLocksTest, RacesForOverlappingRowsNeverHaveTwoHolders) {
  std::atomic<int> holders = 0;
  std::atomic<int> rounds_won = 0;
  std::vector<std::thread> threads;
  for (uint64_t operation = 1; operation <= 4; ++operation) {
    threads.emplace_back([&, operation] {
      const std::vector<std::string> rows = {"common", "row" + std::to_string(operation % 2)};
      for (int round = 0; round < 25; ++round) {
        if (roots_->Acquire(rows, operation).ok()) {
          EXPECT_EQ(holders.fetch_add(1), 0);
          ++rounds_won;
          EXPECT_TRUE(roots_->AcquireIndefinite(rows, operation).ok());
          EXPECT_TRUE(roots_->ReleaseIndefinite(rows, operation).ok());
          holders.fetch_sub(1);
          EXPECT_TRUE(roots_->Release(rows, operation).ok());
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_GT(rounds_won, 0);
  EXPECT_TRUE(ListLocks(*table_, {"", ""})->empty());
}

TEST_P(RowLocksTest, ListsWhoHoldsWhat) {
  const std::vector<std::string> chunk_keys = {ChunkLockRowKey(5), ChunkLockRowKey(6)};
  ASSERT_TRUE(chunks_->Acquire(chunk_keys, 3).ok());
  ASSERT_TRUE(chunks_->AcquireIndefinite(chunk_keys, 3).ok());
  ASSERT_TRUE(roots_->Acquire(x_, 4).ok());
  const std::vector<RowLockState> states = ListLocks(*table_, ChunkLockRowRange()).value();
  ASSERT_EQ(states.size(), 2u);
  EXPECT_EQ(states[0].indefinite, (LockHolder{3, clock_.Now()}));
  EXPECT_EQ(ListLocks(*table_, {"", ""})->size(), 3u);
}

TEST_P(RowLocksTest, ADamagedLockCellIsDataLoss) {
  Set("x", columns::kLock, clock_.Now(), "nobody");
  EXPECT_EQ(ReadLocks(*table_, x_).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(roots_->Acquire(x_, 1).code(), absl::StatusCode::kDataLoss);
}

TEST_P(RowLocksTest, NoRowsAreNoTrouble) {
  EXPECT_EQ(roots_->Acquire({}, 1).code(), kOk);
  EXPECT_EQ(roots_->Renew({}, 1).code(), kOk);
  EXPECT_EQ(roots_->AcquireIndefinite({}, 1).code(), kOk);
  EXPECT_EQ(roots_->Release({}, 1).code(), kOk);
}

}  // namespace
}  // namespace cleave::table
