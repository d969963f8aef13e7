// Goal: a database behaves as a store. Method: the stores' conformance suite over it, under settings that make trees
// deep and values lie outside of them, with two handles that know nothing of each other; over memory, a folder, a
// fork's stack of stores and numbered manifests; with node limits of 0, 1 and 1 MiB, inline limits of 0 and 1 MiB and
// version trees of every arity, each with each. CLEAVE_TEST_SCALE=small runs some of these: every value meets some of
// the others.
#include "ocdbt/database_store.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "ocdbt/fork.h"
#include "store/fall_through_store.h"
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

std::shared_ptr<Store> NewFolder() {
  static const TemporaryFolder root;
  static int count = 0;
  return std::make_shared<FileStore>(absl::StrCat(root.path(), "/", ++count));
}

std::shared_ptr<Store> InFolder() { return Make(NewFolder(), 131072, 4096); }

std::shared_ptr<Store> Numbered() {
  Config config;
  config.max_decoded_node_bytes = 300;
  config.version_tree_arity_log2 = 1;
  config.manifest_kind = ocdbt::ManifestKind::kNumbered;
  return std::make_shared<DatabaseStore>(Database::Create(std::make_shared<MemoryStore>(), config).value());
}

// A fork, whose store is a stack of its folder over that of a sealed base.
std::shared_ptr<Store> Forked() {
  static int count = 0;
  const ocdbt::ForkPlace place{std::make_shared<MemoryStore>(), NewFolder(), absl::StrCat("fork", ++count)};
  EXPECT_TRUE(Database::Create(place.base, {}).ok());
  EXPECT_TRUE(ocdbt::SealDatabase(*place.base).ok());
  EXPECT_TRUE(ocdbt::ForkDatabase(place).ok());
  return std::make_shared<DatabaseStore>(ocdbt::OpenFork(place).value());
}

std::shared_ptr<Store> ReopenFork(const std::shared_ptr<Store>& store) {
  const Database& database = std::static_pointer_cast<DatabaseStore>(store)->database();
  ocdbt::OpenOptions options;
  options.prefixes = database.options().prefixes;
  return std::make_shared<DatabaseStore>(Database::Open(database.store(), options).value());
}

// Of a volume without copy, whose original has none of these keys.
std::shared_ptr<Store> OverAnOriginal() {
  return std::make_shared<FallThroughStore>(Make(std::make_shared<MemoryStore>(), 60, 100),
                                            std::make_shared<MemoryStore>(), KeyRange::Prefix(""));
}

INSTANTIATE_TEST_SUITE_P(
    Ocdbt, StoreConformance,
    testing::Values(StoreFactory{"Tiny", [] { return Make(std::make_shared<MemoryStore>(), 1, 0); }, Reopen},
                    StoreFactory{"Small", [] { return Make(std::make_shared<MemoryStore>(), 60, 1 << 20); }, Reopen},
                    StoreFactory{"Whole", [] { return Make(std::make_shared<MemoryStore>(), 0, 100); }, Reopen},
                    StoreFactory{"Folder", InFolder, Reopen}, StoreFactory{"Numbered", Numbered, Reopen},
                    StoreFactory{"Fork", Forked, ReopenFork}, StoreFactory{"OverAnOriginal", OverAnOriginal}),
    NameOf);

std::vector<StoreFactory> Configurations() {
  const char* scale = std::getenv("CLEAVE_TEST_SCALE");
  const bool all = scale == nullptr || absl::string_view(scale) != "small";
  std::vector<StoreFactory> factories;
  int combination = 0;
  for (uint8_t arity_log2 = 1; arity_log2 <= 16; ++arity_log2) {
    for (const uint32_t node_bytes : {0U, 1U, 1U << 20}) {
      for (const uint32_t inline_bytes : {0U, 1U << 20}) {
        if (!all && combination++ % 5 != 0) {  // of the six of each arity one at least, not always the same
          continue;
        }
        const auto make = [=] {
          Config config;
          config.max_decoded_node_bytes = node_bytes;
          config.max_inline_value_bytes = inline_bytes;
          config.version_tree_arity_log2 = arity_log2;
          return std::make_shared<DatabaseStore>(Database::Create(std::make_shared<MemoryStore>(), config).value());
        };
        factories.push_back(
            {absl::StrCat("Arity", static_cast<int>(arity_log2), "Nodes", node_bytes, "Inline", inline_bytes), make,
             Reopen});
      }
    }
  }
  return factories;
}

INSTANTIATE_TEST_SUITE_P(OcdbtConfigurations, StoreConformance, testing::ValuesIn(Configurations()), NameOf);

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
