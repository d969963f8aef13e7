// Goal: a bulk fill makes the tree that holds what was put, whatever its size, in little memory. Method: random keys
// put by several threads, with runs so small that many are merged, against std::map; every tree checked node by node.
// Seed: CLEAVE_TEST_SEED.
#include "ocdbt/bulk_writer.h"

#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "base/parallel.h"
#include "ocdbt/history_testing.h"
#include "ocdbt/test_bytes.h"
#include "ocdbt/tree_check.h"
#include "store/memory_store.h"

namespace cleave::ocdbt {
namespace {

TEST(BulkWriter, AgreesWithAMapOverWhatWasThere) {
  std::mt19937 random(TestSeed());
  for (const uint32_t node_bytes : {0U, 1U, 60U, 700U, 131072U}) {
    for (const uint32_t inline_bytes : {0U, 30U, 1U << 20}) {
      Config config;
      config.max_decoded_node_bytes = node_bytes;
      config.max_inline_value_bytes = inline_bytes;
      const auto database = Database::Create(std::make_shared<store::MemoryStore>(), config).value();
      std::map<std::string, std::string> map;
      for (int fill = 0; fill < 3; ++fill) {
        BulkOptions options;
        options.memory_bytes = 3000;
        const auto writer = BulkWriter::Create(*database, options).value();
        for (int i = 0; i < 300; ++i) {
          const std::string key = absl::StrCat("k", random() % 500, std::string(random() % 30, 'x'));
          const std::string value(random() % 50, static_cast<char>('a' + i % 26));
          ASSERT_TRUE(writer->Put(key, value).ok());
          map[key] = value;
        }
        const GenerationNumber before = database->Newest()->generation();
        const absl::StatusOr<CommitResult> result = writer->Finish();
        ASSERT_TRUE(result.ok()) << result.status();
        ASSERT_EQ(result->generation.value, before.value + 1);
        const Snapshot now = database->Newest().value();
        ASSERT_EQ(ReadAll(now), map);
        const absl::Status checked = CheckTree(now.reader(), now.version());
        ASSERT_TRUE(checked.ok()) << checked;
      }
      // It goes on as an ordinary database.
      WriteBatch batch;
      batch.DeleteRange({"k1", "k3"});
      batch.Put("k2", "again");
      ASSERT_TRUE(database->Commit(batch).ok());
      map.erase(map.lower_bound("k1"), map.lower_bound("k3"));
      map["k2"] = "again";
      ASSERT_EQ(ReadAll(database->Newest().value()), map);
    }
  }
}

TEST(BulkWriter, ManyThreadsPutAtOnce) {
  const auto store = std::make_shared<store::MemoryStore>();
  const auto database = Database::Create(store, {}).value();
  BulkOptions options;
  options.memory_bytes = 100'000;
  const auto writer = BulkWriter::Create(*database, options).value();
  constexpr int64_t kKeys = 3000;
  ASSERT_TRUE(ParallelFor(kKeys, 4, [&](int64_t i) {
                return writer->Put(absl::StrCat("chunk/", i), std::string(i % 7000, 'v'));
              }).ok());
  ASSERT_TRUE(writer->Finish().ok());
  const Snapshot now = database->Newest().value();
  EXPECT_EQ(now.version().root.statistics.num_keys, kKeys);
  EXPECT_TRUE(CheckTree(now.reader(), now.version()).ok());
  for (int64_t i = 0; i < kKeys; i += 97) {
    EXPECT_EQ(now.Read(absl::StrCat("chunk/", i))->value, std::string(i % 7000, 'v'));
  }
}

TEST(BulkWriter, NothingIsSeenOrLeftWithoutFinish) {
  const auto store = std::make_shared<store::MemoryStore>();
  OpenOptions open;
  open.target_data_file_bytes = 1000;
  const auto database = Database::Create(store, {}, open).value();
  {
    const auto writer = BulkWriter::Create(*database).value();
    ASSERT_TRUE(writer->Put("k", std::string(10'000, 'x')).ok());
    EXPECT_EQ(store->List({})->size(), 3) << "the manifest, a data file, and the lease that keeps it";
    EXPECT_TRUE(database->Newest()->List({})->empty());
  }
  EXPECT_EQ(store->List({})->size(), 1);
}

TEST(BulkWriter, RefusesWhatCannotBeStored) {
  const auto store = std::make_shared<store::MemoryStore>();
  const auto database = Database::Create(store, {}).value();
  const auto writer = BulkWriter::Create(*database).value();
  EXPECT_EQ(writer->Put(std::string(65536, 'k'), "").code(), absl::StatusCode::kInvalidArgument);
  OpenOptions read_only;
  read_only.read_only = true;
  const auto reader = Database::Open(store, read_only).value();
  EXPECT_EQ(BulkWriter::Create(*reader).status().code(), absl::StatusCode::kInvalidArgument);
  BulkOptions nowhere;
  nowhere.temporary_folder = "/no/such/folder";
  const auto failing = BulkWriter::Create(*database, nowhere).value();
  ASSERT_TRUE(failing->Put("k", "v").ok());
  EXPECT_FALSE(failing->Finish().ok());
}

}  // namespace
}  // namespace cleave::ocdbt
