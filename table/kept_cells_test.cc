// Goal: a kept cell is never another than the one that the store holds at the reader's instant.
// Method: the rules of kept_cells.h one by one; then an embedded table whose writers change rows in batches while
// readers look, at snapshots and without, now and in the past: all rows of a batch must be of one age, no younger than
// the reader's instant and no older than what was written before it. Slots are few, so that rows push each other out.
#include "table/kept_cells.h"

#include <atomic>
#include <map>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gtest/gtest.h"

#include "table/embedded_table.h"
#include "table/test_table.h"

namespace cleave::table {
namespace {

constexpr char kRow[] = "00072057594037927937";
const Column kKept{"0", "kept"};

absl::string_view ValueOf(const KeptCells::Found& found) { return {found.value.data(), found.value.size()}; }

TEST(KeptCells, KeepsWhatIsSureAndGivesItToReadersThatAreNotOlder) {
  KeptCells cells(16);
  cells.Keep(kRow, 5, "12345678", cells.Begin(), 10);
  ASSERT_TRUE(cells.Find(kRow, 10).has_value());
  EXPECT_EQ(cells.Find(kRow, 11)->time_ms, 5);
  EXPECT_EQ(ValueOf(*cells.Find(kRow, 11)), "12345678");
  EXPECT_FALSE(cells.Find(kRow, 9).has_value());
  EXPECT_FALSE(cells.Find("other", 11).has_value());
}

TEST(KeptCells, KeepsNothingOfOtherSizes) {
  KeptCells cells(1);
  const std::string longest(KeptCells::kKeyBytesMax, 'k');
  cells.Keep(longest + "k", 5, "12345678", cells.Begin(), 10);
  cells.Keep("", 5, "12345678", cells.Begin(), 10);
  cells.Keep(longest, 5, "1234567", cells.Begin(), 10);
  for (const std::string& row : {longest + "k", std::string(), longest}) {
    EXPECT_FALSE(cells.Find(row, 10).has_value());
  }
  cells.Keep(longest, 5, "12345678", cells.Begin(), 10);
  EXPECT_TRUE(cells.Find(longest, 10).has_value());
}

TEST(KeptCells, AWriteDropsItsRowsAndWhatWasReadBeforeOrBesideItIsNotKept) {
  KeptCells cells(16);
  const std::vector<std::string> rows = {kRow};
  cells.Keep(kRow, 5, "12345678", cells.Begin(), 10);
  const KeptCells::Ticket before = cells.Begin();
  {
    const KeptCells::Change change(cells, rows);
    EXPECT_FALSE(cells.Find(kRow, 10).has_value());
    cells.Keep(kRow, 5, "12345678", before, 10);
    cells.Keep(kRow, 5, "12345678", cells.Begin(), 10);
    { const KeptCells::Change other(cells, {}); }
    cells.Keep(kRow, 5, "12345678", cells.Begin(), 10);  // as many have ended as had begun with the first
    EXPECT_FALSE(cells.Find(kRow, 12).has_value());
  }
  cells.Keep(kRow, 5, "12345678", before, 10);
  EXPECT_FALSE(cells.Find(kRow, 12).has_value());
  cells.Keep(kRow, 6, "abcdefgh", cells.Begin(), 12);
  EXPECT_EQ(ValueOf(*cells.Find(kRow, 12)), "abcdefgh");
}

class KeptTable : public testing::Test {
 protected:
  static constexpr int kRows = 40;
  static constexpr int kGroup = 8;  // rows that are written together

  KeptTable() {
    table_ = EmbeddedTable::Open(folder_.path() + "/table",
                                 {.create_if_missing = true, .kept_column = kKept, .kept_cells = 32})
                 .value();
    for (int i = 0; i < kRows; ++i) {
      keys_.push_back(absl::StrFormat("%020d", i));
    }
  }

  void WriteGroup(int group, int64_t age) {
    std::vector<RowMutation> rows;
    for (int i = 0; i < kGroup; ++i) {
      rows.push_back({keys_[static_cast<size_t>(group * kGroup + i)],
                      {SetCell{kKept, absl::FromUnixMillis(age), absl::StrFormat("%08d", age)}}});
    }
    ASSERT_TRUE(table_->Apply(rows).ok());
  }

  // The age of each row; -1 where there is no cell.
  std::vector<int64_t> Ages(const TableReader& reader, absl::Time until) {
    std::vector<int64_t> ages(kRows, -1);
    EXPECT_TRUE(reader
                    .VisitNewest(keys_, kKept, until,
                                 [&](const FoundCell& cell) {
                                   ages[cell.index] = absl::ToUnixMillis(cell.time);
                                   EXPECT_EQ(cell.value, absl::StrFormat("%08d", ages[cell.index]));
                                   return absl::OkStatus();
                                 })
                    .ok());
    return ages;
  }

  TestFolder folder_;
  std::unique_ptr<EmbeddedTable> table_;
  std::vector<std::string> keys_;
};

TEST_F(KeptTable, ReadsWhatIsWrittenDeletedAndPast) {
  WriteGroup(0, 1);
  for (int again = 0; again < 2; ++again) {
    EXPECT_EQ(Ages(*table_, absl::InfiniteFuture())[3], 1);
    EXPECT_EQ(Ages(*table_, absl::FromUnixMillis(1))[3], 1);
    EXPECT_EQ(Ages(*table_, absl::FromUnixMillis(0))[3], -1);
  }
  const std::unique_ptr<TableReader> snapshot = table_->Snapshot();
  WriteGroup(0, 7);
  for (int again = 0; again < 2; ++again) {
    EXPECT_EQ(Ages(*table_, absl::InfiniteFuture())[3], 7);
    EXPECT_EQ(Ages(*snapshot, absl::InfiniteFuture())[3], 1);
    EXPECT_EQ(Ages(*table_, absl::FromUnixMillis(6))[3], 1);
  }
  const RowMutation erased[] = {{keys_[3], {DeleteCells{kKept, absl::FromUnixMillis(7)}}}, {keys_[4], {DeleteRow{}}}};
  ASSERT_TRUE(table_->Apply(erased).ok());
  EXPECT_EQ(Ages(*table_, absl::InfiniteFuture())[3], 1);
  EXPECT_EQ(Ages(*table_, absl::InfiniteFuture())[4], -1);
  ASSERT_TRUE(
      table_->ordered().ApplyIf(keys_[5], {}, {}, {{SetCell{kKept, absl::FromUnixMillis(9), "00000009"}}}).ok());
  EXPECT_EQ(Ages(*table_, absl::InfiniteFuture())[5], 9);
}

TEST_F(KeptTable, ReadersOfAnInstantSeeWholeBatchesOfTheRightAge) {
  constexpr int kGroups = kRows / kGroup;
  constexpr int64_t kWrites = 400;
  std::vector<std::atomic<int64_t>> written(kGroups);
  std::vector<std::atomic<int64_t>> begun(kGroups);
  for (int group = 0; group < kGroups; ++group) {
    WriteGroup(group, 0);
  }
  std::atomic<int> writers = kGroups;
  std::vector<std::thread> threads;
  for (int group = 0; group < kGroups; ++group) {
    threads.emplace_back([&, group] {
      for (int64_t age = 1; age <= kWrites; ++age) {
        begun[static_cast<size_t>(group)] = age;
        WriteGroup(group, age);
        written[static_cast<size_t>(group)] = age;
      }
      --writers;
    });
  }
  const auto expect_whole = [&](const std::vector<int64_t>& ages, const std::vector<int64_t>& at_least,
                                const std::vector<int64_t>& at_most) {
    for (size_t i = 0; i < ages.size(); ++i) {
      const size_t group = i / kGroup;
      ASSERT_EQ(ages[i], ages[group * kGroup]) << "row " << i;
      ASSERT_GE(ages[i], at_least[group]) << "row " << i;
      ASSERT_LE(ages[i], at_most[group]) << "row " << i;
    }
  };
  const auto now = [](const std::vector<std::atomic<int64_t>>& ages) {
    return std::vector<int64_t>(ages.begin(), ages.end());
  };
  for (int reader = 0; reader < 3; ++reader) {
    threads.emplace_back([&] {
      while (writers > 0 && !HasFailure()) {
        std::vector<int64_t> before = now(written);
        std::vector<int64_t> ages = Ages(*table_, absl::InfiniteFuture());
        expect_whole(ages, before, now(begun));
        before = now(written);
        const std::unique_ptr<TableReader> snapshot = table_->Snapshot();
        const std::vector<int64_t> after = now(begun);
        ages = Ages(*snapshot, absl::InfiniteFuture());
        expect_whole(ages, before, after);
        Ages(*table_, absl::InfiniteFuture());  // keeps newer ones
        EXPECT_EQ(Ages(*snapshot, absl::InfiniteFuture()), ages);
        EXPECT_EQ(Ages(*table_, absl::FromUnixMillis(before[0]))[0], before[0]);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(Ages(*table_, absl::InfiniteFuture()), std::vector<int64_t>(kRows, kWrites));
}

}  // namespace
}  // namespace cleave::table
