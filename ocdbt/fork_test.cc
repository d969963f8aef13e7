// Goal: a fork has the whole history of its base, writes only into its own folder, and never changes the base. Method:
// a base of many versions, forks and forks of forks written side by side, for both kinds of manifest. Dumps of them are
// read as a person would.
#include "ocdbt/fork.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "ocdbt/dump.h"
#include "ocdbt/node_cache.h"
#include "ocdbt/staged_changes.h"
#include "ocdbt/tree_check.h"
#include "store/file_store.h"
#include "store/memory_store.h"
#include "store/temporary_folder.h"

namespace cleave::ocdbt {
namespace {

using testing::HasSubstr;

void PutKey(Database& database, const std::string& key, const std::string& value) {
  WriteBatch batch;
  batch.Put(key, value);
  const absl::Status status = database.Commit(batch).status();
  ASSERT_TRUE(status.ok()) << status;
}

std::map<std::string, std::string> Bytes(const store::Store& store) {
  std::map<std::string, std::string> bytes;
  const std::vector<std::string> keys = store.List({}).value();
  for (const std::string& key : keys) {
    bytes[key] = *store.Read(key)->value;
  }
  return bytes;
}

class Forks : public testing::TestWithParam<ManifestKind> {
 protected:
  std::shared_ptr<store::Store> base_ = std::make_shared<store::MemoryStore>();

  void FillBase() {
    Config config;
    config.manifest_kind = GetParam();
    config.version_tree_arity_log2 = 1;
    config.max_decoded_node_bytes = 60;
    config.max_inline_value_bytes = 4;
    const auto database = Database::Create(base_, config).value();
    for (int i = 0; i < 9; ++i) {
      PutKey(*database, absl::StrCat("key", i), absl::StrCat("base value ", i));
    }
  }
  ForkPlace Place(const std::string& name) { return {base_, std::make_shared<store::MemoryStore>(), name}; }
};

TEST_P(Forks, ShareTheBaseAndNothingElse) {
  FillBase();
  const ForkPlace one = Place("one"), two = Place("two");
  EXPECT_EQ(ForkDatabase(one).code(), absl::StatusCode::kFailedPrecondition) << "the base is not sealed";
  ASSERT_TRUE(SealDatabase(*base_).ok());
  const auto before = Bytes(*base_);
  ASSERT_TRUE(ForkDatabase(one).ok());
  ASSERT_TRUE(ForkDatabase(two).ok());
  EXPECT_EQ(ForkDatabase(one).code(), absl::StatusCode::kFailedPrecondition) << "there already";
  const auto first = OpenFork(one).value(), second = OpenFork(two).value();
  for (int i = 0; i < 20; ++i) {
    PutKey(*first, absl::StrCat("key", i), absl::StrCat("first ", i));
    PutKey(*second, absl::StrCat("key", i), absl::StrCat("second ", i));
  }
  for (uint64_t generation = 1; generation <= 10; ++generation) {
    EXPECT_EQ(first->At(GenerationNumber{generation})->List({})->size(), generation - 1);
  }
  EXPECT_EQ(first->At(GenerationNumber{10})->Read("key3")->value, "base value 3");
  EXPECT_EQ(first->At(GenerationNumber{14})->Read("key3")->value, "first 3");
  EXPECT_EQ(second->Newest()->Read("key3")->value, "second 3");
  const std::vector<Version> versions = first->ListVersions().value();
  for (const Version& version : versions) {
    EXPECT_TRUE(CheckTree(first->Newest()->reader(), version).ok());
  }
  EXPECT_EQ(Bytes(*base_), before);
  for (const auto& [key, bytes] : Bytes(*one.folder)) {
    EXPECT_TRUE(key.starts_with("manifest.") || key.starts_with("one_d/")) << key;
  }
}

TEST_P(Forks, CanBeForkedThemselves) {
  FillBase();
  ASSERT_TRUE(SealDatabase(*base_).ok());
  const ForkPlace one = Place("one");
  ASSERT_TRUE(ForkDatabase(one).ok());
  const auto first = OpenFork(one).value();
  PutKey(*first, "own", "of the first");
  const ForkedStore stack = StackFork(one).value();
  ASSERT_TRUE(SealDatabase(*stack.store).ok());
  EXPECT_EQ(OpenFork(one).status().code(), absl::StatusCode::kFailedPrecondition);
  const ForkPlace two{stack.store, std::make_shared<store::MemoryStore>(), "two"};
  ASSERT_TRUE(ForkDatabase(two).ok());
  const auto second = OpenFork(two).value();
  PutKey(*second, "own", "of the second, too long to be inline");
  EXPECT_EQ(second->Newest()->Read("own")->value, "of the second, too long to be inline");
  EXPECT_EQ(second->Newest()->Read("key8")->value, "base value 8");
  EXPECT_EQ(second->At(GenerationNumber{11})->Read("own")->value, "of the first");
}

TEST_P(Forks, AnInterruptedOneIsFinished) {
  FillBase();
  ASSERT_TRUE(SealDatabase(*base_).ok());
  const ForkPlace place = Place("one");
  ASSERT_TRUE(ForkDatabase(place).ok());
  ASSERT_TRUE(place.folder->Delete("manifest.ocdbt").ok());  // as if the copy had ended before the last object
  ASSERT_TRUE(ForkDatabase(place).ok());
  EXPECT_EQ(OpenFork(place).value()->Newest()->Read("key3")->value, "base value 3");
}

INSTANTIATE_TEST_SUITE_P(Kinds, Forks, testing::Values(ManifestKind::kSingle, ManifestKind::kNumbered));

TEST(Fork, RefusesNamesAndPlacesThatCannotBe) {
  const auto base = std::make_shared<store::MemoryStore>();
  for (const std::string name : {"", "a/b", "..", "."}) {
    EXPECT_EQ(ForkDatabase({base, base, name}).code(), absl::StatusCode::kInvalidArgument) << name;
  }
  EXPECT_EQ(ForkDatabase({base, base, "a"}).code(), absl::StatusCode::kNotFound);
}

TEST(Fork, SpecificationIsTheOneTensorStoreKnows) {
  const store::TemporaryFolder folder;
  const auto base = std::make_shared<store::FileStore>(folder.path() + "/base");
  const auto own = std::make_shared<store::FileStore>(folder.path() + "/g");
  ASSERT_TRUE(Database::Create(base, {}).ok());
  ASSERT_TRUE(SealDatabase(*base).ok());
  ASSERT_TRUE(ForkDatabase({base, own, "g"}).ok());
  const auto spec = nlohmann::json::parse(OpenFork({base, own, "g"}).value()->KvStoreSpec());
  const auto file = [&](const std::string& path) {
    return nlohmann::json{{"driver", "file"}, {"path", folder.path() + path}};
  };
  EXPECT_EQ(spec, (nlohmann::json{{"driver", "ocdbt"},
                                  {"base",
                                   {{"driver", "kvstack"},
                                    {"layers",
                                     {{{"base", file("/base/")}},
                                      {{"exact", "manifest.ocdbt"}, {"base", file("/g/manifest.ocdbt")}},
                                      {{"prefix", "g_d/"}, {"base", file("/g/g_d/")}},
                                      {{"prefix", "cleave/"}, {"base", file("/g/cleave/")}}}}}},
                                  {"value_data_prefix", "g_d/"},
                                  {"btree_node_data_prefix", "g_d/"},
                                  {"version_tree_node_data_prefix", "g_d/"}}));
}

TEST(Dump, TellsEverythingFromTheManifestDown) {
  const auto store = std::make_shared<store::MemoryStore>();
  Config config;
  config.max_decoded_node_bytes = 60;
  config.max_inline_value_bytes = 4;
  config.version_tree_arity_log2 = 1;
  const auto database = Database::Create(store, config).value();
  for (int i = 0; i < 5; ++i) {
    PutKey(*database, absl::StrCat("key", i), i == 0 ? "in" : "outside\xff");
  }
  const auto manifest = nlohmann::json::parse(DumpManifest(*store).value());
  EXPECT_EQ(manifest["config"]["version_tree_arity_log2"], 1);
  EXPECT_EQ(manifest["versions"].back()["generation"], 6);
  const auto node_at = [&](const nlohmann::json& text) {
    return nlohmann::json::parse(DumpNode(*store, ParseDataReference(text.get<std::string>()).value()).value());
  };
  auto node = node_at(manifest["versions"].back()["root"]);
  EXPECT_EQ(node["kind"], "b-tree node");
  while (node["height"] != 0) {
    node = node_at(node["entries"][0]["child"]);
  }
  EXPECT_EQ(node["entries"][0]["inline_value"], "in");
  auto versions = node_at(manifest["version_tree_nodes"][0]["location"]);
  EXPECT_EQ(versions["kind"], "version tree node");
  while (versions["height"] != 0) {
    versions = node_at(versions["children"][0]["location"]);
  }
  EXPECT_EQ(versions["versions"][0]["generation"], 1);

  EXPECT_EQ(DumpNode(*store, {DataFileId("", "d/none"), 0, 10}).status().code(), absl::StatusCode::kNotFound);
  const absl::Status wrong = DumpNode(*store, {DataFileId("", "manifest.ocdbt"), 0, 10}).status();
  EXPECT_EQ(wrong.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(wrong.message(), HasSubstr("manifest.ocdbt[0, +10)"));
  for (const absl::string_view text : {"", "d/x", "d/x[1, 2)", "d/x[1, +2", "d/x[a, +2)"}) {
    EXPECT_EQ(ParseDataReference(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(NodeCache, KeepsWhatWasUsedLastWithinItsLimit) {
  NodeCache cache(3000);
  for (const std::string name : {"a", "b", "c", "d"}) {
    cache.Insert(name, std::make_shared<const std::string>(name), 700);
    (void)cache.Find<std::string>("a");
  }
  EXPECT_LE(cache.used_bytes(), 3000);
  ASSERT_NE(cache.Find<std::string>("a"), nullptr);
  EXPECT_EQ(*cache.Find<std::string>("a"), "a");
  EXPECT_EQ(cache.Find<std::string>("b"), nullptr);
  EXPECT_NE(cache.Find<std::string>("d"), nullptr);
  cache.Insert("huge", std::make_shared<const std::string>("huge"), 10'000);
  EXPECT_EQ(cache.Find<std::string>("huge"), nullptr);
}

TEST(StagedChanges, LaterOnesWin) {
  StagedChanges changes;
  const LeafValue value{false, "v", {}};
  changes.Set("b", value);
  changes.DeleteRange({"a", "c"});
  changes.DeleteRange({"c", "e"});
  changes.Set("d", value);
  EXPECT_FALSE(*changes.Find("b"));
  EXPECT_TRUE(*changes.Find("d"));
  EXPECT_EQ(changes.Find("e"), nullptr);
  EXPECT_TRUE(changes.DeletesAll({"a", "d"}));
  EXPECT_FALSE(changes.DeletesAll({"a", "e"}));
  EXPECT_FALSE(changes.Touches({"e", ""}));
  EXPECT_TRUE(changes.Touches({"", "b"}));
  changes.DeleteRange({"", ""});
  EXPECT_TRUE(changes.DeletesAll({}));
}

}  // namespace
}  // namespace cleave::ocdbt
