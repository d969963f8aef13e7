// Goal: verify finds every damaged object and names it, and finds none in a sound database. Method: a database with
// branches and tags; each of its objects in turn is removed, shortened, or changed in one byte.
#include "ocdbt/verify.h"

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "ocdbt/branch.h"
#include "ocdbt/history_testing.h"
#include "ocdbt/manifest_store.h"
#include "ocdbt/reachable.h"
#include "ocdbt/test_bytes.h"
#include "store/memory_store.h"

namespace cleave::ocdbt {
namespace {

using testing::HasSubstr;

class Verify : public testing::Test {
 protected:
  void SetUp() override {
    History history(TestSeed());
    const auto database = Database::Create(store_, HistoryConfig(1), Options("d/")).value();
    std::map<uint64_t, Map> versions;
    history.CommitMany(*database, 9, versions);
    ASSERT_TRUE(CreateTag(*database, "then", {4}).ok());
    ASSERT_TRUE(CreateBranch(*database, "try", {6}).ok());
    const auto branch = OpenName(store_, NameKind::kBranch, "try").value();
    std::map<uint64_t, Map> of_branch = {{6, versions[6]}};
    history.CommitMany(*branch, 3, of_branch);
  }

  static OpenOptions Options(const std::string& prefix) {
    OpenOptions options;
    options.prefixes = {absl::StrCat("v", prefix), absl::StrCat("n", prefix), absl::StrCat("t", prefix)};
    options.target_data_file_bytes = 1;  // a file for each object
    return options;
  }

  VerifyReport Run(const VerifyOptions& options = {}) const {
    absl::StatusOr<VerifyReport> report = VerifyDatabase(store_, options, Progress::Silent());
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *std::move(report) : VerifyReport();
  }

  // As garbage collection sees it, which goes its own way.
  std::set<std::string> NeededFiles() const {
    const NodeReader reader(store_, 1 << 20);
    ReachableFiles reachable(reader);
    const auto branch = StackName(store_, NameKind::kBranch, "try").value();
    const auto tag = StackName(store_, NameKind::kTag, "then").value();
    for (const auto& store : {std::shared_ptr<store::Store>(store_), branch, tag}) {
      EXPECT_TRUE(reachable.AddManifest(ManifestStore(store).Read().value()->manifest, Progress::Silent()).ok());
    }
    std::set<std::string> files;
    const std::vector<std::string> keys = store_->List({}).value();
    for (const std::string& key : keys) {
      if (reachable.Contains(key)) {
        files.insert(key);
      }
    }
    return files;
  }

  std::shared_ptr<store::MemoryStore> store_ = std::make_shared<store::MemoryStore>();
};

TEST_F(Verify, FindsNothingWrongWithASoundDatabase) {
  const VerifyReport report = Run();
  EXPECT_TRUE(report.clean());
  EXPECT_EQ(report.versions, 10 + 1 + 9);
  EXPECT_GT(report.tree_nodes, 20);
  EXPECT_GT(report.version_nodes, 3);
  EXPECT_GT(report.values, 3);
  EXPECT_EQ(Run({.read_values = false}).values, 0);
}

TEST_F(Verify, NamesEveryObjectThatIsDamaged) {
  const std::vector<std::string> keys = store_->List({}).value();
  const std::set<std::string> needed = NeededFiles();
  int removed = 0, changed = 0;
  for (const std::string& key : keys) {
    if (!absl::StrContains(key, "manifest") && !needed.contains(key)) {
      continue;  // a node of a version tree that has grown since
    }
    SCOPED_TRACE(key);
    const std::string bytes = *store_->Read(key)->value;
    const bool manifest = absl::StrContains(key, "manifest");
    if (!manifest) {  // without its manifest, a name does not exist
      ASSERT_TRUE(store_->Delete(key).ok());
      const VerifyReport report = Run();
      ASSERT_FALSE(report.clean());
      EXPECT_THAT(report.damages.front().what, HasSubstr(key));
      ++removed;
    }
    ASSERT_TRUE(store_->Write(key, bytes.substr(0, bytes.size() - 1)).ok());
    EXPECT_FALSE(Run().clean());
    if (!absl::StartsWith(key, "v") && !absl::StrContains(key, "/d/")) {  // values have no checksum
      std::string flipped = bytes;
      flipped[bytes.size() / 2] ^= 4;
      ASSERT_TRUE(store_->Write(key, flipped).ok());
      const VerifyReport report = Run();
      ASSERT_FALSE(report.clean());
      EXPECT_THAT(report.damages.front().what, HasSubstr(key));
      ++changed;
    }
    ASSERT_TRUE(store_->Write(key, bytes).ok());
  }
  EXPECT_TRUE(Run().clean());
  EXPECT_GT(removed, 20);
  EXPECT_GT(changed, 20);
}

TEST_F(Verify, GoesOnBehindDamageAndCountsAll) {
  const std::vector<std::string> keys = store_->List(store::KeyRange::Prefix("nd/")).value();
  for (const std::string& key : keys) {
    ASSERT_TRUE(store_->Delete(key).ok());
  }
  const VerifyReport report = Run({.damages_max = 2});
  EXPECT_EQ(report.damages.size(), 2);
  EXPECT_GT(report.found, 2);
  EXPECT_THAT(report.damages.front().where, HasSubstr("version 2"));
}

TEST_F(Verify, NeedsADatabase) {
  EXPECT_TRUE(
      absl::IsNotFound(VerifyDatabase(std::make_shared<store::MemoryStore>(), {}, Progress::Silent()).status()));
}

}  // namespace
}  // namespace cleave::ocdbt
