// Goal: the version of the voxels at a time is what the whole log says, and each event is read once, however many times
// are asked for.
// Method: random logs whose commits of voxels come in another order than their times, some of them still to come when
// the first questions are asked; InstantAtTime over the whole log is the oracle, and a reader counts rows.
#include "edit/voxel_versions.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "base/test_seed.h"
#include "edit/event_index.h"
#include "edit/instant.h"
#include "edit/operation_log.h"
#include "table/memory_table.h"
#include "table/row_keys.h"

namespace cleave::edit {
namespace {

absl::Time Moment(int64_t ms) { return absl::FromUnixMillis(1'700'000'000'000 + ms); }

// Counts keys that are asked for, and rows of ranges that are found.
class RowCounter final : public table::TableReader {
 public:
  explicit RowCounter(const table::TableReader& inner) : inner_(inner) {}
  absl::StatusOr<std::vector<table::Row>> ReadRows(std::span<const std::string> keys,
                                                   const table::Filter& filter) const override {
    rows_ += std::ssize(keys);
    return inner_.ReadRows(keys, filter);
  }
  absl::StatusOr<std::vector<table::Row>> ReadRange(const table::RowRange& range, const table::Filter& filter,
                                                    int64_t limit) const override {
    auto found = inner_.ReadRange(range, filter, limit);
    rows_ += found.ok() ? std::ssize(*found) : 0;
    return found;
  }
  // Since it was asked last.
  int64_t Take() { return std::exchange(rows_, 0); }

 private:
  const table::TableReader& inner_;
  mutable int64_t rows_ = 0;
};

class VoxelVersionsTest : public testing::Test {
 protected:
  // A successful operation. Its number is where it stands in the log.
  void Add(int64_t time_ms, std::optional<uint64_t> generation) {
    OperationRecord record;
    record.id = graph::OperationId{log_.size() + 1};
    record.kind = OperationKind::kSplit;
    record.status = OperationStatus::kSuccess;
    record.time = Moment(time_ms);
    record.written_generation = generation;
    const table::RowMutation rows[] = {OperationLog::RowOf(record), EventRow({record.time, record.id})};
    ASSERT_TRUE(table_.Apply(rows).ok());
    log_.push_back(std::move(record));
  }
  std::optional<uint64_t> Told(int64_t time_ms, int64_t safe_ms) {
    return versions_.At(reader_, Moment(safe_ms), Moment(time_ms)).value();
  }
  [[nodiscard]] std::optional<uint64_t> Expected(int64_t time_ms) const {
    return InstantAtTime(log_, Moment(time_ms)).generation;
  }

  table::MemoryTable table_;
  RowCounter reader_{table_};
  VoxelVersions versions_;
  std::vector<OperationRecord> log_;
};

TEST_F(VoxelVersionsTest, WithoutAWrittenVersionThereIsNone) {
  EXPECT_EQ(Told(5, 10), std::nullopt);
  Add(12, std::nullopt);
  EXPECT_EQ(Told(15, 20), std::nullopt);
  Add(25, 8);
  EXPECT_EQ(Told(30, 30), 8);
  EXPECT_EQ(Told(24, 30), 7) << "before the first: the version before it";
}

TEST_F(VoxelVersionsTest, EachEventIsReadOnce) {
  constexpr int64_t kOperations = 25'000;  // more than are read together
  for (int64_t i = 1; i <= kOperations; ++i) {
    Add(10 * i, i % 10 == 0 ? std::optional<uint64_t>(100 + i) : std::nullopt);
  }
  EXPECT_EQ(Told(200'004, 300'000), 100 + 20'000);
  EXPECT_LE(reader_.Take(), 2 * kOperations + 10) << "a row of the index and one of the log for each";
  for (int64_t time_ms = 0; time_ms < 300'000; time_ms += 12'347) {
    EXPECT_EQ(Told(time_ms, 300'000), Expected(time_ms)) << time_ms;
  }
  EXPECT_EQ(reader_.Take(), 0) << "all of these are settled";

  Add(300'010, 50'000);
  Add(300'020, std::nullopt);
  EXPECT_EQ(Told(300'030, 400'000), 50'000);
  EXPECT_EQ(reader_.Take(), 4) << "what is new, not what was read before";
  EXPECT_EQ(Told(399'999, 400'000), 50'000);
  EXPECT_EQ(reader_.Take(), 0);
}

TEST_F(VoxelVersionsTest, WhatIsNotSettledIsReadAgain) {
  Add(10, 5);
  Add(30, 6);
  EXPECT_EQ(Told(40, 20), 6);
  EXPECT_FALSE(versions_.IsSettled(Moment(25)));
  Add(25, 7);  // was in flight
  EXPECT_EQ(Told(27, 50), 7);
  EXPECT_EQ(Told(24, 50), 5);
  EXPECT_EQ(Told(50, 50), 7);
}

TEST_F(VoxelVersionsTest, BeforeTheFirstTheAnswerStays) {
  Add(10, 7);
  EXPECT_EQ(Told(5, 8), 6);
  Add(9, 6);  // was in flight, and wrote its voxels before the other one
  EXPECT_EQ(Told(20, 20), 7);
  EXPECT_EQ(Told(5, 20), 6);
}

TEST_F(VoxelVersionsTest, ADamagedRowIsSaid) {
  Add(10, 5);
  const table::RowMutation rows[] = {
      {table::OperationRowKey(1), {table::SetCell{{"2", "cleave_written_generation"}, std::nullopt, "short"}}}};
  ASSERT_TRUE(table_.Apply(rows).ok());
  const auto told = versions_.At(reader_, Moment(20), Moment(15));
  EXPECT_TRUE(absl::IsDataLoss(told.status())) << told.status();
}

TEST_F(VoxelVersionsTest, AgreesWithTheWholeLogHoweverItIsAsked) {
  std::mt19937_64 random(TestSeed());
  const auto below = [&](int64_t end) { return static_cast<int64_t>(random() % static_cast<uint64_t>(end)); };
  Add(1, 49);
  int64_t safe_ms = 1;
  std::vector<uint64_t> numbers(400);
  std::iota(numbers.begin(), numbers.end(), 50);
  for (size_t i = 0; i + 4 < numbers.size(); i += 4) {
    std::shuffle(numbers.begin() + static_cast<int64_t>(i), numbers.begin() + static_cast<int64_t>(i) + 4, random);
  }
  for (size_t i = 0; i < numbers.size(); ++i) {
    // Times beyond the safe one, in any order.
    Add(safe_ms + 1 + below(40), below(3) == 0 ? std::nullopt : std::optional<uint64_t>(numbers[i]));
    safe_ms += below(4) == 0 ? 50 : 0;
    for (int question = 0; question < 3; ++question) {
      const int64_t time_ms = below(safe_ms + 60);
      EXPECT_EQ(Told(time_ms, safe_ms), Expected(time_ms)) << "at " << time_ms << ", safe " << safe_ms;
    }
  }
}

}  // namespace
}  // namespace cleave::edit
