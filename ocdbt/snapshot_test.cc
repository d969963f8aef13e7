// Goal: a version that was opened shows what it showed, however it is read and whatever else happens, in bounded memory
// and with few requests. Method: small databases on stores that count their reads or lose their objects.
#include "ocdbt/snapshot.h"

#include <algorithm>
#include <map>
#include <random>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "ocdbt/database.h"
#include "ocdbt/test_bytes.h"
#include "store/faulty_store.h"
#include "store/memory_store.h"

namespace cleave::ocdbt {
namespace {

using Map = std::map<std::string, std::string>;
using testing::HasSubstr;

std::shared_ptr<store::Store> EmptyStore() { return std::make_shared<store::MemoryStore>(); }

Map ReadListed(const Snapshot& snapshot) {
  const std::vector<std::string> keys = snapshot.List({}).value();
  const auto values = snapshot.ReadMany(keys).value();
  Map all;
  for (size_t i = 0; i < keys.size(); ++i) {
    all[keys[i]] = *values[i];
  }
  return all;
}

// Every node on the way to many keys is read once, and values that lie side by side come together.
TEST(ReadMany, TakesFewReads) {
  const auto store = std::make_shared<store::FaultyStore>(EmptyStore());
  Config config;
  config.max_decoded_node_bytes = 1000;
  config.max_inline_value_bytes = 10;
  WriteBatch batch;
  std::vector<std::string> keys;
  for (int i = 1000; i < 2000; ++i) {
    keys.push_back(absl::StrCat("key/", i));
    batch.Put(keys.back(), std::string(300, static_cast<char>('a' + i % 26)));
  }
  ASSERT_TRUE(Database::Create(store, config).value()->Commit(batch).ok());
  const auto database = Database::Open(store).value();
  const Snapshot newest = database->Newest().value();
  EXPECT_GT(newest.version().root_height, 1);
  std::shuffle(keys.begin(), keys.end(), std::mt19937(TestSeed()));
  const int64_t before = store->reads();
  const auto values = newest.ReadMany(keys).value();
  const int64_t together = store->reads() - before;
  for (size_t i = 0; i < keys.size(); ++i) {
    ASSERT_EQ(values[i], std::string(300, static_cast<char>('a' + std::stoi(keys[i].substr(4)) % 26)));
  }
  // One file of 300 kB of values and their nodes: a read or two of each level, and of the values.
  EXPECT_LE(together, 2 * (newest.version().root_height + 2));
  const int64_t after = store->reads();
  for (const std::string& key : keys) {
    ASSERT_TRUE(newest.Read(key).ok());
  }
  EXPECT_EQ(store->reads() - after, 1000) << "the nodes are in the cache, each value is read";
}

TEST(ReadMany, ErrorsNameTheObject) {
  const auto store = EmptyStore();
  OpenOptions options;
  options.prefixes.value = "v/";
  const auto database = Database::Create(store, {}, options).value();
  WriteBatch batch;
  const std::vector<std::string> keys = {"a", "b", "c"};
  for (const std::string& key : keys) {
    batch.Put(key, std::string(5000, 'v'));
  }
  ASSERT_TRUE(database->Commit(batch).ok());
  const std::string file = store->List(store::KeyRange::Prefix("v/"))->front();
  ASSERT_TRUE(store->Write(file, std::string(12'000, 'v')).ok());
  absl::Status status = database->Newest()->ReadMany(keys).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr(absl::StrCat(file, "[10000, +5000)")));
  ASSERT_TRUE(store->Delete(file).ok());
  status = database->Newest()->ReadMany(keys).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("missing"));
}

// A version that was opened shows what it showed, whatever happens to the database afterwards.
TEST(Snapshots, StayValid) {
  const auto store = EmptyStore();
  auto database = Database::Create(store, {}).value();
  WriteBatch first;
  first.Put("a", std::string(5000, '1'));
  ASSERT_TRUE(database->Commit(first).ok());
  const Snapshot then = database->Newest().value();
  const Map before = ReadListed(then);
  for (int i = 0; i < 40; ++i) {
    WriteBatch batch;
    batch.DeleteRange({});
    batch.Put(absl::StrCat(i), "x");
    ASSERT_TRUE(database->Commit(batch).ok());
  }
  EXPECT_EQ(ReadListed(then), before);
  database.reset();  // the handle is gone, what it gave out is not
  EXPECT_EQ(ReadListed(then), before);
  EXPECT_EQ(then.ReadMany(std::vector<std::string>{"a"})->front(), std::string(5000, '1'));
}

// The cache keeps within its limit, and reads are right with one of any size.
TEST(Cache, KeepsWithinItsLimit) {
  const auto store = EmptyStore();
  Config config;
  config.max_decoded_node_bytes = 1000;
  WriteBatch batch;
  for (int i = 0; i < 2000; ++i) {
    batch.Put(absl::StrCat("key/", i), absl::StrCat("value ", i));
  }
  ASSERT_TRUE(Database::Create(store, config).value()->Commit(batch).ok());
  for (const size_t cache_bytes : {size_t{0}, size_t{5000}, size_t{100'000}}) {
    OpenOptions options;
    options.cache_bytes = cache_bytes;
    const auto database = Database::Open(store, options).value();
    const Snapshot newest = database->Newest().value();
    for (int i = 0; i < 2000; i += 7) {
      ASSERT_EQ(newest.Read(absl::StrCat("key/", i))->value, absl::StrCat("value ", i));
      ASSERT_LE(newest.reader().cached_bytes(), cache_bytes);
    }
    EXPECT_GE(newest.reader().cached_bytes(), cache_bytes / 2);
  }
}

}  // namespace
}  // namespace cleave::ocdbt
