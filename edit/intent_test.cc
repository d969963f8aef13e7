// Goal: an intent read back is the intent written, and damage never goes unnoticed.
// Method: intents with every kind of change, and random ones, are written and read; then each byte of an encoded intent
// is flipped, and each of its beginnings read.
#include "edit/intent.h"

#include <random>

#include "gtest/gtest.h"

#include "table/test_table.h"

namespace cleave::edit {
namespace {

bool Same(const table::Change& a, const table::Change& b) {
  if (a.index() != b.index()) {
    return false;
  }
  if (const auto* set = std::get_if<table::SetCell>(&a)) {
    const auto& other = std::get<table::SetCell>(b);
    return set->column == other.column && set->time == other.time && set->value == other.value;
  }
  if (const auto* erase = std::get_if<table::DeleteCells>(&a)) {
    const auto& other = std::get<table::DeleteCells>(b);
    return erase->column == other.column && erase->time == other.time;
  }
  return true;
}

bool Same(const std::vector<table::RowMutation>& a, const std::vector<table::RowMutation>& b) {
  return std::ranges::equal(a, b, [](const table::RowMutation& x, const table::RowMutation& y) {
    return x.key == y.key &&
           std::ranges::equal(x.changes, y.changes, [](const auto& c, const auto& d) { return Same(c, d); });
  });
}

bool Same(const Intent& a, const Intent& b) {
  const auto same_write = [](const store::KeyedWrite& x, const store::KeyedWrite& y) {
    return x.key == y.key && x.value == y.value && x.if_generation == y.if_generation;
  };
  return a.operation == b.operation && a.time == b.time && Same(a.prepare, b.prepare) && Same(a.flip, b.flip) &&
         std::ranges::equal(a.voxels, b.voxels, same_write) && a.old_roots == b.old_roots &&
         a.new_roots == b.new_roots && a.chunk_scope == b.chunk_scope;
}

Intent Example() {
  Intent intent;
  intent.operation = graph::OperationId{77};
  intent.time = absl::FromUnixMicros(1'700'000'000'123'456);
  const absl::Time early = absl::FromUnixMillis(-5);
  intent.prepare = {
      {"row",
       {table::SetCell{{"0", "q\xff"}, early, std::string("\0\xff value", 8)},
        table::DeleteCells{{"1", ""}, std::nullopt}, table::DeleteCells{{"1", "x"}, early}, table::DeleteRow{}}},
      {std::string("\0key", 4), {}}};
  intent.flip = {{"other", {table::SetCell{{"2", "c"}, std::nullopt, ""}}}};
  intent.voxels = {{"a", "bytes", store::Generation("g")},
                   {"b", "", store::Generation::Absent()},
                   {"c", std::nullopt, std::nullopt}};
  intent.old_roots = {graph::NodeId{~uint64_t{0}}, graph::NodeId{1}};
  intent.new_roots = {graph::NodeId{3}};
  intent.chunk_scope = {{1, -2, 3}, {0, 0, int64_t{1} << 40}};
  return intent;
}

TEST(Intent, SurvivesWritingAndReading) {
  for (const Intent& intent : {Example(), Intent{}}) {
    const absl::StatusOr<std::string> bytes = EncodeIntent(intent);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    const absl::StatusOr<Intent> read = DecodeIntent(*bytes);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_TRUE(Same(*read, intent));
  }
  const uint64_t seed = table::TestSeed();
  table::RandomTable random(seed);
  for (int i = 0; i < 100; ++i) {
    Intent intent;
    intent.prepare = random.Mutations();
    intent.flip = random.Mutations();
    const absl::StatusOr<Intent> read = DecodeIntent(EncodeIntent(intent).value());
    ASSERT_TRUE(read.ok()) << read.status() << ", seed " << seed;
    EXPECT_TRUE(Same(*read, intent)) << "seed " << seed;
  }
}

TEST(Intent, EveryChangedByteIsNoticed) {
  const std::string bytes = EncodeIntent(Example()).value();
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x40);
    EXPECT_TRUE(absl::IsDataLoss(DecodeIntent(damaged).status())) << "byte " << i;
    EXPECT_TRUE(absl::IsDataLoss(DecodeIntent(bytes.substr(0, i)).status())) << "cut at " << i;
  }
  EXPECT_TRUE(absl::IsDataLoss(DecodeIntent(bytes + "x").status()));
}

TEST(Intent, CellsWithoutATimeGetTheOperations) {
  Plan plan;
  const absl::Time own = absl::FromUnixSeconds(5);
  const absl::Time time = absl::FromUnixSeconds(9);
  plan.prepare = {{"a", {table::SetCell{{"0", "x"}, std::nullopt, "1"}, table::SetCell{{"0", "y"}, own, "2"}}}};
  plan.flip = {{"b", {table::SetCell{{"0", "z"}, std::nullopt, "3"}}}};
  const Intent intent = MakeIntent(graph::OperationId{4}, time, plan);
  EXPECT_EQ(std::get<table::SetCell>(intent.prepare[0].changes[0]).time, time);
  EXPECT_EQ(std::get<table::SetCell>(intent.prepare[0].changes[1]).time, own);
  EXPECT_EQ(std::get<table::SetCell>(intent.flip[0].changes[0]).time, time);
  EXPECT_EQ(IntentKey(graph::OperationId{4}), "00000000000000000004");
}

}  // namespace
}  // namespace cleave::edit
