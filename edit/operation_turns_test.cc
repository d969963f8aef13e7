// Goal: of two steps of an operation that do not go together, one is refused, whoever comes first; and a step may be
// repeated where operation_turns.h says so.
// Method: each step on each state of a row, against a table of what is allowed; then random steps of many actors
// against a few lines that say the same in another way.
#include "edit/operation_turns.h"

#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

#include "absl/strings/numbers.h"
#include "gtest/gtest.h"

#include "edit/block_rows_testing.h"

namespace cleave::edit {
namespace {

using graph::OperationId;

class OperationTurnsTest : public BlockRows {
 protected:
  OperationRecord Record(OperationId id, OperationStatus status) {
    OperationRecord record;
    record.id = id;
    record.status = status;
    record.time = absl::Now();
    return record;
  }
  table::Table& table() { return dataset().table(); }
  bool Begin(OperationId id) { return WriteUncommitted(table(), Record(id, OperationStatus::kCreated)).value(); }
  bool Abandon(OperationId id) { return WriteUncommitted(table(), Record(id, OperationStatus::kException)).value(); }
  bool Commit(OperationId id) { return WriteCommitted(table(), Record(id, OperationStatus::kWriteStarted)).value(); }
  bool Flip(OperationId id) { return ClaimFlip(table(), id).value(); }
  bool Revert(OperationId id) { return ClaimTakeBack(table(), id).value(); }
  void End(OperationId id, OperationStatus status) {
    const table::RowMutation rows[] = {EndedRow(Record(id, status))};
    ASSERT_TRUE(table().Apply(rows).ok());
  }
};

TEST_F(OperationTurnsTest, EachStepOnEachState) {
  const OperationId id{501};
  EXPECT_FALSE(Commit(id)) << "of an operation that was not begun";
  EXPECT_TRUE(Begin(id));
  EXPECT_TRUE(Begin(id));
  EXPECT_FALSE(Revert(id)) << "there is nothing to take back yet";
  EXPECT_TRUE(Commit(id));
  EXPECT_FALSE(Begin(id) || Abandon(id) || Commit(id));
  EXPECT_TRUE(Flip(id));
  EXPECT_TRUE(Flip(id));
  EXPECT_FALSE(Revert(id));
  End(id, OperationStatus::kSuccess);
  EXPECT_FALSE(Begin(id) || Abandon(id) || Commit(id) || Revert(id));
  EXPECT_EQ(ReadClaim(table(), id).value(), Claim::kNone);
}

TEST_F(OperationTurnsTest, AbandonedIsNotCommitted) {
  const OperationId id{502};
  EXPECT_TRUE(Begin(id) && Abandon(id));
  EXPECT_FALSE(Begin(id) || Commit(id) || Flip(id) || Revert(id) || Abandon(id));
  EXPECT_EQ(Logged(id).status, OperationStatus::kException);
}

TEST_F(OperationTurnsTest, TakenBackIsNotFlipped) {
  const OperationId id{503};
  EXPECT_TRUE(Begin(id) && Commit(id) && Revert(id) && Revert(id));
  EXPECT_EQ(Logged(id).status, OperationStatus::kWriteFailed);
  EXPECT_FALSE(Flip(id) || Abandon(id) || Commit(id));
  End(id, OperationStatus::kException);
  EXPECT_FALSE(Flip(id) || Revert(id) || Commit(id));
}

TEST_F(OperationTurnsTest, RandomStepsNeverGoBothWays) {
  uint64_t seed = std::random_device()();
  if (const char* text = std::getenv("CLEAVE_TEST_SEED")) {
    ASSERT_TRUE(absl::SimpleAtoi(text, &seed));
  }
  std::cout << "CLEAVE_TEST_SEED=" << seed << '\n';
  std::mt19937_64 random(seed);
  for (uint64_t number = 600; number < 640; ++number) {
    SCOPED_TRACE(number);
    const OperationId id{number};
    bool begun = false, abandoned = false, committed = false, flips = false, reverts = false;
    for (int step = 0; step < 12; ++step) {
      switch (random() % 5) {
        case 0:
          EXPECT_EQ(Begin(id), !abandoned && !committed);
          begun = begun || (!abandoned && !committed);
          break;
        case 1:
          EXPECT_EQ(Abandon(id), !abandoned && !committed);
          abandoned = abandoned || !committed;
          break;
        case 2: {
          const bool may = begun && !abandoned && !committed;
          EXPECT_EQ(Commit(id), may);
          committed = committed || may;
          break;
        }
        case 3:
          if (committed) {
            EXPECT_EQ(Flip(id), !reverts);
            flips = flips || !reverts;
          }
          break;
        default:
          if (committed) {
            EXPECT_EQ(Revert(id), !flips);
            reverts = reverts || !flips;
          }
      }
      EXPECT_FALSE(abandoned && committed);
      EXPECT_FALSE(flips && reverts);
    }
  }
}

}  // namespace
}  // namespace cleave::edit
