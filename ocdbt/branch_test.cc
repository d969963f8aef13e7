// Goal: a tag keeps its version, a branch has the history up to where it begins and is from there on a database of its
// own, and neither changes what it came from. Parts of version trees are exact for every shape of tree. Method:
// databases with many small commits under small arities, of both kinds of manifest; branches at every version,
// continued and compared with maps; random sets of versions that stay.
#include "ocdbt/branch.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "ocdbt/fork.h"
#include "ocdbt/history_testing.h"
#include "ocdbt/manifest_store.h"
#include "ocdbt/test_bytes.h"
#include "ocdbt/tree_check.h"
#include "ocdbt/version_select.h"
#include "ocdbt/version_tree.h"
#include "store/faulty_store.h"
#include "store/memory_store.h"

namespace cleave::ocdbt {
namespace {

using testing::HasSubstr;

std::vector<uint64_t> GenerationsOf(const std::vector<Version>& versions) {
  std::vector<uint64_t> generations;
  for (const Version& version : versions) {
    generations.push_back(version.generation.value);
  }
  return generations;
}

// The database lists exactly the versions of `expected` from generation 2 on, and each reads as it must.
void CheckHistory(const Database& database, const std::map<uint64_t, Map>& expected) {
  const auto manifest = ManifestStore(database.store()).Read();
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  const Snapshot newest = database.Newest().value();
  ASSERT_TRUE(CheckVersionTree((*manifest)->manifest, newest.reader()).ok());
  const std::vector<Version> versions = database.ListVersions({.first = {2}}).value();
  std::vector<uint64_t> generations;
  for (const auto& [generation, map] : expected) {
    generations.push_back(generation);
  }
  ASSERT_EQ(GenerationsOf(versions), generations);
  for (const auto& [generation, map] : expected) {
    ASSERT_EQ(ReadAll(database.At(GenerationNumber{generation}).value()), map) << "version " << generation;
  }
}

struct BranchShape {
  uint8_t arity_log2;
  ManifestKind kind;
};

class Branches : public testing::TestWithParam<BranchShape> {
 protected:
  std::shared_ptr<store::MemoryStore> store_ = std::make_shared<store::MemoryStore>();
  std::unique_ptr<Database> database_ =
      Database::Create(store_, HistoryConfig(GetParam().arity_log2, GetParam().kind)).value();
  History history_{TestSeed()};
  std::map<uint64_t, Map> versions_;
};

TEST_P(Branches, BeginAtEveryVersionAndGoTheirOwnWay) {
  history_.CommitMany(*database_, 22, versions_);
  for (uint64_t from = 2; from <= 23; ++from) {
    SCOPED_TRACE(absl::StrCat("from version ", from));
    const std::string name = absl::StrCat("b", from);
    const absl::Status created = CreateBranch(*database_, name, {from});
    ASSERT_TRUE(created.ok()) << created;
    const auto branch = OpenName(store_, NameKind::kBranch, name).value();
    std::map<uint64_t, Map> expected(versions_.begin(), versions_.upper_bound(from));
    CheckHistory(*branch, expected);
    history_.CommitMany(*branch, 6, expected);
    CheckHistory(*branch, expected);
    const auto reopened = OpenName(store_, NameKind::kBranch, name).value();
    CheckHistory(*reopened, expected);
  }
  CheckHistory(*database_, versions_);
  EXPECT_EQ(ListNamedVersions(store_, NameKind::kBranch)->size(), 22);
}

TEST_P(Branches, AreWrittenBesideEachOther) {
  history_.CommitMany(*database_, 5, versions_);
  ASSERT_TRUE(CreateBranch(*database_, "one", {4}).ok());
  const auto one = OpenName(store_, NameKind::kBranch, "one").value();
  ASSERT_TRUE(CreateBranch(*one, "two", {3}).ok());
  const auto two = OpenName(store_, NameKind::kBranch, "two").value();
  std::map<uint64_t, Map> of_one(versions_.begin(), versions_.upper_bound(4));
  std::map<uint64_t, Map> of_two(versions_.begin(), versions_.upper_bound(3));
  for (int i = 0; i < 10; ++i) {
    history_.CommitMany(*database_, 1, versions_);
    history_.CommitMany(*one, 1, of_one);
    history_.CommitMany(*two, 1, of_two);
  }
  CheckHistory(*database_, versions_);
  CheckHistory(*one, of_one);
  CheckHistory(*two, of_two);
  ASSERT_TRUE(DeleteName(store_, NameKind::kBranch, "one").ok());
  WriteBatch batch;
  batch.Put("late", "1");
  EXPECT_FALSE(one->Commit(batch).ok()) << "a branch that was deleted";
  EXPECT_TRUE(absl::IsNotFound(OpenName(store_, NameKind::kBranch, "one").status()));
  CheckHistory(*two, of_two);
  ASSERT_TRUE(CreateBranch(*database_, "one", {2}).ok()) << "the name is free again";
  CheckHistory(*OpenName(store_, NameKind::kBranch, "one").value(), {{2, versions_[2]}});
}

TEST_P(Branches, TagsNameOneVersionEach) {
  history_.CommitMany(*database_, 9, versions_);
  ASSERT_TRUE(CreateTag(*database_, "first", {2}).ok());
  ASSERT_TRUE(CreateTag(*database_, "release-1.0", {7}).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(CreateTag(*database_, "first", {3})));
  EXPECT_TRUE(absl::IsNotFound(CreateTag(*database_, "never", {99})));
  EXPECT_EQ(ReadAll(FindSnapshot(*database_, "release-1.0").value()), versions_[7]);
  EXPECT_EQ(ReadAll(FindSnapshot(*database_, "7").value()), versions_[7]);
  EXPECT_EQ(ReadAll(FindSnapshot(*database_, "v3").value()), versions_[3]);
  EXPECT_TRUE(absl::IsNotFound(FindSnapshot(*database_, "second").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(FindSnapshot(*database_, "a/b").status()));
  const std::vector<NamedVersion> tags = ListNamedVersions(store_, NameKind::kTag).value();
  ASSERT_EQ(tags.size(), 2);
  EXPECT_EQ(tags[1].name, "release-1.0");
  EXPECT_EQ(tags[1].version, database_->At(GenerationNumber{7})->version());
  const auto opened = OpenName(store_, NameKind::kTag, "first").value();
  EXPECT_TRUE(opened->read_only());
  ASSERT_TRUE(DeleteName(store_, NameKind::kTag, "first").ok());
  EXPECT_TRUE(absl::IsNotFound(DeleteName(store_, NameKind::kTag, "first")));
}

// A branch that is stopped at any write is there whole, or not at all, and can be made again.
TEST_P(Branches, StoppedAnywhereCanBeMadeAgain) {
  history_.CommitMany(*database_, 10, versions_);
  int64_t effects = 1;
  for (int64_t effect = 0; effect < effects; ++effect) {
    for (const store::Fault fault : {store::Fault::kBefore, store::Fault::kAfter, store::Fault::kLoseUnsynced}) {
      const auto faulty = std::make_shared<store::FaultyStore>(store_);
      const auto database = Database::Open(faulty).value();
      const std::string name = absl::StrCat("b", effect, "-", static_cast<int>(fault));
      faulty->Arm({.effect = effect, .fault = fault});
      EXPECT_FALSE(CreateBranch(*database, name, {5}).ok());
      effects = std::max(effects, faulty->effects());
      faulty->Restart();
      const absl::Status again = CreateBranch(*database, name, {5});
      EXPECT_TRUE(again.ok() || absl::IsAlreadyExists(again)) << again;
      std::map<uint64_t, Map> expected(versions_.begin(), versions_.upper_bound(5));
      CheckHistory(*OpenName(store_, NameKind::kBranch, name).value(), expected);
    }
    if (effect + 1 == effects) {
      const auto faulty = std::make_shared<store::FaultyStore>(store_);
      faulty->Arm({.effect = -1});
      ASSERT_TRUE(CreateBranch(*Database::Open(faulty).value(), "whole", {5}).ok());
      if (faulty->effects() > effects) {
        effects = faulty->effects();
        ASSERT_TRUE(DeleteName(store_, NameKind::kBranch, "whole").ok());
      }
    }
  }
  EXPECT_GE(effects, GetParam().kind == ManifestKind::kNumbered ? 2 : 1);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Branches,
                         testing::Values(BranchShape{1, ManifestKind::kSingle}, BranchShape{2, ManifestKind::kSingle},
                                         BranchShape{4, ManifestKind::kSingle},
                                         BranchShape{1, ManifestKind::kNumbered}));

TEST(Branch, OfAForkLiesInTheFork) {
  const auto base = std::make_shared<store::MemoryStore>();
  const auto folder = std::make_shared<store::MemoryStore>();
  History history(TestSeed());
  std::map<uint64_t, Map> versions;
  history.CommitMany(*Database::Create(base, HistoryConfig(2)).value(), 6, versions);
  ASSERT_TRUE(SealDatabase(*base).ok());
  const std::vector<std::string> before = base->List({}).value();
  const ForkPlace place{base, folder, "g1"};
  ASSERT_TRUE(ForkDatabase(place).ok());
  const auto fork = OpenFork(place).value();
  history.CommitMany(*fork, 3, versions);
  ASSERT_TRUE(CreateBranch(*fork, "try", {8}).ok());
  ASSERT_TRUE(CreateTag(*fork, "then", {4}).ok());
  const auto branch = OpenName(fork->store(), NameKind::kBranch, "try").value();
  std::map<uint64_t, Map> of_branch(versions.begin(), versions.upper_bound(8));
  history.CommitMany(*branch, 5, of_branch);
  CheckHistory(*branch, of_branch);
  CheckHistory(*fork, versions);
  EXPECT_EQ(ReadAll(FindSnapshot(*fork, "then").value()), versions[4]);
  EXPECT_EQ(base->List({}).value(), before);
  OpenOptions read_only;
  read_only.read_only = true;
  const auto sealed = Database::Open(base, read_only).value();
  EXPECT_TRUE(absl::IsFailedPrecondition(CreateBranch(*sealed, "b", {2})));
}

TEST(Names, AreChecked) {
  for (const absl::string_view name : {"a", "release-1.0", "2nd", "A_b.c"}) {
    EXPECT_TRUE(ValidateName(name).ok()) << name;
  }
  for (const absl::string_view name :
       {"", "7", "v7", "a/b", ".", "..", "-x", "a b", "a\n", "x.__lock", "\xc3\xa4", "2025-01-01T01:23:45Z"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ValidateName(name))) << name;
  }
  EXPECT_FALSE(ValidateName(std::string(101, 'a')).ok());
}

// --- parts of version trees ---

Version VersionNumber(uint64_t generation) {
  Version version;
  version.generation = {generation};
  version.commit_time = absl::FromUnixNanos(static_cast<int64_t>(1000 + generation));
  return version;
}

// A manifest that can be stored, and all of whose versions are found, by number and by time.
void CheckSound(const Manifest& manifest, const NodeReader& reader, const std::set<uint64_t>& must_have) {
  const absl::StatusOr<Manifest> decoded = DecodeManifest(EncodeManifest(manifest));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  ASSERT_TRUE(CheckVersionTree(manifest, reader).ok()) << CheckVersionTree(manifest, reader);
  const std::vector<Version> versions = FindVersions(manifest, reader, {1}, kMaxGenerationNumber).value();
  const std::vector<uint64_t> listed = GenerationsOf(versions);
  for (const uint64_t generation : must_have) {
    ASSERT_TRUE(std::find(listed.begin(), listed.end(), generation) != listed.end()) << generation << " is lost";
    ASSERT_EQ(FindVersion(manifest, reader, GenerationNumber{generation})->generation.value, generation);
  }
  for (const Version& version : versions) {
    const bool followed = version.generation == manifest.newest().generation ||
                          std::find(listed.begin(), listed.end(), version.generation.value + 1) != listed.end();
    const auto at_time = FindVersion(manifest, reader, CommittedBy{version.commit_time});
    ASSERT_EQ(at_time.ok(), followed) << "a version may be missing between this one and the next";
    ASSERT_TRUE(!at_time.ok() || *at_time == version);
  }
}

class VersionTrees : public testing::TestWithParam<int> {
 protected:
  std::shared_ptr<store::MemoryStore> store_ = std::make_shared<store::MemoryStore>();
  NodeReader reader_{store_, 1 << 20};
  DataFileWriter writer_{*store_, {}, RandomSource::System(), 1};  // each node is a file, and readable at once
  std::mt19937 random_{TestSeed()};

  Manifest Grow(Manifest manifest, uint64_t to) {
    for (uint64_t generation = manifest.newest().generation.value + 1; generation <= to; ++generation) {
      manifest = AppendVersion(manifest, VersionNumber(generation), reader_, writer_).value();
    }
    return manifest;
  }
  Manifest First() const { return {HistoryConfig(static_cast<uint8_t>(GetParam())), {VersionNumber(1)}, {}}; }
};

TEST_P(VersionTrees, UpToAnyVersionAreWhatTheyWereThen) {
  constexpr uint64_t kNewest = 150;
  const Manifest manifest = Grow(First(), kNewest);
  Manifest then = First();
  for (uint64_t last = 1; last <= kNewest; ++last) {
    then = Grow(then, last);
    const Manifest cut = ManifestUpTo(manifest, {last}, reader_, writer_).value();
    ASSERT_EQ(cut.versions, then.versions);
    ASSERT_EQ(cut.version_tree_nodes.size(), then.version_tree_nodes.size());
    for (size_t i = 0; i < then.version_tree_nodes.size(); ++i) {
      VersionNodeReference same_place = cut.version_tree_nodes[i];
      same_place.location = then.version_tree_nodes[i].location;
      ASSERT_EQ(same_place, then.version_tree_nodes[i]);
    }
    ASSERT_EQ(FindVersions(cut, reader_, {1}, kMaxGenerationNumber)->size(), last);
  }
  EXPECT_TRUE(absl::IsNotFound(ManifestUpTo(manifest, {kNewest + 1}, reader_, writer_).status()));
}

TEST_P(VersionTrees, KeepWhatIsAskedForAndGrowOn) {
  for (int round = 0; round < 12; ++round) {
    Manifest manifest = First();
    std::set<uint64_t> must_have;
    for (int turn = 0; turn < 4; ++turn) {
      manifest = Grow(manifest, manifest.newest().generation.value + random_() % 40);
      const uint64_t newest = manifest.newest().generation.value;
      KeptGenerations kept{{newest + 1 - random_() % std::min<uint64_t>(newest, 12)}, {}};
      std::erase_if(must_have, [&](uint64_t) { return random_() % 3 == 0; });
      const std::vector<Version> present = FindVersions(manifest, reader_, {1}, kMaxGenerationNumber).value();
      for (const Version& version : present) {
        if (version.generation >= kept.from || random_() % 15 == 0) {
          must_have.insert(version.generation.value);
        }
      }
      for (const uint64_t generation : must_have) {
        kept.singles.insert({generation});
      }
      must_have.insert(newest);
      manifest = KeepVersions(manifest, kept, reader_, writer_).value();
      CheckSound(manifest, reader_, must_have);
      ASSERT_LE(FindVersions(manifest, reader_, {1}, kMaxGenerationNumber)->size(), present.size());
    }
    for (int step = 0; step < 70; ++step) {
      manifest = Grow(manifest, manifest.newest().generation.value + 1);
      must_have.insert(manifest.newest().generation.value);
      CheckSound(manifest, reader_, must_have);
    }
  }
}

TEST_P(VersionTrees, ARunOfTheNewestKeepsNothingElse) {
  const Manifest manifest = Grow(First(), 100);
  for (uint64_t from = 1; from <= 100; ++from) {
    const Manifest left = KeepVersions(manifest, {{from}, {}}, reader_, writer_).value();
    const std::vector<Version> versions = FindVersions(left, reader_, {1}, kMaxGenerationNumber).value();
    ASSERT_EQ(versions.size(), 101 - from);
    ASSERT_EQ(versions.front().generation.value, from);
  }
}

INSTANTIATE_TEST_SUITE_P(Arities, VersionTrees, testing::Values(1, 2, 3, 4));

}  // namespace
}  // namespace cleave::ocdbt
