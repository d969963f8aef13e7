// Goal: a database behaves as a store. Method: the stores' conformance suite over it, under settings that make trees
// deep and values lie outside of them, and with two handles that know nothing of each other.
#include "ocdbt/database_store.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "store/file_store.h"
#include "store/memory_store.h"
#include "store/store_conformance.h"
#include "store/temporary_folder.h"

namespace cleave::store {
namespace {

using ocdbt::Config;
using ocdbt::Database;
using ocdbt::DatabaseStore;

std::shared_ptr<Store> Make(const std::shared_ptr<Store>& below, uint32_t node_bytes, uint32_t inline_bytes) {
  Config config;
  config.max_decoded_node_bytes = node_bytes;
  config.max_inline_value_bytes = inline_bytes;
  config.version_tree_arity_log2 = 1;
  return std::make_shared<DatabaseStore>(Database::Create(below, config).value());
}

// A second database handle with caches of its own.
std::shared_ptr<Store> Reopen(const std::shared_ptr<Store>& store) {
  return std::make_shared<DatabaseStore>(
      Database::Open(std::static_pointer_cast<DatabaseStore>(store)->database().store()).value());
}

std::shared_ptr<Store> InFolder() {
  static const TemporaryFolder root;
  static int count = 0;
  return Make(std::make_shared<FileStore>(absl::StrCat(root.path(), "/", ++count)), 131072, 4096);
}

INSTANTIATE_TEST_SUITE_P(
    Ocdbt, StoreConformance,
    testing::Values(StoreFactory{"Tiny", [] { return Make(std::make_shared<MemoryStore>(), 1, 0); }, Reopen},
                    StoreFactory{"Small", [] { return Make(std::make_shared<MemoryStore>(), 60, 1 << 20); }, Reopen},
                    StoreFactory{"Whole", [] { return Make(std::make_shared<MemoryStore>(), 0, 100); }, Reopen},
                    StoreFactory{"Folder", InFolder, Reopen}),
    NameOf);

TEST(DatabaseStore, ABatchIsOneVersion) {
  const auto below = std::make_shared<MemoryStore>();
  const std::shared_ptr<Database> database = Database::Create(below, {}).value();
  DatabaseStore store(database);
  const std::vector<KeyedWrite> writes = {{"a", "1", {}}, {"b", "2", {}}};
  const ocdbt::CommitResult committed = store.Commit(writes).value();
  EXPECT_EQ(committed.generation.value, 2);
  EXPECT_EQ(store.generation().value(), committed.generation);
  ASSERT_TRUE(store.Write("a", "3").ok());

  DatabaseStore then(database, database->At(committed.generation).value());
  EXPECT_EQ(then.Read("a")->value, "1");
  EXPECT_EQ(then.generation().value(), committed.generation);
  EXPECT_EQ(then.Write("a", "x").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(then.Delete("a").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(then.Describe("a"), testing::HasSubstr("|ocdbt:@v2/a"));
}

TEST(DatabaseStore, NamesTheObjectThatHoldsAValue) {
  const std::shared_ptr<Database> database = Database::Create(std::make_shared<MemoryStore>(), {}).value();
  DatabaseStore store(database);
  ASSERT_TRUE(store.Write("short", "inline").ok());
  ASSERT_TRUE(store.Write("long", std::string(1 << 20, 'x')).ok());
  EXPECT_THAT(store.Describe("long"), testing::HasSubstr("ocdbt:long (stored in memory://"));
  EXPECT_THAT(store.Describe("long"), testing::HasSubstr("[0, +1048576))"));
  EXPECT_THAT(store.Describe("short"), testing::EndsWith("ocdbt:short"));
  EXPECT_THAT(store.Describe("none"), testing::EndsWith("ocdbt:none"));
}

}  // namespace
}  // namespace cleave::store
