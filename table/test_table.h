// For tests only: a clock that stands still until it is moved, folders that vanish, and random changes of few rows.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

#include "base/clock.h"
#include "table/table.h"

namespace cleave::table {

inline std::string FromHex(absl::string_view hex) { return absl::HexStringToBytes(hex); }
inline absl::Time Ms(int64_t ms) { return absl::FromUnixMillis(ms); }

class TestClock final : public Clock {
 public:
  explicit TestClock(absl::Time now = absl::FromUnixMillis(1'700'000'000'000)) : now_(now) {}
  absl::Time Now() override {
    const absl::MutexLock lock(&mutex_);
    return now_;
  }
  void Advance(absl::Duration duration) {
    const absl::MutexLock lock(&mutex_);
    now_ += duration;
  }

 private:
  absl::Mutex mutex_;
  absl::Time now_;
};

class TestFolder {
 public:
  TestFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "cleave_table_XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The seed of a random test: CLEAVE_TEST_SEED, or one from the clock.
inline uint64_t TestSeed() {
  const char* const seed = std::getenv("CLEAVE_TEST_SEED");
  return seed != nullptr ? std::strtoull(seed, nullptr, 10) : static_cast<uint64_t>(absl::GetCurrentTimeNanos());
}

// Changes and reads over so few rows, columns and times that all the special cases meet.
class RandomTable {
 public:
  explicit RandomTable(uint64_t seed) : random_(seed) {}

  size_t Below(size_t limit) { return std::uniform_int_distribution<size_t>(0, limit - 1)(random_); }

  std::string Key() {
    static const std::vector<std::string> keys = {
        "a",       std::string("a\0", 2), std::string("a\0b", 3), "a\x01", "a\xff", "ab", "b", std::string("\0", 1),
        "\xff\xff"};
    return keys[Below(keys.size())];
  }
  Column RandomColumn() {
    static const std::vector<Column> columns = {
        {"0", "c"}, {"0", "cc"}, {"0", ""}, {"1", "c"}, {"0", std::string("c\0", 2)}};
    return columns[Below(columns.size())];
  }
  // A few milliseconds around 1970, with parts of milliseconds.
  absl::Time Time() { return absl::FromUnixMicros(static_cast<int64_t>(Below(12000)) - 4000); }

  Change RandomChange() {
    const size_t kind = Below(20);
    if (kind == 0) {
      return DeleteRow{};
    }
    const std::optional<absl::Time> time = Below(4) == 0 ? std::nullopt : std::optional(Time());
    if (kind < 5) {
      return DeleteCells{RandomColumn(), time};
    }
    return SetCell{RandomColumn(), time, std::string(Below(40), static_cast<char>('a' + Below(26)))};
  }
  std::vector<Change> Changes(size_t count) {
    std::vector<Change> changes;
    for (size_t i = 0; i < count; ++i) {
      changes.push_back(RandomChange());
    }
    return changes;
  }
  std::vector<RowMutation> Mutations() {
    std::vector<RowMutation> mutations(Below(4) + 1);
    for (RowMutation& mutation : mutations) {
      mutation = {Key(), Changes(Below(4))};
    }
    return mutations;
  }
  Filter RandomFilter() {
    Filter filter;
    for (size_t count = Below(2) == 0 ? 0 : Below(4); count > 0; --count) {
      filter.columns.push_back(RandomColumn());
    }
    if (Below(2) == 0) {
      filter.start = Time();
    }
    if (Below(2) == 0) {
      filter.end = Time();
      filter.end_inclusive = Below(2) == 0;
    }
    filter.cells_per_column = static_cast<int>(Below(3));
    return filter;
  }
  RowRange Range() { return {Below(3) == 0 ? "" : Key(), Below(3) == 0 ? "" : Key()}; }
  std::vector<std::string> Keys() {
    std::vector<std::string> keys(Below(6));
    for (std::string& key : keys) {
      key = Key();
    }
    return keys;
  }

 private:
  std::mt19937_64 random_;
};

inline bool operator==(const Row& a, const Row& b) { return a.key == b.key && a.cells == b.cells; }

// What VisitNewest finds, one cell a key.
inline std::vector<std::optional<Cell>> NewestCells(const TableReader& table, const std::vector<std::string>& keys,
                                                    const Column& column, absl::Time until) {
  std::vector<std::optional<Cell>> cells(keys.size());
  const absl::Status status = table.VisitNewest(keys, column, until, [&](const FoundCell& cell) {
    cells[cell.index] = Cell{cell.time, std::string(cell.value)};
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  return cells;
}

}  // namespace cleave::table
