// Goal: every engine keeps the promises of table.h.
// Method: one suite over all engines, the embedded one also with buffers so small that it flushes all the time. Single
// rules are tested by example; long random sequences are compared with the memory engine; races run on real threads.
#include <algorithm>
#include <atomic>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "table/embedded_table.h"
#include "table/memory_table.h"
#include "table/serializers.h"
#include "table/test_table.h"

namespace cleave::table {
namespace {

const Column kA{"0", "a"};
const Column kB{"4", "b"};

// An engine whose batches are not atomic across rows, and that leaves all defaults in place.
class PlainTable final : public Table {
 public:
  explicit PlainTable(Clock& clock) : table_(clock) {}
  absl::StatusOr<std::vector<Row>> ReadRows(std::span<const std::string> keys, const Filter& filter) const override {
    return table_.ReadRows(keys, filter);
  }
  absl::StatusOr<std::vector<Row>> ReadRange(const RowRange& range, const Filter& filter,
                                             int64_t limit) const override {
    return table_.ReadRange(range, filter, limit);
  }
  absl::Status Apply(std::span<const RowMutation> mutations) override { return table_.Apply(mutations); }
  bool atomic_batches() const override { return false; }
  absl::StatusOr<bool> ApplyIf(absl::string_view key, std::span<const CellMatch> predicate,
                               std::span<const Change> if_matched, std::span<const Change> if_not_matched) override {
    return table_.ApplyIf(key, predicate, if_matched, if_not_matched);
  }
  absl::StatusOr<int64_t> Increment(absl::string_view key, const Column& column, int64_t delta) override {
    return table_.Increment(key, column, delta);
  }

 private:
  MemoryTable table_;
};

struct Engine {
  const char* name;
  std::function<std::unique_ptr<Table>(const std::string& folder, Clock& clock)> open;
};

std::unique_ptr<Table> OpenEmbedded(const std::string& folder, Clock& clock, int64_t buffer_bytes,
                                    std::optional<Column> kept_column = std::nullopt) {
  auto table = EmbeddedTable::Open(folder, {.create_if_missing = true,
                                            .block_cache_bytes = buffer_bytes,
                                            .write_buffer_bytes = buffer_bytes,
                                            .kept_column = kept_column,
                                            .kept_cells = 8,
                                            .clock = &clock});
  EXPECT_TRUE(table.ok()) << table.status();
  return std::move(table).value();
}

const Engine kEngines[] = {
    {"Memory", [](const std::string&, Clock& clock) { return std::make_unique<MemoryTable>(clock); }},
    {"Plain", [](const std::string&, Clock& clock) { return std::make_unique<PlainTable>(clock); }},
    {"Embedded",
     [](const std::string& folder, Clock& clock) { return OpenEmbedded(folder, clock, int64_t{16} << 20); }},
    {"EmbeddedKept",
     [](const std::string& folder, Clock& clock) { return OpenEmbedded(folder, clock, int64_t{16} << 20, kA); }},
    {"EmbeddedTiny", [](const std::string& folder, Clock& clock) { return OpenEmbedded(folder, clock, 64 << 10); }},
};

class Conformance : public testing::TestWithParam<Engine> {
 protected:
  void SetUp() override { table_ = GetParam().open(folder_.path(), clock_); }

  void Set(const std::string& key, const Column& column, absl::Time time, const std::string& value) {
    const RowMutation mutation[] = {{key, {SetCell{column, time, value}}}};
    ASSERT_TRUE(table_->Apply(mutation).ok());
  }
  absl::Status Change1(const std::string& key, std::vector<Change> changes) {
    const RowMutation mutation[] = {{key, std::move(changes)}};
    return table_->Apply(mutation);
  }
  // The values of one column that `filter` lets through, each followed by a space.
  std::string Values(const std::string& key, const Column& column, const Filter& filter = {}) {
    const Row row = table_->ReadRow(key, filter).value();
    std::string values;
    if (const auto it = row.cells.find(column); it != row.cells.end()) {
      for (const Cell& cell : it->second) {
        values += cell.value + " ";
      }
    }
    return values;
  }
  std::string KeysIn(const RowRange& range, int64_t limit = 0) {
    std::string keys;
    const std::vector<Row> rows = table_->ReadRange(range, {}, limit).value();
    for (const Row& row : rows) {
      keys += row.key + " ";
    }
    return keys;
  }

  TestFolder folder_;
  TestClock clock_;
  std::unique_ptr<Table> table_;
};

INSTANTIATE_TEST_SUITE_P(Engines, Conformance, testing::ValuesIn(kEngines),
                         [](const auto& engine) { return std::string(engine.param.name); });

TEST_P(Conformance, ReadRowsAnswersEachKeyInItsPlace) {
  Set("x", kA, Ms(1), "1");
  Set("y", kA, Ms(1), "2");
  const std::string keys[] = {"y", "absent", "x", "y"};
  const std::vector<Row> rows = table_->ReadRows(keys, {}).value();
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[0].Newest(kA)->value, "2");
  EXPECT_EQ(rows[1].key, "absent");
  EXPECT_TRUE(rows[1].cells.empty());
  EXPECT_EQ(rows[1].Newest(kA), nullptr);
  EXPECT_EQ(rows[2].Newest(kA)->value, "1");
  EXPECT_EQ(rows[3].Newest(kA)->value, "2");
}

TEST_P(Conformance, CellsComeNewestFirstAndKeepTheirBytes) {
  const std::string binary("\x00\xff\x01", 3);
  Set("r", kA, Ms(5), "5");
  Set("r", kA, Ms(-7), binary);
  Set("r", kA, Ms(9), "");
  const std::vector<Cell> expected = {{Ms(9), ""}, {Ms(5), "5"}, {Ms(-7), binary}};
  EXPECT_EQ(table_->ReadRow("r", {})->cells.at(kA), expected);
}

TEST_P(Conformance, TimesAreCutToMillisecondsAndTheLaterWriteWins) {
  Set("r", kA, Ms(5) + absl::Microseconds(999), "first");
  Set("r", kA, Ms(5) + absl::Microseconds(1), "second");
  Set("r", kA, Ms(-5) - absl::Microseconds(1), "before 1970");  // cut downwards, to -6
  const std::vector<Cell> expected = {{Ms(5), "second"}, {Ms(-6), "before 1970"}};
  EXPECT_EQ(table_->ReadRow("r", {})->cells.at(kA), expected);
}

TEST_P(Conformance, FilterByTime) {
  for (const int64_t ms : {10, 20, 30}) {
    Set("r", kA, Ms(ms), std::to_string(ms));
  }
  EXPECT_EQ(Values("r", kA, {.start = Ms(20)}), "30 20 ");
  EXPECT_EQ(Values("r", kA, {.start = Ms(20) + absl::Microseconds(999)}), "30 20 ");
  EXPECT_EQ(Values("r", kA, {.start = Ms(21)}), "30 ");
  EXPECT_EQ(Values("r", kA, {.end = Ms(20)}), "10 ");
  EXPECT_EQ(Values("r", kA, {.end = Ms(20) + absl::Microseconds(999)}), "10 ");
  EXPECT_EQ(Values("r", kA, {.end = Ms(20), .end_inclusive = true}), "20 10 ");
  EXPECT_EQ(Values("r", kA, {.end = Ms(19) + absl::Microseconds(999), .end_inclusive = true}), "10 ");
  EXPECT_EQ(Values("r", kA, {.start = Ms(20), .end = Ms(20), .end_inclusive = true}), "20 ");
  EXPECT_EQ(Values("r", kA, {.start = Ms(20), .end = Ms(20)}), "");
  EXPECT_EQ(Values("r", kA, {.start = Ms(30), .end = Ms(10)}), "");
  EXPECT_EQ(Values("r", kA, {.end = absl::InfiniteFuture(), .end_inclusive = true}), "30 20 10 ");
  EXPECT_EQ(Values("r", kA, {.end = absl::InfinitePast()}), "");
}

TEST_P(Conformance, FilterByColumnAndCount) {
  for (const int64_t ms : {10, 20, 30}) {
    Set("r", kA, Ms(ms), "a" + std::to_string(ms));
    Set("r", kB, Ms(ms), "b" + std::to_string(ms));
  }
  EXPECT_EQ(Values("r", kA, {.columns = {kB}}), "");
  EXPECT_EQ(Values("r", kB, {.columns = {kB, kA, kB}}), "b30 b20 b10 ");
  EXPECT_EQ(Values("r", kB, {.columns = {kB, kA}, .cells_per_column = 1}), "b30 ");
  EXPECT_EQ(Values("r", kA, {.end = Ms(30), .cells_per_column = 1}), "a20 ");
  EXPECT_EQ(Values("r", kA, {.cells_per_column = 7}), "a30 a20 a10 ");
  EXPECT_EQ(table_->ReadRow("r", {.columns = {{"0", "absent"}}})->cells.size(), 0u);
}

TEST_P(Conformance, NeighbouringNamesDoNotMix) {
  Set("r", {"0", "a"}, Ms(1), "a");
  Set("r", {"0", "aa"}, Ms(1), "aa");
  Set("r", {"0", std::string("a\0", 2)}, Ms(1), "a0");
  Set("r", {"0", ""}, Ms(1), "empty");
  Set(std::string("r\0", 2), {"0", "a"}, Ms(1), "r0");
  EXPECT_EQ(Values("r", {"0", "a"}, {.columns = {{"0", "a"}}}), "a ");
  EXPECT_EQ(Values("r", {"0", ""}, {.columns = {{"0", ""}}}), "empty ");
  EXPECT_EQ(table_->ReadRow("r", {})->cells.size(), 4u);
  EXPECT_EQ(table_->ReadRow(std::string("r\0", 2), {})->cells.size(), 1u);
}

TEST_P(Conformance, RangesAreHalfOpenAndBytewise) {
  for (const char* const key : {"b", "ba", "a", "c", "\xf0"}) {
    Set(key, kA, Ms(1), "1");
  }
  EXPECT_EQ(KeysIn({"", ""}), "a b ba c \xf0 ");
  EXPECT_EQ(KeysIn({"b", "c"}), "b ba ");
  EXPECT_EQ(KeysIn({"b", std::string("b\0", 2)}), "b ");
  EXPECT_EQ(KeysIn({"bb", ""}), "c \xf0 ");
  EXPECT_EQ(KeysIn({"", "b"}), "a ");
  EXPECT_EQ(KeysIn({"c", "b"}), "");
  EXPECT_EQ(KeysIn({"b", "b"}), "");
  EXPECT_EQ(KeysIn({"", ""}, 2), "a b ");
}

TEST_P(Conformance, RangesSkipRowsWithoutMatchingCellsAndDoNotCountThem) {
  Set("a", kB, Ms(1), "1");
  Set("b", kA, Ms(1), "2");
  Set("c", kB, Ms(1), "3");
  Set("d", kA, Ms(1), "4");
  const std::vector<Row> rows = table_->ReadRange({"", ""}, {.columns = {kA}}, 2).value();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].key, "b");
  EXPECT_EQ(rows[1].key, "d");
}

TEST_P(Conformance, ChangesOfARowApplyInOrder) {
  Set("r", kA, Ms(1), "old");
  ASSERT_TRUE(Change1("r", {SetCell{kA, Ms(2), "x"}, DeleteCells{kA, {}}, SetCell{kA, Ms(3), "y"}}).ok());
  EXPECT_EQ(Values("r", kA), "y ");
  ASSERT_TRUE(Change1("r", {SetCell{kB, Ms(2), "x"}, DeleteRow{}, SetCell{kB, Ms(3), "z"}}).ok());
  EXPECT_EQ(Values("r", kA), "");
  EXPECT_EQ(Values("r", kB), "z ");
  ASSERT_TRUE(Change1("r", {SetCell{kB, Ms(3), "w"}, DeleteCells{kB, Ms(3) + absl::Microseconds(5)}}).ok());
  EXPECT_EQ(KeysIn({"", ""}), "");
  const RowMutation twice[] = {{"r", {SetCell{kA, Ms(1), "1"}}}, {"r", {DeleteRow{}, SetCell{kA, Ms(2), "2"}}}};
  ASSERT_TRUE(table_->Apply(twice).ok());
  EXPECT_EQ(Values("r", kA), "2 ");
}

TEST_P(Conformance, CellsWithoutTimeTakeTheClock) {
  ASSERT_TRUE(Change1("r", {SetCell{kA, std::nullopt, "v"}}).ok());
  clock_.Advance(absl::Seconds(1));
  ASSERT_TRUE(Change1("r", {SetCell{kA, std::nullopt, "w"}}).ok());
  const std::vector<Cell> expected = {{clock_.Now(), "w"}, {clock_.Now() - absl::Seconds(1), "v"}};
  EXPECT_EQ(table_->ReadRow("r", {})->cells.at(kA), expected);
}

TEST_P(Conformance, RefusesWhatHasNoPlaceAndAppliesNothing) {
  const RowMutation no_key[] = {{"r", {SetCell{kA, Ms(1), "v"}}}, {"", {SetCell{kA, Ms(1), "v"}}}};
  EXPECT_EQ(table_->Apply(no_key).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Change1("r", {SetCell{{"", "q"}, Ms(1), "v"}}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Change1("r", {SetCell{kA, absl::InfiniteFuture(), "v"}}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Change1("r", {DeleteCells{kA, absl::InfinitePast()}}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(table_->ReadRow("", {}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(table_->Increment("", kA, 1).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(table_->ApplyIf("", {}, {}, {}).status().code(), absl::StatusCode::kInvalidArgument);
  const ConditionalMutation twice[] = {{"r", {}, {}, {}}, {"r", {}, {}, {}}};
  EXPECT_EQ(table_->ApplyIfEach(twice).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(KeysIn({"", ""}), "");
}

TEST_P(Conformance, EmptyRequestsAreFine) {
  EXPECT_TRUE(table_->Apply({}).ok());
  EXPECT_TRUE(Change1("r", {}).ok());
  EXPECT_TRUE(table_->ReadRows({}, {})->empty());
  EXPECT_TRUE(table_->ApplyIfEach({})->empty());
  EXPECT_FALSE(table_->ApplyIf("r", {}, {}, {}).value());
}

TEST_P(Conformance, ApplyIfChoosesByAnyMatch) {
  Set("r", kA, Ms(10), "old");
  Set("r", kA, Ms(20), "new");
  const std::vector<Change> yes = {SetCell{kB, Ms(1), "yes"}};
  const std::vector<Change> no = {SetCell{kB, Ms(1), "no"}};
  const auto decide = [&](const std::vector<CellMatch>& predicate) {
    const bool matched = table_->ApplyIf("r", predicate, yes, no).value();
    EXPECT_EQ(Values("r", kB), matched ? "yes " : "no ");
    return matched;
  };
  EXPECT_FALSE(decide({}));
  EXPECT_TRUE(decide({{{.columns = {kA}}, {}}}));
  EXPECT_FALSE(decide({{{.columns = {{"0", "absent"}}}, {}}}));
  EXPECT_TRUE(decide({{{.columns = {{"0", "absent"}}}, {}}, {{.columns = {kA}}, "old"}}));
  EXPECT_FALSE(decide({{{.columns = {kA}, .cells_per_column = 1}, "old"}}));
  EXPECT_TRUE(decide({{{.columns = {kA}, .cells_per_column = 1}, "new"}}));
  EXPECT_FALSE(decide({{{.columns = {kA}, .start = Ms(21)}, {}}}));
  EXPECT_TRUE(decide({{{.columns = {kA}, .end = Ms(11)}, "old"}}));
  EXPECT_FALSE(decide({{{.columns = {kA}}, ""}}));
}

TEST_P(Conformance, ApplyIfEachAnswersEach) {
  Set("a", kA, Ms(1), "1");
  const std::vector<CellMatch> has_a = {{{.columns = {kA}}, {}}};
  const ConditionalMutation mutations[] = {{"b", has_a, {}, {SetCell{kA, Ms(1), "2"}}},
                                           {"a", has_a, {DeleteRow{}}, {}}};
  EXPECT_EQ(table_->ApplyIfEach(mutations).value(), (std::vector<bool>{false, true}));
  EXPECT_EQ(KeysIn({"", ""}), "b ");
}

TEST_P(Conformance, IncrementCountsFromZeroAndKeepsPeersEncoding) {
  EXPECT_EQ(table_->Increment("r", kA, 5).value(), 5);
  EXPECT_EQ(table_->Increment("r", kA, -7).value(), -2);
  EXPECT_EQ(table_->ReadRow("r", {})->Newest(kA)->value, std::string("\xff\xff\xff\xff\xff\xff\xff\xfe"));
  EXPECT_EQ(table_->Increment("r", kA, 0).value(), -2);
  EXPECT_EQ(table_->Increment("r", kB, 1).value(), 1);
}

TEST_P(Conformance, IncrementSurvivesAClockThatGoesBack) {
  EXPECT_EQ(table_->Increment("r", kA, 5).value(), 5);
  clock_.Advance(-absl::Hours(1));
  EXPECT_EQ(table_->Increment("r", kA, 5).value(), 10);
  EXPECT_EQ(table_->Increment("r", kA, 5).value(), 15);
}

TEST_P(Conformance, IncrementRefusesWhatIsNoCounterAndOverflow) {
  Set("r", kA, Ms(1), "text");
  EXPECT_EQ(table_->Increment("r", kA, 1).status().code(), absl::StatusCode::kDataLoss);
  Set("r", kB, Ms(1), EncodeCounter(std::numeric_limits<int64_t>::max()));
  EXPECT_EQ(table_->Increment("r", kB, 1).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(table_->Increment("r", kB, -1).value(), std::numeric_limits<int64_t>::max() - 1);
}

TEST_P(Conformance, ConcurrentIncrementsHandOutDisjointRanges) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 50;
  std::vector<std::set<int64_t>> seen(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i) {
        seen[t].insert(table_->Increment("r", kA, 3).value());
      }
    });
  }
  std::set<int64_t> all;
  for (int t = 0; t < kThreads; ++t) {
    threads[t].join();
    all.insert(seen[t].begin(), seen[t].end());
  }
  EXPECT_EQ(all.size(), static_cast<size_t>(kThreads * kRounds));
  EXPECT_EQ(*all.rbegin(), 3 * kThreads * kRounds);
}

TEST_P(Conformance, ARaceOfApplyIfHasOneWinner) {
  for (int round = 0; round < 20; ++round) {
    const std::string key = "r" + std::to_string(round);
    const std::vector<CellMatch> taken = {{{.columns = {kA}}, {}}};
    std::atomic<int> winners = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        const std::vector<Change> take = {SetCell{kA, {}, std::to_string(t)}};
        winners += table_->ApplyIf(key, taken, {}, take).value() ? 0 : 1;
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    EXPECT_EQ(winners, 1);
    EXPECT_EQ(table_->ReadRow(key, {})->cells.at(kA).size(), 1u);
  }
}

TEST_P(Conformance, ReadersSeeAllOfABatchOrNothing) {
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 0; i < 100; ++i) {
      std::vector<RowMutation> batch;
      for (const char* const key : {"a", "b", "c"}) {
        batch.push_back({key, {DeleteCells{kA, {}}, SetCell{kA, Ms(i), std::to_string(i)}}});
      }
      EXPECT_TRUE(table_->Apply(batch).ok());
    }
    done = true;
  });
  const std::string keys[] = {"c", "a", "b"};
  while (!done) {
    const std::vector<Row> rows = table_->ReadRows(keys, {}).value();
    EXPECT_EQ(rows[0].cells, rows[1].cells);
    EXPECT_EQ(rows[0].cells, rows[2].cells);
  }
  writer.join();
}

TEST_P(Conformance, ASnapshotStaysAsItWas) {
  const auto write = [&](const std::string& value) {
    const RowMutation rows[] = {{"a", {DeleteCells{kA, {}}, SetCell{kA, Ms(1), value}}},
                                {"b", {DeleteCells{kA, {}}, SetCell{kA, Ms(1), value}}}};
    ASSERT_TRUE(table_->Apply(rows).ok());
  };
  write("first");
  const std::unique_ptr<TableReader> snapshot = table_->Snapshot();
  if (snapshot == nullptr) {
    EXPECT_FALSE(absl::StartsWith(GetParam().name, "Embedded"));
    return;
  }
  const std::string keys[] = {"a", "b"};
  for (const char* const value : {"second", "third"}) {
    write(value);
    for (const Row& row : snapshot->ReadRows(keys, {}).value()) {
      EXPECT_EQ(row.Newest(kA)->value, "first");
    }
    for (const Row& row : snapshot->ReadRange({"a", "c"}, {}, 0).value()) {
      EXPECT_EQ(row.Newest(kA)->value, "first");
    }
    int visits = 0;
    EXPECT_TRUE(snapshot
                    ->VisitNewest(keys, kA, absl::InfiniteFuture(),
                                  [&](const FoundCell& cell) {
                                    ++visits;
                                    EXPECT_EQ(cell.value, "first");
                                    return absl::OkStatus();
                                  })
                    .ok());
    EXPECT_EQ(visits, 2);
    EXPECT_EQ(table_->ReadRow("b", {})->Newest(kA)->value, value);
  }
}

TEST_P(Conformance, RandomSequencesAgreeWithTheMemoryEngine) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(testing::Message() << "CLEAVE_TEST_SEED=" << seed);
  RandomTable random(seed);
  MemoryTable oracle(clock_);
  const auto predicate = [&] {
    std::vector<CellMatch> matches(random.Below(3));
    for (CellMatch& match : matches) {
      match.filter = random.RandomFilter();
    }
    return matches;
  };
  for (int step = 0; step < 300; ++step) {
    clock_.Advance(absl::Microseconds(random.Below(2000)));
    if (random.Below(3) == 0) {
      const ConditionalMutation mutation[] = {{random.Key(), predicate(), random.Changes(2), random.Changes(2)}};
      ASSERT_EQ(table_->ApplyIfEach(mutation).value(), oracle.ApplyIfEach(mutation).value());
    } else {
      const std::vector<RowMutation> mutations = random.Mutations();
      ASSERT_TRUE(table_->Apply(mutations).ok());
      ASSERT_TRUE(oracle.Apply(mutations).ok());
    }
    const Filter filter = random.RandomFilter();
    const std::vector<std::string> keys = random.Keys();
    ASSERT_EQ(table_->ReadRows(keys, filter).value(), oracle.ReadRows(keys, filter).value());
    const RowRange range = random.Range();
    const auto limit = static_cast<int64_t>(random.Below(4));
    ASSERT_EQ(table_->ReadRange(range, filter, limit).value(), oracle.ReadRange(range, filter, limit).value());
    // So often that an engine may take another way for many keys.
    std::vector<std::string> many_keys;
    for (int i = 0; i < 40; ++i) {
      many_keys.insert(many_keys.end(), keys.begin(), keys.end());
    }
    const Column column = random.RandomColumn();
    for (const std::vector<std::string>& some : {keys, many_keys}) {
      ASSERT_EQ(NewestCells(*table_, some, column, filter.end), NewestCells(oracle, some, column, filter.end));
    }
  }
}

TEST_P(Conformance, VisitNewestReadsManyKeysNearAndFar) {
  constexpr int kRows = 40'000;
  std::vector<RowMutation> rows;
  std::vector<std::string> keys;
  for (int i = 0; i < kRows; ++i) {
    keys.push_back(absl::StrCat(1'000'000 + i));
    rows.push_back({keys.back(), {SetCell{kB, Ms(5), "other"}}});
    if (i % 3 != 0) {
      rows.back().changes.push_back(SetCell{kA, Ms(10), absl::StrCat(i)});
      rows.back().changes.push_back(SetCell{kA, Ms(20), "later"});
    }
  }
  ASSERT_TRUE(table_->Apply(rows).ok());
  std::vector<std::string> few;  // stretches of neighbours far from each other, and keys that do not exist
  for (int i = 0; i < kRows; i += (i % 100 == 50 ? 4'000 : 1)) {
    few.push_back(i % 7 == 0 ? absl::StrCat(keys[i], "x") : keys[i]);
  }
  std::ranges::reverse(few);
  for (const std::vector<std::string>& asked : {keys, few}) {
    const std::vector<std::optional<Cell>> cells = NewestCells(*table_, asked, kA, Ms(19));
    for (size_t k = 0; k < asked.size(); ++k) {
      int row = 0;
      const bool exists = asked[k].size() == 7 && absl::SimpleAtoi(asked[k], &row) && (row - 1'000'000) % 3 != 0;
      ASSERT_EQ(cells[k].has_value(), exists) << asked[k];
      if (exists) {
        ASSERT_EQ(*cells[k], (Cell{Ms(10), absl::StrCat(row - 1'000'000)}));
      }
    }
  }
  const absl::Status stopped = table_->VisitNewest(
      keys, kA, Ms(10), [](const FoundCell& cell) { return absl::CancelledError(absl::StrCat(cell.index)); });
  EXPECT_EQ(stopped.code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(table_->VisitNewest({}, kA, Ms(1), [](const FoundCell&) { return absl::OkStatus(); }).ok());
}

}  // namespace
}  // namespace cleave::table
