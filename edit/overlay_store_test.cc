// Goal: an overlay reads as the store would after the planned writes, and never touches the store.
// Method: the same random writes go to an overlay and to a second store; both must read alike.
#include "edit/overlay_store.h"

#include <random>

#include "gtest/gtest.h"

#include "store/memory_store.h"
#include "table/test_table.h"

namespace cleave::edit {
namespace {

TEST(OverlayStore, ReadsAsIfTheWritesWereMade) {
  const uint64_t seed = table::TestSeed();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  store::MemoryStore base;
  store::MemoryStore expected;
  const auto key = [&] { return "k" + std::to_string(random() % 8); };
  for (int i = 0; i < 5; ++i) {
    const std::string name = key();
    ASSERT_TRUE(base.Write(name, "base").ok());
    ASSERT_TRUE(expected.Write(name, "base").ok());
  }
  const std::vector<std::string> base_keys = base.List({}).value();
  OverlayStore overlay(base);
  for (int i = 0; i < 100; ++i) {
    const std::string name = key();
    if (random() % 3 == 0) {
      overlay.Plan({name, std::nullopt, std::nullopt});
      ASSERT_TRUE(expected.Delete(name).ok());
    } else {
      const std::string value(random() % 9, 'v');
      overlay.Plan({name, value, std::nullopt});
      ASSERT_TRUE(expected.Write(name, value).ok());
    }
    const store::KeyRange range{key(), key()};
    EXPECT_EQ(overlay.List({}).value(), expected.List({}).value());
    EXPECT_EQ(overlay.List(range).value(), expected.List(range).value());
    const std::string wanted = key();
    for (const store::ByteRange part : {store::ByteRange{}, {1, 3}, {2, std::nullopt}, {9, 12}}) {
      const auto mine = overlay.Read(wanted, {part});
      const auto theirs = expected.Read(wanted, {part});
      ASSERT_EQ(mine.status().code(), theirs.status().code()) << mine.status() << theirs.status();
      if (mine.ok()) {
        EXPECT_EQ(mine->value, theirs->value);
      }
    }
  }
  EXPECT_EQ(base.List({}).value(), base_keys);
}

TEST(OverlayStore, KeepsTheConditionOfTheFirstWriteAndTheValueOfTheLast) {
  store::MemoryStore base;
  const store::Generation generation = base.Write("a", "old").value();
  OverlayStore overlay(base);
  overlay.Plan({"a", "one", generation});
  overlay.Plan({"a", "two", overlay.Read("a")->generation});
  overlay.Plan({"b", "new", store::Generation::Absent()});
  const std::vector<store::KeyedWrite> writes = overlay.Take();
  ASSERT_EQ(writes.size(), 2U);
  EXPECT_EQ(writes[0].key, "a");
  EXPECT_EQ(writes[0].value, "two");
  EXPECT_EQ(writes[0].if_generation, generation);
  EXPECT_TRUE(base.WriteBatch(writes).ok());
  EXPECT_TRUE(overlay.Take().empty());
}

TEST(OverlayStore, RefusesToBeWritten) {
  store::MemoryStore base;
  OverlayStore overlay(base);
  EXPECT_TRUE(absl::IsFailedPrecondition(overlay.Write("a", "x", {}).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(overlay.Delete("a", {})));
}

}  // namespace
}  // namespace cleave::edit
