// Goal: whole databases that TensorStore wrote are read as TensorStore reads them, every version of them, and go on as
// ordinary databases of ours. Method: testdata/golden holds databases that TensorStore 0.1.86 made
// (make_golden_databases.py): several configurations, deep version trees, deletes, numbered manifests, and one that
// refers to the files of two others through base paths. The reverse, TensorStore reading ours, is
// tensorstore_interop_test.py.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "ocdbt/bulk_writer.h"
#include "ocdbt/database.h"
#include "ocdbt/manifest_store.h"
#include "ocdbt/tree_check.h"
#include "store/memory_store.h"

namespace cleave::ocdbt {
namespace {

using Contents = std::map<std::string, std::string>;

struct GoldenDatabase {
  std::shared_ptr<store::Store> store = std::make_shared<store::MemoryStore>();
  std::map<uint64_t, Contents> versions;
};

GoldenDatabase Load(const std::string& name) {
  std::ifstream file(absl::StrCat(CLEAVE_SOURCE_DIR, "/ocdbt/testdata/golden/", name, ".json"));
  const nlohmann::json json = nlohmann::json::parse(file);
  GoldenDatabase golden;
  for (const auto& [key, text] : json["objects"].items()) {
    std::string bytes;
    EXPECT_TRUE(absl::Base64Unescape(text.get<std::string>(), &bytes));
    EXPECT_TRUE(golden.store->Write(key, bytes).ok());
  }
  Contents contents;
  for (const nlohmann::json& version : json["versions"]) {
    for (const auto& [key, value] : version["put"].items()) {
      contents[absl::HexStringToBytes(key)] = absl::HexStringToBytes(value.get<std::string>());
    }
    for (const nlohmann::json& key : version["deleted"]) {
      contents.erase(absl::HexStringToBytes(key.get<std::string>()));
    }
    golden.versions[version["generation"]] = contents;
  }
  return golden;
}

Contents ScanAll(const Snapshot& snapshot) {
  Contents all;
  const absl::Status status = snapshot.Scan({}, [&](const ScannedEntry& entry) -> absl::StatusOr<bool> {
    absl::StatusOr<std::string> value = snapshot.ReadValue(entry.value);
    if (!value.ok()) {
      return value.status();
    }
    all[std::string(entry.key)] = *std::move(value);
    return true;
  });
  EXPECT_TRUE(status.ok()) << status;
  return all;
}

class TensorStoreDatabase : public testing::TestWithParam<std::string> {
 protected:
  // Every version, by scan, key by key and many keys at once, and every rule of every tree.
  static void CheckVersions(const GoldenDatabase& golden) {
    const auto database = Database::Open(golden.store);
    ASSERT_TRUE(database.ok()) << database.status();
    ManifestStore manifests(golden.store);
    const Snapshot newest = (*database)->Newest().value();
    const absl::Status tree = CheckVersionTree(manifests.Read().value()->manifest, newest.reader());
    ASSERT_TRUE(tree.ok()) << tree;
    ASSERT_EQ((*database)->ListVersions()->size(), golden.versions.size());
    ASSERT_EQ(newest.generation().value, golden.versions.rbegin()->first);
    for (const auto& [generation, contents] : golden.versions) {
      const Snapshot snapshot = (*database)->At(GenerationNumber{generation}).value();
      const absl::Status checked = CheckTree(snapshot.reader(), snapshot.version());
      ASSERT_TRUE(checked.ok()) << checked;
      ASSERT_EQ(ScanAll(snapshot), contents) << "generation " << generation;
      std::vector<std::string> keys;
      for (const auto& [key, value] : contents) {
        ASSERT_EQ(snapshot.Read(key)->value, value);
        keys.push_back(key);
      }
      keys.emplace_back("certainly absent");
      const auto many = snapshot.ReadMany(keys).value();
      for (size_t i = 0; i + 1 < keys.size(); ++i) {
        ASSERT_EQ(many[i], contents.at(keys[i]));
      }
      ASSERT_EQ(many.back(), std::nullopt);
    }
  }
};

TEST_P(TensorStoreDatabase, IsReadAtEveryVersion) {
  const GoldenDatabase golden = Load(GetParam());
  ASSERT_GT(golden.versions.size(), 6);
  CheckVersions(golden);
}

TEST_P(TensorStoreDatabase, GoesOn) {
  GoldenDatabase golden = Load(GetParam());
  const auto database = Database::Open(golden.store).value();
  for (int step = 0; step < 6; ++step) {
    Contents contents = golden.versions.rbegin()->second;
    WriteBatch batch;
    int nth = 0;
    for (auto it = contents.begin(); it != contents.end(); ++nth) {
      if (nth % 5 == step) {  // of every fifth key a new value; of some that are next to them, none
        it->second = absl::StrCat("ours ", step, std::string(nth % 2 == 0 ? 0 : 50, '.'));
        batch.Put(it->first, it->second);
        ++it;
      } else if (nth % 11 == step) {
        batch.Delete(it->first);
        it = contents.erase(it);
      } else {
        ++it;
      }
    }
    batch.Put("\xffnew", contents["\xffnew"] = absl::StrCat(step));
    const absl::StatusOr<CommitResult> committed = database->Commit(batch);
    ASSERT_TRUE(committed.ok()) << committed.status();
    golden.versions[committed->generation.value] = contents;
  }
  const auto writer = BulkWriter::Create(*database).value();
  ASSERT_TRUE(writer->Put("bulk", "filled").ok());
  const GenerationNumber generation = writer->Finish()->generation;
  Contents contents = golden.versions.rbegin()->second;
  contents["bulk"] = "filled";
  golden.versions[generation.value] = contents;
  CheckVersions(golden);
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(CLEAVE_SOURCE_DIR "/ocdbt/testdata/golden")) {
    names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(Golden, TensorStoreDatabase, testing::ValuesIn(Names()),
                         [](const auto& name) { return name.param; });

TEST(GoldenDatabases, HaveWhatTheirNamesSay) {
  EXPECT_EQ(Names().size(), 7);
  const auto deep = Load("deep_version_tree");
  EXPECT_GE(ManifestStore(deep.store).Read().value()->manifest.version_tree_nodes.front().height, 5);
  const auto tall = Load("one_entry_a_node");
  EXPECT_GE(Database::Open(tall.store).value()->Newest()->version().root_height, 3);
  const auto numbered = Load("numbered");
  EXPECT_EQ(Database::Open(numbered.store).value()->config().manifest_kind, ManifestKind::kNumbered);
  // Values that lie in the files of the other two databases.
  const auto with_base_paths = Load("base_paths");
  const Snapshot newest = Database::Open(with_base_paths.store).value()->Newest().value();
  std::set<std::string> base_paths;
  ASSERT_TRUE(newest
                  .Scan({},
                        [&](const ScannedEntry& entry) {
                          base_paths.insert(entry.value.reference.file.base_path());
                          return true;
                        })
                  .ok());
  EXPECT_THAT(base_paths, testing::UnorderedElementsAre("", "m/", "m/i/"));
}

}  // namespace
}  // namespace cleave::ocdbt
