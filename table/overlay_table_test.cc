// Goal: an overlay reads as if its changes stood in the table, whatever the filter.
// Method: random changes are split between a base table and an overlay on it; a table that got all of them is the
// oracle. Special cases follow as examples.
#include "table/overlay_table.h"

#include <thread>

#include "gtest/gtest.h"

#include "table/memory_table.h"
#include "table/test_table.h"

namespace cleave::table {
namespace {

const Column kFirst{"0", "a"};

std::string Values(const TableReader& table, const Filter& filter) {
  const Row row = table.ReadRow("r", filter).value();
  std::string values;
  if (const auto it = row.cells.find(kFirst); it != row.cells.end()) {
    for (const Cell& cell : it->second) {
      values += cell.value + " ";
    }
  }
  return values;
}

class OverlayTest : public testing::Test {
 protected:
  void SetUp() override {
    const RowMutation stored[] = {
        {"r", {SetCell{kFirst, Ms(10), "10"}, SetCell{kFirst, Ms(20), "20"}, SetCell{kFirst, Ms(30), "30"}}}};
    ASSERT_TRUE(base_.Apply(stored).ok());
  }
  void Add(std::vector<Change> changes) {
    const RowMutation mutation[] = {{"r", std::move(changes)}};
    ASSERT_TRUE(overlay_.Add(mutation).ok());
  }

  TestClock clock_;
  MemoryTable base_{clock_};
  OverlayTable overlay_{base_, Ms(100)};
};

TEST_F(OverlayTest, RandomChangesReadAsIfTheyWereApplied) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(testing::Message() << "CLEAVE_TEST_SEED=" << seed);
  RandomTable random(seed);
  for (int round = 0; round < 60; ++round) {
    MemoryTable base(clock_);
    MemoryTable oracle(clock_);
    for (size_t count = random.Below(12); count > 0; --count) {
      const std::vector<RowMutation> mutations = random.Mutations();
      ASSERT_TRUE(base.Apply(mutations).ok());
      ASSERT_TRUE(oracle.Apply(mutations).ok());
    }
    clock_.Advance(absl::Milliseconds(random.Below(3)));
    OverlayTable overlay(base, clock_.Now());
    for (size_t count = random.Below(8); count > 0; --count) {
      const std::vector<RowMutation> mutations = random.Mutations();
      ASSERT_TRUE(overlay.Add(mutations).ok());
      ASSERT_TRUE(oracle.Apply(mutations).ok());
      for (int read = 0; read < 10; ++read) {
        const Filter filter = random.RandomFilter();
        const std::vector<std::string> keys = random.Keys();
        ASSERT_EQ(overlay.ReadRows(keys, filter).value(), oracle.ReadRows(keys, filter).value());
        const RowRange range = random.Range();
        const auto limit = static_cast<int64_t>(random.Below(5));
        ASSERT_EQ(overlay.ReadRange(range, filter, limit).value(), oracle.ReadRange(range, filter, limit).value());
        const Column column = random.RandomColumn();
        ASSERT_EQ(NewestCells(overlay, keys, column, filter.end), NewestCells(oracle, keys, column, filter.end));
      }
    }
  }
}

TEST_F(OverlayTest, CellsWithoutTimeCarryTheAsOfTime) {
  Add({SetCell{kFirst, std::nullopt, "planned"}});
  EXPECT_EQ(Values(overlay_, {.cells_per_column = 1}), "planned ");
  EXPECT_EQ(overlay_.ReadRow("r", {})->Newest(kFirst)->time, Ms(100));
  EXPECT_EQ(Values(overlay_, {.end = Ms(100)}), "30 20 10 ");
}

TEST_F(OverlayTest, ADeletedNewestCellUncoversTheOneBehindIt) {
  Add({DeleteCells{kFirst, Ms(30)}});
  EXPECT_EQ(Values(overlay_, {.cells_per_column = 1}), "20 ");
  EXPECT_EQ(Values(overlay_, {.cells_per_column = 2}), "20 10 ");
}

TEST_F(OverlayTest, ACellOfTheSameTimeReplacesTheStoredOne) {
  Add({SetCell{kFirst, Ms(20) + absl::Microseconds(7), "new"}});
  EXPECT_EQ(Values(overlay_, {}), "30 new 10 ");
  EXPECT_EQ(Values(overlay_, {.cells_per_column = 2}), "30 new ");
}

TEST_F(OverlayTest, DeletionsHideWhatWasAddedBeforeThemOnly) {
  Add({SetCell{kFirst, Ms(40), "40"}, DeleteRow{}, SetCell{kFirst, Ms(5), "5"}});
  EXPECT_EQ(Values(overlay_, {}), "5 ");
  Add({DeleteCells{kFirst, std::nullopt}});
  EXPECT_EQ(Values(overlay_, {}), "");
  EXPECT_TRUE(overlay_.ReadRange({"", ""}, {}, 0)->empty());
  EXPECT_EQ(Values(base_, {}), "30 20 10 ");
}

TEST_F(OverlayTest, LaterWritesOfTheBaseShowThrough) {
  Add({SetCell{kFirst, Ms(15), "15"}});
  const RowMutation stored[] = {{"r", {SetCell{kFirst, Ms(40), "40"}}}};
  ASSERT_TRUE(base_.Apply(stored).ok());
  EXPECT_EQ(Values(overlay_, {}), "40 30 20 15 10 ");
}

TEST_F(OverlayTest, RefusesWhatATableRefusesAndAddsNothing) {
  const RowMutation bad[] = {{"r", {DeleteRow{}}}, {"", {DeleteRow{}}}};
  EXPECT_EQ(overlay_.Add(bad).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Values(overlay_, {}), "30 20 10 ");
}

TEST_F(OverlayTest, OverlaysStack) {
  Add({SetCell{kFirst, Ms(40), "40"}});
  OverlayTable second(overlay_, Ms(200));
  const RowMutation mutation[] = {{"r", {DeleteCells{kFirst, Ms(30)}}}};
  ASSERT_TRUE(second.Add(mutation).ok());
  EXPECT_EQ(Values(second, {.cells_per_column = 2}), "40 20 ");
}

TEST_F(OverlayTest, ReadsMayRunWhileAPlanGrows) {
  std::thread writer([&] {
    for (int i = 0; i < 200; ++i) {
      const RowMutation mutation[] = {{"r", {DeleteCells{kFirst, {}}, SetCell{kFirst, Ms(i), "v"}}}};
      EXPECT_TRUE(overlay_.Add(mutation).ok());
    }
  });
  for (int i = 0; i < 200; ++i) {
    const Row row = overlay_.ReadRow("r", {}).value();
    EXPECT_TRUE(row.cells.at(kFirst).size() == 1 || row.cells.at(kFirst).size() == 3);
  }
  writer.join();
}

}  // namespace
}  // namespace cleave::table
