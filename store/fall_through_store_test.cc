// Goal: a store over an original shows the original until a key is written, changes nothing in it, and cannot make it
// show again by accident. (The conformance suite runs over one with an empty original: store_test.cc.) Method: random
// writes against two maps; the original's bytes compared; the specification for TensorStore compared as text, and by
// reading it in cli/tensorstore_interop_test.py. Seed: CLEAVE_TEST_SEED.
#include "store/fall_through_store.h"

#include <map>
#include <random>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/test_seed.h"
#include "store/file_store.h"
#include "store/memory_store.h"
#include "store/temporary_folder.h"

namespace cleave::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class FallThroughStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const auto& [key, value] : original_) {
      ASSERT_TRUE(bottom_->Write(key, value).ok());
    }
  }

  const std::map<std::string, std::string> original_ = {
      {"info", "the original's"}, {"s/1", "one"}, {"s/2", "two"}, {"s/3", "three"}, {"t/1", "not shown"}};
  const std::shared_ptr<Store> top_ = std::make_shared<MemoryStore>();
  const std::shared_ptr<Store> bottom_ = std::make_shared<MemoryStore>();
  FallThroughStore store_{top_, bottom_, KeyRange::Prefix("s/")};
};

TEST_F(FallThroughStoreTest, ShowsTheOriginalInItsRangeOnly) {
  EXPECT_EQ(store_.Read("s/1")->value, "one");
  EXPECT_TRUE(store_.Read("s/1")->generation.absent());
  EXPECT_EQ(store_.Read("s/1", {{1, 2}})->value, "n");
  EXPECT_EQ(store_.Read("s/1", {{9, {}}}).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(store_.Read("info")->value, std::nullopt);
  EXPECT_EQ(store_.Read("t/1")->value, std::nullopt);
  EXPECT_THAT(*store_.List({}), ElementsAre("s/1", "s/2", "s/3"));
  EXPECT_THAT(*store_.List({"s/2", "s/3"}), ElementsAre("s/2"));
  EXPECT_THAT(*store_.List({"t", ""}), ElementsAre());
  EXPECT_THAT(**store_.ReadParts("s/3", std::vector<Extent>{{0, 2}, {3, 2}}), ElementsAre("th", "ee"));
  EXPECT_EQ(*store_.ReadParts("t/1", std::vector<Extent>{{0, 2}}), std::nullopt);
}

TEST_F(FallThroughStoreTest, AFirstWriteIsOnTheConditionThatNothingWasWritten) {
  const ReadResult read = *store_.Read("s/1");
  EXPECT_EQ(store_.Write("s/1", "x", {Generation("other")}).status().code(), absl::StatusCode::kAborted);
  ASSERT_TRUE(store_.Write("s/1", "new", {read.generation}).ok());
  EXPECT_EQ(store_.Write("s/1", "late", {read.generation}).status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(store_.Read("s/1")->value, "new");
  EXPECT_FALSE(store_.Read("s/1")->generation.absent());
  ASSERT_TRUE(store_.Write("s/2", "").ok());
  EXPECT_EQ(store_.Read("s/2")->value, "") << "an empty value is a value";
}

TEST_F(FallThroughStoreTest, TheOriginalNeverShowsAgain) {
  ASSERT_TRUE(store_.Write("s/1", "new").ok());
  for (const char* key : {"s/1", "s/2"}) {
    const absl::Status deleted = store_.Delete(key);
    EXPECT_EQ(deleted.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(deleted.message()), HasSubstr(key));
  }
  const std::vector<KeyedWrite> batch = {{"s/9", "x", {}}, {"s/2", {}, {}}};
  EXPECT_EQ(store_.WriteBatch(batch).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(store_.Read("s/9")->value, std::nullopt) << "nothing of the batch is done";
  EXPECT_EQ(store_.Read("s/1")->value, "new");
  ASSERT_TRUE(store_.Write("s/9", "x").ok());
  EXPECT_TRUE(store_.Delete("s/9").ok()) << "the original does not have it";
  EXPECT_TRUE(store_.Delete("info").ok()) << "out of the range";
}

TEST_F(FallThroughStoreTest, AgreesWithTwoMapsAndLeavesTheOriginal) {
  std::mt19937_64 random(TestSeed());
  std::map<std::string, std::string> expected;
  for (const auto& [key, value] : original_) {
    if (key.starts_with("s/")) {
      expected[key] = value;
    }
  }
  for (int step = 0; step < 300; ++step) {
    const std::string key = absl::StrCat(random() % 3 == 0 ? "t/" : "s/", random() % 8);
    if (random() % 4 == 0) {
      const bool original = key.starts_with("s/") && original_.contains(key);
      EXPECT_EQ(store_.Delete(key).ok(), !original);
      if (!original) {
        expected.erase(key);
      }
    } else {
      expected[key] = absl::StrCat("v", step);
      ASSERT_TRUE(store_.Write(key, expected[key]).ok());
    }
    std::vector<std::string> keys;
    for (const auto& [k, v] : expected) {
      keys.push_back(k);
    }
    ASSERT_EQ(*store_.List({}), keys);
    keys.emplace_back("s/none");
    const auto values = store_.ReadMany(keys);
    ASSERT_TRUE(values.ok());
    for (size_t i = 0; i + 1 < keys.size(); ++i) {
      ASSERT_EQ((*values)[i], expected[keys[i]]);
      ASSERT_EQ(store_.Read(keys[i])->value, expected[keys[i]]);
    }
    ASSERT_EQ(values->back(), std::nullopt);
  }
  for (const auto& [key, value] : original_) {
    EXPECT_EQ(bottom_->Read(key)->value, value);
  }
  EXPECT_EQ(bottom_->List({})->size(), original_.size());
}

TEST(FallThroughStoreSpec, IsAStackWithALayerForEachKey) {
  const TemporaryFolder folder;
  const auto top = std::make_shared<FileStore>(folder.path() + "/top");
  const auto bottom = std::make_shared<FileStore>(folder.path() + "/bottom");
  FallThroughStore store(top, bottom, KeyRange::Prefix("s/"));
  ASSERT_TRUE(bottom->Write("s/1", "one").ok());
  ASSERT_TRUE(store.Write("s/2", "two").ok());
  const std::string path = folder.path();
  EXPECT_EQ(store.KvStoreSpec(),
            absl::StrCat(R"({"driver":"kvstack","layers":[{"base":{"driver":"file","path":")", path,
                         R"(/top/"}},{"base":{"driver":"file","path":")", path,
                         R"(/bottom/"},"exclusive_max":"s0","inclusive_min":"s/","strip_prefix":0},)",
                         R"({"base":{"driver":"file","path":")", path, R"(/top/s/2"},"exact":"s/2"}]})"));
  EXPECT_THAT(store.Describe("s/1"), HasSubstr("bottom/s/1"));
  EXPECT_THAT(store.Describe("s/2"), HasSubstr("top/s/2"));
  EXPECT_THAT(store.Describe("info"), HasSubstr("top/info"));
  for (size_t i = 0; i < FallThroughStore::kSpecKeysMax; ++i) {
    ASSERT_TRUE(top->Write(absl::StrCat("s/more", i), "").ok());
  }
  EXPECT_EQ(store.KvStoreSpec(), "") << "too many layers for anybody";
}

}  // namespace
}  // namespace cleave::store
