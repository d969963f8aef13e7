// Goal: nodes that shrink are merged, and a tree loses the levels that it does not need, without a key lost or a node
// wrong. Method: trees that are emptied again by single keys, by ranges and by batches, in random order, against a map;
// after each commit every node is checked, and in the end the nodes are counted.
#include "ocdbt/tree_writer.h"

#include <algorithm>

#include "gtest/gtest.h"

#include "ocdbt/history_testing.h"
#include "ocdbt/test_bytes.h"
#include "ocdbt/tree_check.h"
#include "ocdbt/tree_reader.h"
#include "store/memory_store.h"

namespace cleave::ocdbt {
namespace {

struct ShrinkShape {
  uint32_t node_bytes;
  size_t value_bytes;
};

class Shrinking : public testing::TestWithParam<ShrinkShape> {
 protected:
  std::mt19937 random_{TestSeed()};
  std::unique_ptr<Database> database_;
  Map map_;

  void Fill(int keys) {
    Config config = HistoryConfig(4);
    config.max_decoded_node_bytes = GetParam().node_bytes;
    config.max_inline_value_bytes = 40;
    database_ = Database::Create(std::make_shared<store::MemoryStore>(), config).value();
    WriteBatch batch;
    for (int i = 0; i < keys; ++i) {
      const std::string key = absl::StrCat(i % 3 == 0 ? "a/" : "key/of/some/length/", 10000 + i);
      map_[key] = std::string(GetParam().value_bytes, static_cast<char>('a' + i % 26));
      batch.Put(key, map_[key]);
    }
    ASSERT_TRUE(database_->Commit(batch).ok());
  }
  void Commit(const WriteBatch& batch) {
    const absl::StatusOr<CommitResult> committed = database_->Commit(batch);
    ASSERT_TRUE(committed.ok()) << committed.status();
    const Snapshot now = database_->Newest().value();
    const absl::Status checked = CheckTree(now.reader(), now.version());
    ASSERT_TRUE(checked.ok()) << checked;
    ASSERT_EQ(now.version().root.statistics.num_keys, map_.size());
  }
  size_t Leaves() const {
    const Snapshot now = database_->Newest().value();
    size_t leaves = 0;
    EXPECT_TRUE(VisitLeaves(now.reader(), now.version(), {}, [&](const std::string&, const BtreeNode&) {
                  ++leaves;
                  return true;
                }).ok());
    return leaves;
  }
  // Every leaf is filled to at least a quarter on average, and there are no needless levels.
  void ExpectDense() const {
    size_t bytes = 0;
    for (const auto& [key, value] : map_) {
      bytes += EstimatedBytes(LeafEntry{key, {false, value, {}}});
    }
    const size_t full = bytes / GetParam().node_bytes + 1;
    EXPECT_LE(Leaves(), 4 * full + 2);
    if (map_.size() < 2) {
      EXPECT_EQ(database_->Newest()->version().root_height, 0);
    }
  }
};

TEST_P(Shrinking, BySingleKeys) {
  Fill(600);
  std::vector<std::string> keys;
  for (const auto& [key, value] : map_) {
    keys.push_back(key);
  }
  std::shuffle(keys.begin(), keys.end(), random_);
  const int first_height = database_->Newest()->version().root_height;
  EXPECT_GE(first_height, 1);
  while (!keys.empty()) {
    WriteBatch batch;
    for (int i = 0; i < 9 && !keys.empty(); ++i) {
      batch.Delete(keys.back());
      map_.erase(keys.back());
      keys.pop_back();
    }
    Commit(batch);
    if (keys.size() % 100 < 9) {
      ASSERT_EQ(ReadAll(database_->Newest().value()), map_);
      ExpectDense();
    }
    if (keys.size() == 1) {
      EXPECT_EQ(database_->Newest()->version().root_height, 0);
    }
  }
  EXPECT_TRUE(database_->Newest()->version().empty());
}

TEST_P(Shrinking, ByRangesAndGrowingAgain) {
  for (int round = 0; round < 6; ++round) {
    map_.clear();
    Fill(400);
    for (int step = 0; step < 12; ++step) {
      WriteBatch batch;
      if (!map_.empty() && random_() % 4 != 0) {
        auto begin = std::next(map_.begin(), static_cast<ptrdiff_t>(random_() % map_.size()));
        auto end = begin;
        const auto left = static_cast<size_t>(std::distance(begin, map_.end()));
        std::advance(end, static_cast<ptrdiff_t>(1 + random_() % std::min<size_t>(150, left)));
        batch.DeleteRange({begin->first, end == map_.end() ? "" : end->first});
        map_.erase(begin, end);
      }
      for (int i = 0; i < 5; ++i) {
        const std::string key = absl::StrCat("key/of/some/length/", 10000 + random_() % 400);
        if (random_() % 3 == 0) {
          map_[key] = "new";
          batch.Put(key, "new");
        } else {
          map_.erase(key);
          batch.Delete(key);
        }
      }
      Commit(batch);
      ASSERT_EQ(ReadAll(database_->Newest().value()), map_);
    }
    ExpectDense();
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Shrinking,
                         testing::Values(ShrinkShape{200, 10}, ShrinkShape{700, 30}, ShrinkShape{700, 60},
                                         ShrinkShape{3000, 5}));

TEST(TreeWriter, TakesOffLevelsWhenOneChildIsLeft) {
  Config config = HistoryConfig(4);
  config.max_decoded_node_bytes = 200;
  const auto database = Database::Create(std::make_shared<store::MemoryStore>(), config).value();
  WriteBatch batch;
  for (int i = 0; i < 500; ++i) {
    batch.Put(absl::StrCat("key/", 1000 + i), "value");
  }
  ASSERT_TRUE(database->Commit(batch).ok());
  ASSERT_GE(database->Newest()->version().root_height, 3);
  WriteBatch range;
  range.DeleteRange({"key/1002", ""});
  ASSERT_TRUE(database->Commit(range).ok());
  const Snapshot now = database->Newest().value();
  EXPECT_EQ(now.version().root_height, 0);
  EXPECT_EQ(now.version().root.statistics.num_keys, 2);
  EXPECT_TRUE(CheckTree(now.reader(), now.version()).ok());
}

}  // namespace
}  // namespace cleave::ocdbt
