// Goal: garbage collection removes all that nothing needs and nothing else, whatever else happens at the same time and
// wherever it is stopped. Method: a clock that the test sets; histories with tags, branches and pins against maps; a
// store that stops the collection at every effect; commits, tags, branches and pins made just before every effect of a
// collection; and whole collections, hours apart, made just before every effect of a commit, as if its process had been
// stopped there. Afterwards every version is read, and the files that are left are compared with those that are needed.
#include "ocdbt/garbage.h"

#include <atomic>
#include <thread>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/status.h"
#include "ocdbt/branch.h"
#include "ocdbt/bulk_writer.h"
#include "ocdbt/clock_testing.h"
#include "ocdbt/fork.h"
#include "ocdbt/garbage_list.h"
#include "ocdbt/history_testing.h"
#include "ocdbt/lease.h"
#include "ocdbt/manifest_store.h"
#include "ocdbt/reachable.h"
#include "ocdbt/test_bytes.h"
#include "ocdbt/verify.h"
#include "store/faulty_store.h"
#include "store/file_store.h"
#include "store/memory_store.h"
#include "store/temporary_folder.h"

namespace cleave::ocdbt {
namespace {

using store::Fault;
using store::FaultyStore;
using testing::HasSubstr;

class Garbage : public testing::TestWithParam<ManifestKind> {
 protected:
  OpenOptions Open() {
    OpenOptions options;
    options.clock = &clock_;
    options.target_data_file_bytes = 500;
    return options;
  }
  std::unique_ptr<Database> Create(const std::shared_ptr<store::Store>& store) {
    return Database::Create(store, HistoryConfig(1, GetParam()), Open()).value();
  }
  GarbageOptions Delete(KeepRules keep = {}, absl::Duration grace = absl::Hours(24)) {
    GarbageOptions options;
    options.keep = keep;
    options.grace = grace;
    options.dry_run = false;
    options.clock = &clock_;
    return options;
  }
  absl::StatusOr<GarbageReport> Collect(const std::shared_ptr<store::Store>& store, const GarbageOptions& options) {
    if (!options.keep.all()) {
      clock_.Advance(absl::Minutes(11));  // what is younger stays
    }
    CLEAVE_ASSIGN_OR_RETURN(const auto database, Database::Open(store, Open()));
    return CollectGarbage(*database, options, Progress::Silent());
  }
  // Until all that is not needed now has gone. No lease may be about.
  void CollectAll(const std::shared_ptr<store::Store>& store, KeepRules keep = {}) {
    for (bool more = true; more;) {
      const auto report = Collect(store, Delete(keep));
      ASSERT_TRUE(report.ok()) << report.status();
      clock_.Advance(absl::Hours(25));
      more = report->marked_now + report->waiting + report->removed.size() > 0;
    }
  }

  static std::set<std::string> FilesOf(store::Store& store) {
    const std::vector<std::string> keys = store.List({}).value();
    std::set<std::string> files;
    for (const std::string& key : keys) {
      if (absl::StrContains(key, "d/")) {
        files.insert(key);
      }
    }
    return files;
  }
  static std::set<std::string> NeededOf(const std::shared_ptr<store::Store>& store) {
    const NodeReader reader(store, 1 << 20);
    ReachableFiles reachable(reader);
    EXPECT_TRUE(reachable.AddManifest(ManifestStore(store).Read().value()->manifest, Progress::Silent()).ok());
    for (const NameKind kind : {NameKind::kTag, NameKind::kBranch}) {
      const std::vector<std::string> names = ListNames(*store, kind).value();
      for (const std::string& name : names) {
        const auto stack = StackName(store, kind, name).value();
        EXPECT_TRUE(reachable.AddManifest(ManifestStore(stack).Read().value()->manifest, Progress::Silent()).ok());
      }
    }
    std::set<std::string> files = FilesOf(*store);
    std::erase_if(files, [&](const std::string& file) { return !reachable.Contains(file); });
    return files;
  }
  static void ExpectSound(const std::shared_ptr<store::Store>& store) {
    const auto report = VerifyDatabase(store, {}, Progress::Silent());
    ASSERT_TRUE(report.ok()) << report.status();
    ASSERT_TRUE(report->clean()) << report->damages.front().where << ": " << report->damages.front().what;
  }
  // Every version that is listed is what it was, and `must_have` are listed.
  static void ExpectVersions(const Database& database, const std::map<uint64_t, Map>& versions,
                             const std::set<uint64_t>& must_have) {
    const std::vector<Version> listed = database.ListVersions().value();
    std::set<uint64_t> found;
    for (const Version& version : listed) {
      found.insert(version.generation.value);
      if (const auto map = versions.find(version.generation.value); map != versions.end()) {
        ASSERT_EQ(ReadAll(database.Show(version)), map->second) << "version " << version.generation.value;
      }
    }
    for (const uint64_t generation : must_have) {
      ASSERT_TRUE(found.contains(generation)) << "version " << generation << " is lost";
    }
  }

  FakeClock clock_;
  History history_{TestSeed()};
};

TEST_P(Garbage, WhatNothingRefersToGoesAfterTheGracePeriodAndAllElseStays) {
  const auto store = std::make_shared<store::MemoryStore>();
  const auto database = Create(store);
  std::map<uint64_t, Map> versions;
  history_.CommitMany(*database, 20, versions);
  CollectAll(store);  // version-tree nodes that have grown since
  const std::set<std::string> before = FilesOf(*store);
  EXPECT_EQ(before, NeededOf(store));
  const std::string orphan = "d/00112233445566778899aabbccddeeff";
  const std::string of_branch = "cleave/branches/gone/d/00112233445566778899aabbccddeeff";
  for (const std::string& key :
       {orphan, of_branch, std::string("d/notes.txt"), std::string("other/d/00112233445566778899aabbccddeeff")}) {
    ASSERT_TRUE(store->Write(key, "left behind").ok());
  }
  GarbageOptions dry = Delete();
  dry.dry_run = true;
  EXPECT_EQ(Collect(store, dry)->marked_now, 2);
  EXPECT_EQ(Collect(store, Delete())->marked_now, 2);
  EXPECT_TRUE(Collect(store, Delete())->removed.empty());
  clock_.Advance(absl::Hours(23));
  const GarbageReport early = Collect(store, Delete()).value();
  EXPECT_TRUE(early.removed.empty());
  EXPECT_EQ(early.waiting, 2);
  clock_.Advance(absl::Hours(2));
  EXPECT_THAT(Collect(store, dry)->removed, testing::UnorderedElementsAre(orphan, of_branch));
  EXPECT_TRUE(store->Read(orphan)->value.has_value()) << "that was a dry run";
  EXPECT_THAT(Collect(store, Delete())->removed, testing::UnorderedElementsAre(orphan, of_branch));
  CollectAll(store);  // a fence may have left a node of the version tree behind
  std::set<std::string> left = FilesOf(*store);
  EXPECT_EQ(left.erase("d/notes.txt") + left.erase("other/d/00112233445566778899aabbccddeeff"), 2);
  EXPECT_EQ(left, NeededOf(store));
  ExpectVersions(*database, versions, {2, 7, 21});
}

TEST_P(Garbage, OldVersionsGoWhenAskedForAndTagsBranchesAndPinsKeepTheirs) {
  const auto store = std::make_shared<store::MemoryStore>();
  const auto database = Create(store);
  std::map<uint64_t, Map> versions;
  history_.CommitMany(*database, 40, versions);
  ASSERT_TRUE(CreateTag(*database, "then", {11}).ok());
  ASSERT_TRUE(CreateBranch(*database, "try", {14}).ok());
  const auto branch = OpenName(store, NameKind::kBranch, "try", Open()).value();
  std::map<uint64_t, Map> of_branch(versions.begin(), versions.upper_bound(14));
  history_.CommitMany(*branch, 10, of_branch);
  LeaseOptions lease_options;
  lease_options.clock = &clock_;
  lease_options.renew_in_background = false;
  lease_options.duration = absl::Hours(40);
  const auto pin = Lease::PinVersion(*database, {23}, lease_options).value();
  const size_t files = FilesOf(*store).size();
  const GarbageReport report = Collect(store, Delete({.newest = 3})).value();
  ASSERT_EQ(report.versions.size(), 2);
  EXPECT_EQ(report.versions[0].kept + report.versions[0].removed, 41);
  EXPECT_GE(report.versions[0].kept, 3 + 2);
  EXPECT_LE(report.versions[0].kept_for_format, 10);
  EXPECT_EQ(report.pins, 1);
  EXPECT_TRUE(report.removed.empty()) << "only marked";
  ExpectSound(store);
  clock_.Advance(absl::Hours(25));
  ASSERT_FALSE(Collect(store, Delete({.newest = 3}))->removed.empty());
  ExpectSound(store);
  const std::set<uint64_t> must_have =
      GetParam() == ManifestKind::kSingle ? std::set<uint64_t>{11, 23, 39, 40, 41} : std::set<uint64_t>{11, 23, 41};
  ExpectVersions(*database, versions, must_have);
  ExpectVersions(*branch, of_branch, {24});
  EXPECT_EQ(ReadAll(FindSnapshot(*database, "then").value()), versions[11]);
  EXPECT_LT(FilesOf(*store).size(), files);
  history_.CommitMany(*database, 9, versions);
  history_.CommitMany(*branch, 9, of_branch);
  ExpectSound(store);
  // The pin runs out, the names are deleted: then theirs go too.
  clock_.Advance(absl::Hours(40));
  EXPECT_FALSE(pin->held());
  ASSERT_TRUE(DeleteName(store, NameKind::kTag, "then").ok());
  ASSERT_TRUE(DeleteName(store, NameKind::kBranch, "try").ok());
  CollectAll(store, {.newest = 1});
  EXPECT_EQ(database->Newest()->version().root, database->ListVersions()->front().root) << "one, and those of fences";
  EXPECT_EQ(ReadAll(database->Newest().value()), versions.rbegin()->second);
  EXPECT_EQ(FilesOf(*store), NeededOf(store));
}

TEST_P(Garbage, KeepsWhatWasThereSinceATime) {
  const auto store = std::make_shared<store::MemoryStore>();
  const auto database = Create(store);
  std::map<uint64_t, Map> versions;
  std::vector<absl::Time> times;
  for (int i = 0; i < 12; ++i) {
    history_.CommitMany(*database, 1, versions);
    clock_.Advance(absl::Hours(1));
    times.push_back(clock_.Now());  // after version i + 2
  }
  const auto report = Collect(store, Delete({.since = times[6]}));
  ASSERT_TRUE(report.ok()) << report.status();
  ExpectVersions(*database, versions, {8, 9, 10, 11, 12, 13});
  EXPECT_EQ(database->ListVersions()->front().generation.value, 8) << "the one that was the newest then";
  EXPECT_EQ(database->At(CommittedBy{times[6]})->generation().value, 8);
  EXPECT_TRUE(absl::IsNotFound(database->At(CommittedBy{times[3]}).status()));
}

// Stopped at every effect, in every way, and run again.
TEST_P(Garbage, StoppedAnywhereLeavesASoundDatabaseAndIsFinishedLater) {
  int64_t effects = 1;
  int points = 0;
  const uint32_t seed = TestSeed();
  for (int64_t effect = 0; effect < effects; ++effect) {
    for (const Fault fault : {Fault::kBefore, Fault::kAfter, Fault::kTwice, Fault::kLoseUnsynced}) {
      SCOPED_TRACE(absl::StrCat("fault ", static_cast<int>(fault), " at effect ", effect));
      const auto memory = std::make_shared<store::MemoryStore>();
      const auto database = Create(memory);
      History history(seed);
      std::map<uint64_t, Map> versions;
      history.CommitMany(*database, 9, versions);
      ASSERT_TRUE(CreateTag(*database, "then", {3}).ok());
      ASSERT_TRUE(CreateBranch(*database, "try", {5}).ok());
      for (const char* orphan : {"d/00112233445566778899aabbccddeeff", "d/ff112233445566778899aabbccddeeff"}) {
        ASSERT_TRUE(memory->Write(orphan, "of a writer that died").ok());
      }
      ASSERT_TRUE(Collect(memory, Delete()).ok());  // marks what is garbage already
      clock_.Advance(absl::Hours(25));
      const auto faulty = std::make_shared<FaultyStore>(memory);
      faulty->Arm({.effect = effect, .fault = fault});
      const auto report = Collect(faulty, Delete({.newest = 2}));
      effects = std::max(effects, faulty->effects());
      points += faulty->fired() ? 1 : 0;
      EXPECT_TRUE(!report.ok() || fault == Fault::kTwice || !faulty->fired());
      faulty->Restart();
      ExpectSound(memory);
      ExpectVersions(*database, versions, {3, 10});
      history.CommitMany(*database, 2, versions);
      CollectAll(memory, {.newest = 2});
      ExpectSound(memory);
      const uint64_t newest = versions.rbegin()->first;
      ExpectVersions(*database, versions, {3, newest});
      EXPECT_EQ(FilesOf(*memory), NeededOf(memory));
    }
  }
  std::printf("%lld effects of a collection, stopped at %d points\n", static_cast<long long>(effects), points);
  EXPECT_GE(effects, 8);
}

// Just before every effect of a collection that removes versions without any grace, another process commits, tags,
// begins a branch, or takes a pin.
TEST_P(Garbage, WhatOthersDoMeanwhileIsNeverLost) {
  int64_t effects = 1;
  const uint32_t seed = TestSeed();
  for (int64_t effect = 0; effect < effects; ++effect) {
    for (const int deed : {0, 1, 2, 3, 4}) {
      SCOPED_TRACE(absl::StrCat("deed ", deed, " before effect ", effect));
      const auto memory = std::make_shared<store::MemoryStore>();
      const auto other = Create(memory);
      History history(seed);
      std::map<uint64_t, Map> versions;
      history.CommitMany(*other, 9, versions);
      ASSERT_TRUE(CreateBranch(*other, "old", {5}).ok());
      const auto old_branch = OpenName(memory, NameKind::kBranch, "old", Open()).value();
      std::map<uint64_t, Map> of_old(versions.begin(), versions.upper_bound(5));
      std::unique_ptr<Lease> pin;
      absl::Status done = absl::NotFoundError("not done");
      const auto faulty = std::make_shared<FaultyStore>(memory);
      bool once = false;
      faulty->SetHook([&](int64_t at) {
        if (at != effect || std::exchange(once, true)) {
          return;
        }
        if (deed == 0) {
          history.CommitMany(*other, 1, versions);
          done = absl::OkStatus();
        } else if (deed == 1) {
          done = CreateTag(*other, "then", {4});
        } else if (deed == 2) {
          done = CreateBranch(*other, "try", {4});
        } else if (deed == 3) {
          LeaseOptions lease_options;
          lease_options.clock = &clock_;
          lease_options.renew_in_background = false;
          auto taken = Lease::PinVersion(*other, {4}, lease_options);
          done = taken.status();
          pin = taken.ok() ? *std::move(taken) : nullptr;
        } else {
          history.CommitMany(*old_branch, 1, of_old);
          done = absl::OkStatus();
        }
      });
      const Snapshot pinned = other->At(GenerationNumber{4}).value();
      const auto report = Collect(faulty, Delete({.newest = 1}, absl::ZeroDuration()));
      faulty->SetHook(nullptr);
      ASSERT_TRUE(report.ok()) << report.status();
      effects = std::max(effects, faulty->effects());
      EXPECT_TRUE(done.ok() || absl::IsNotFound(done) || (deed == 2 && absl::IsUnavailable(done))) << done;
      ExpectSound(memory);
      ExpectVersions(*other, versions, {versions.rbegin()->first});
      ExpectVersions(*old_branch, of_old, {of_old.rbegin()->first});
      if (done.ok() && deed == 1) {
        EXPECT_EQ(ReadAll(FindSnapshot(*other, "then").value()), versions[4]);
      } else if (done.ok() && deed == 2) {
        const auto branch = OpenName(memory, NameKind::kBranch, "try", Open()).value();
        EXPECT_EQ(ReadAll(branch->Newest().value()), versions[4]);
      } else if (done.ok() && deed == 3) {
        EXPECT_EQ(ReadAll(Database::Open(memory).value()->Show(pinned.version())), versions[4]);
      }
    }
  }
  EXPECT_GE(effects, 8);
}

// The process of a commit is stopped before each of its effects, for days in which collections are made and others
// commit; then it goes on.
TEST_P(Garbage, ACommitThatWasStoppedForDaysStaysWhole) {
  for (const bool others_commit : {false, true}) {
    for (const bool no_grace : {false, true}) {
      int64_t effects = 1;
      for (int64_t effect = 0; effect < effects; ++effect) {
        SCOPED_TRACE(absl::StrCat("stopped before effect ", effect, others_commit ? ", others commit" : "",
                                  no_grace ? ", no grace" : ""));
        const auto memory = std::make_shared<store::MemoryStore>();
        const auto other = Create(memory);
        std::map<uint64_t, Map> versions;
        history_.CommitMany(*other, 6, versions);
        const auto faulty = std::make_shared<FaultyStore>(memory);
        const auto stopped = Database::Open(faulty, Open()).value();
        // The second stop hits the second attempt, which uses the values of the first.
        int stops = 0;
        faulty->SetHook([&](int64_t at) {
          if (at != effect && at != effect + 2) {
            return;
          }
          ++stops;
          for (int i = 0; i < 3; ++i) {
            if (others_commit) {
              WriteBatch batch;
              batch.Put("other", absl::StrCat(stops, " ", i));
              ASSERT_TRUE(other->Commit(batch).ok());
            }
            const auto report =
                Collect(memory, Delete({.newest = 100}, no_grace ? absl::ZeroDuration() : absl::Hours(24)));
            ASSERT_TRUE(report.ok()) << report.status();
            clock_.Advance(absl::Hours(25));
          }
        });
        WriteBatch batch;
        for (int i = 0; i < 6; ++i) {
          batch.Put(absl::StrCat("long/", i), std::string(300, static_cast<char>('a' + i)));
        }
        const absl::StatusOr<CommitResult> committed = stopped->Commit(batch);
        faulty->SetHook(nullptr);
        effects = std::max(effects, faulty->effects());
        ASSERT_TRUE(committed.ok()) << committed.status();
        ExpectSound(memory);
        const Map all = ReadAll(stopped->Newest().value());
        for (int i = 0; i < 6; ++i) {
          ASSERT_EQ(all.at(absl::StrCat("long/", i)), std::string(300, static_cast<char>('a' + i)));
        }
      }
      EXPECT_GE(effects, 4);
    }
  }
}

// The same with a fill, whose values are written long before the commit. It may have to be done anew when its lease ran
// out, but never refers to what is gone.
TEST_P(Garbage, AFillThatWasStoppedForDaysIsWholeOrRefused) {
  int refused = 0;
  for (const absl::Duration pause : {absl::Minutes(1), absl::Hours(25)}) {
    int64_t effects = 1;
    for (int64_t effect = 0; effect < effects; ++effect) {
      const auto memory = std::make_shared<store::MemoryStore>();
      const auto other = Create(memory);
      const auto faulty = std::make_shared<FaultyStore>(memory);
      const auto stopped = Database::Open(faulty, Open()).value();
      faulty->SetHook([&](int64_t at) {
        if (at == effect) {
          for (int i = 0; i < 2; ++i) {
            ASSERT_TRUE(Collect(memory, Delete({}, pause / 2)).ok());
            clock_.Advance(pause);
          }
          ASSERT_TRUE(Collect(memory, Delete({}, pause / 2)).ok());
        }
      });
      absl::Status status;
      {
        const auto bulk = BulkWriter::Create(*stopped).value();
        for (int i = 0; i < 8; ++i) {
          status.Update(bulk->Put(absl::StrCat("long/", i), std::string(300, 'x')));
        }
        status.Update(bulk->Finish().status());
      }
      faulty->SetHook(nullptr);
      effects = std::max(effects, faulty->effects());
      ExpectSound(memory);
      if (status.ok()) {
        EXPECT_EQ(ReadAll(other->Newest().value()).size(), 8);
      } else {
        EXPECT_TRUE(absl::IsAborted(status)) << status;
        EXPECT_GT(pause, absl::Hours(1)) << "its lease was alive";
        EXPECT_EQ(other->Newest()->generation().value,
                  GetParam() == ManifestKind::kSingle ? 1 : other->Newest()->generation().value);
        ++refused;
      }
    }
    EXPECT_GT(effects, 5);
  }
  EXPECT_GT(refused, 0);
}

TEST_P(Garbage, ARunningCollectionAndThreadsThatWriteDoNotMeet) {
  const store::TemporaryFolder folder;
  const auto store = std::make_shared<store::FileStore>(folder.path());
  Config config = HistoryConfig(1, GetParam());
  const auto database = Database::Create(store, config).value();
  ASSERT_TRUE(CreateBranch(*database, "side", {1}).ok());
  std::atomic<bool> done = false;
  std::vector<std::thread> writers;
  std::vector<Map> maps(3);
  for (int writer = 0; writer < 3; ++writer) {
    writers.emplace_back([&, writer] {
      const auto own = writer == 0 ? OpenName(store, NameKind::kBranch, "side").value() : Database::Open(store).value();
      for (int i = 0; i < 12; ++i) {
        WriteBatch batch;
        const std::string key = absl::StrCat("w", writer, "/", i % 5);
        maps[writer][key] = absl::StrCat(i, std::string(i % 2 == 0 ? 100 : 3, '.'));
        batch.Put(key, maps[writer][key]);
        const absl::Status status = own->Commit(batch).status();
        ASSERT_TRUE(status.ok()) << status;
      }
    });
  }
  std::thread collector([&] {
    while (!done) {
      GarbageOptions options;
      options.dry_run = false;
      options.grace = absl::ZeroDuration();
      options.keep.newest = 10;
      const auto report = CollectGarbage(*Database::Open(store).value(), options, Progress::Silent());
      ASSERT_TRUE(report.ok() || absl::IsUnavailable(report.status())) << report.status();
    }
  });
  for (std::thread& writer : writers) {
    writer.join();
  }
  done = true;
  collector.join();
  ExpectSound(store);
  Map both = maps[1];
  both.insert(maps[2].begin(), maps[2].end());
  EXPECT_EQ(ReadAll(database->Newest().value()), both);
  EXPECT_EQ(ReadAll(OpenName(store, NameKind::kBranch, "side").value()->Newest().value()), maps[0]);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Garbage, testing::Values(ManifestKind::kSingle, ManifestKind::kNumbered));

TEST(GarbageOf, ForksAndBasesKeepsToItsOwnFiles) {
  const auto base = std::make_shared<store::MemoryStore>();
  const auto folder = std::make_shared<store::MemoryStore>();
  History history(TestSeed());
  std::map<uint64_t, Map> versions;
  history.CommitMany(*Database::Create(base, HistoryConfig(1)).value(), 6, versions);
  ASSERT_TRUE(base->Write("d/00112233445566778899aabbccddeeff", "an orphan of the base").ok());
  ASSERT_TRUE(SealDatabase(*base).ok());
  const size_t base_keys = base->List({})->size();
  const ForkPlace place{base, folder, "g1"};
  ASSERT_TRUE(ForkDatabase(place).ok());
  const auto fork = OpenFork(place).value();
  history.CommitMany(*fork, 10, versions);
  ASSERT_TRUE(folder->Write("g1_d/00112233445566778899aabbccddeeff", "an orphan of the fork").ok());
  GarbageOptions options;
  options.dry_run = false;
  options.grace = absl::ZeroDuration();
  options.keep.newest = 2;
  const auto report = CollectGarbage(*fork, options, Progress::Silent());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(report->removed, testing::Contains("g1_d/00112233445566778899aabbccddeeff"));
  EXPECT_EQ(base->List({})->size(), base_keys);
  EXPECT_EQ(ReadAll(fork->Newest().value()), versions.rbegin()->second);
  EXPECT_TRUE(VerifyDatabase(fork->store(), {}, Progress::Silent())->clean());
  OpenOptions read_only;
  read_only.read_only = true;
  const auto sealed = Database::Open(base, read_only).value();
  EXPECT_TRUE(absl::IsFailedPrecondition(CollectGarbage(*sealed, options, Progress::Silent()).status()));
}

TEST(GarbageOf, ADamagedDatabaseIsNotTouched) {
  const auto store = std::make_shared<store::MemoryStore>();
  const auto database = Database::Create(store, HistoryConfig(1)).value();
  History history(TestSeed());
  std::map<uint64_t, Map> versions;
  history.CommitMany(*database, 6, versions);
  const std::string root = database->Newest()->version().root.location.file.path();
  ASSERT_TRUE(store->Delete(root).ok());
  const std::vector<std::string> before = store->List({}).value();
  GarbageOptions options;
  options.dry_run = false;
  options.grace = absl::ZeroDuration();
  EXPECT_TRUE(absl::IsDataLoss(CollectGarbage(*Database::Open(store).value(), options, Progress::Silent()).status()));
  EXPECT_EQ(store->List({}).value(), before);
}

TEST(GarbageLists, AreReadAgainAndNeverBelievedWhenDamaged) {
  GarbageList list;
  list.marked["d/a b\\\n\xff"] = absl::FromUnixNanos(5);
  list.marked[""] = absl::FromUnixNanos(-7);
  list.condemned["d/00112233445566778899aabbccddeeff"] = absl::FromUnixNanos(1700000000000000000);
  const std::string text = EncodeGarbageList(list);
  const GarbageList read = DecodeGarbageList(text).value();
  EXPECT_EQ(read.marked, list.marked);
  EXPECT_EQ(read.condemned, list.condemned);
  for (size_t i = 0; i < text.size(); ++i) {
    std::string damaged = text;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_TRUE(absl::IsDataLoss(DecodeGarbageList(damaged).status())) << i;
    EXPECT_FALSE(DecodeGarbageList(text.substr(0, i)).ok());
  }
}

TEST(Leases, AreSeenByOthersAndEndWithTheirHolder) {
  const auto store = std::make_shared<store::MemoryStore>();
  const auto database = Database::Create(store, {}).value();
  {
    const auto pin = Lease::PinVersion(*database, {1}).value();
    const auto writer = Lease::ForWriter(store).value();
    EXPECT_TRUE(pin->held());
    const std::vector<LeaseRecord> leases = ListLeases(*store).value();
    ASSERT_EQ(leases.size(), 2);
    const LeaseRecord& of_pin = leases[0].version ? leases[0] : leases[1];
    EXPECT_EQ(of_pin.version, database->Newest()->version());
    EXPECT_THAT(of_pin.holder, HasSubstr(":"));
    EXPECT_GT(of_pin.expires, of_pin.begun);
  }
  EXPECT_TRUE(ListLeases(*store)->empty());
  EXPECT_TRUE(absl::IsNotFound(Lease::PinVersion(*database, {9}).status()));
  ASSERT_TRUE(store->Write("cleave/pins/x", "cleave lease 1\nend 00000000\n").ok());
  EXPECT_TRUE(absl::IsDataLoss(ListLeases(*store).status()));
}

}  // namespace
}  // namespace cleave::ocdbt
