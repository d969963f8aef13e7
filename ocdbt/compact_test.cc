// Goal: compaction changes where the newest version lies and nothing else, also when others commit meanwhile, and lets
// garbage collection free the old files. Method: random histories against maps; a store that stops it at every effect,
// or lets others commit just before one.
#include "ocdbt/compact.h"

#include "gtest/gtest.h"

#include "ocdbt/branch.h"
#include "ocdbt/bulk_writer.h"
#include "ocdbt/garbage.h"
#include "ocdbt/history_testing.h"
#include "ocdbt/manifest_store.h"
#include "ocdbt/test_bytes.h"
#include "ocdbt/verify.h"
#include "store/faulty_store.h"
#include "store/memory_store.h"

namespace cleave::ocdbt {
namespace {

using store::Fault;
using store::FaultyStore;

void ExpectSound(const std::shared_ptr<store::Store>& store) {
  const auto report = VerifyDatabase(store, {}, Progress::Silent());
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_TRUE(report->clean()) << report->damages.front().where << ": " << report->damages.front().what;
}

class Compact : public testing::TestWithParam<ManifestKind> {
 protected:
  History history_{TestSeed()};
  std::map<uint64_t, Map> versions_;

  std::unique_ptr<Database> Fill(const std::shared_ptr<store::Store>& store) {
    auto database = Database::Create(store, HistoryConfig(2, GetParam())).value();
    versions_.clear();
    history_.CommitMany(*database, 25, versions_);
    return database;
  }
};

TEST_P(Compact, MovesTheNewestVersionAndFreesTheRest) {
  const auto store = std::make_shared<store::MemoryStore>();
  const auto database = Fill(store);
  const CompactReport report = CompactDatabase(*database, {}, Progress::Silent()).value();
  EXPECT_TRUE(report.changed);
  EXPECT_EQ(report.generation.value, 27);
  EXPECT_GT(report.values_moved, 0);
  EXPECT_GT(report.files_before, 5);
  EXPECT_LT(report.files_after, report.files_before);
  ExpectSound(store);
  for (const auto& [generation, map] : versions_) {
    ASSERT_EQ(ReadAll(database->At(GenerationNumber{generation}).value()), map);
  }
  EXPECT_EQ(ReadAll(database->Newest().value()), versions_.rbegin()->second);
  const CompactReport all = CompactDatabase(*database, {.all_values = true}, Progress::Silent()).value();
  EXPECT_EQ(all.files_after, 1);
  GarbageOptions options;
  options.dry_run = false;
  options.grace = absl::ZeroDuration();
  options.keep.newest = 1;
  ASSERT_TRUE(CollectGarbage(*database, options, Progress::Silent()).ok());
  EXPECT_LE(store->List(store::KeyRange::Prefix("d/"))->size(), 3);
  ExpectSound(store);
  EXPECT_EQ(ReadAll(database->Newest().value()), versions_.rbegin()->second);
  history_.CommitMany(*database, 5, versions_);
  ExpectSound(store);
}

TEST_P(Compact, StoppedAnywhereChangesNothingOrAll) {
  int64_t effects = 1;
  int points = 0;
  for (int64_t effect = 0; effect < effects; ++effect) {
    for (const Fault fault : {Fault::kBefore, Fault::kAfter, Fault::kTwice, Fault::kLoseUnsynced}) {
      SCOPED_TRACE(absl::StrCat("fault ", static_cast<int>(fault), " at effect ", effect));
      const auto memory = std::make_shared<store::MemoryStore>();
      const auto other = Fill(memory);
      const auto faulty = std::make_shared<FaultyStore>(memory);
      OpenOptions open;
      open.target_data_file_bytes = 700;
      open.commit_timeout = absl::Seconds(20);
      const auto database = Database::Open(faulty, open).value();
      faulty->Arm({.effect = effect, .fault = fault});
      (void)CompactDatabase(*database, {.all_values = true}, Progress::Silent());
      effects = std::max(effects, faulty->effects());
      points += faulty->fired() ? 1 : 0;
      faulty->Restart();
      ExpectSound(memory);
      EXPECT_EQ(ReadAll(other->Newest().value()), versions_.rbegin()->second);
      history_.CommitMany(*other, 2, versions_);
      ExpectSound(memory);
    }
  }
  std::printf("%lld effects of a compaction, stopped at %d points\n", static_cast<long long>(effects), points);
  EXPECT_GT(effects, 6);
}

TEST_P(Compact, TakesUpWhatOthersCommitMeanwhile) {
  int64_t effects = 1;
  for (int64_t effect = 0; effect < effects; ++effect) {
    const auto memory = std::make_shared<store::MemoryStore>();
    const auto other = Fill(memory);
    const auto faulty = std::make_shared<FaultyStore>(memory);
    OpenOptions open;
    open.target_data_file_bytes = 700;
    const auto database = Database::Open(faulty, open).value();
    faulty->SetHook([&](int64_t at) {
      if (at == effect || at == effect + 2) {
        history_.CommitMany(*other, 2, versions_);
      }
    });
    const auto report = CompactDatabase(*database, {.all_values = true}, Progress::Silent());
    faulty->SetHook(nullptr);
    ASSERT_TRUE(report.ok()) << report.status();
    effects = std::max(effects, faulty->effects());
    ExpectSound(memory);
    EXPECT_EQ(ReadAll(other->Newest().value()), versions_.rbegin()->second);
  }
}

TEST_P(Compact, OfABranchStaysInTheBranch) {
  const auto store = std::make_shared<store::MemoryStore>();
  const auto database = Fill(store);
  ASSERT_TRUE(CreateBranch(*database, "try", {12}).ok());
  const auto branch = OpenName(store, NameKind::kBranch, "try").value();
  const Version before = database->Newest()->version();
  ASSERT_TRUE(CompactDatabase(*branch, {.all_values = true}, Progress::Silent()).ok());
  EXPECT_EQ(database->Newest()->version(), before);
  EXPECT_EQ(ReadAll(branch->Newest().value()), versions_[12]);
  EXPECT_TRUE(branch->Newest()->version().root.location.file.path().starts_with("cleave/branches/try/d/"));
  ExpectSound(store);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Compact, testing::Values(ManifestKind::kSingle, ManifestKind::kNumbered));

TEST(CompactOf, AnEmptyDatabaseIsNothing) {
  const auto store = std::make_shared<store::MemoryStore>();
  const auto database = Database::Create(store, {}).value();
  EXPECT_FALSE(CompactDatabase(*database, {}, Progress::Silent())->changed);
  EXPECT_EQ(store->List({})->size(), 1);
}

}  // namespace
}  // namespace cleave::ocdbt
