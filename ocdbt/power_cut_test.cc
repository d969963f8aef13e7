// Goal: whenever the power fails while a database on a local disk is written, the database opens afterwards, and holds
// the state before or after the commit that was under way, never less than what was acknowledged. Method: a model of a
// disk that forgets what was not synced (store/power_cut_disk.h) watches a sequence of commits: creation, batches,
// deletes, a refused batch, a bulk fill, an attempt lost to a rival. After every single effect on a file - a write, a
// sync, a rename, a removal, a new folder - it says what the disk may hold, from the worst case to the best and by
// chance; each of these is opened, every version checked node by node and key by key, and written again. The number of
// crash points is printed. Seed: CLEAVE_TEST_SEED.
#include <filesystem>
#include <fstream>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "base/crash_point.h"
#include "ocdbt/bulk_writer.h"
#include "ocdbt/database.h"
#include "ocdbt/history_testing.h"
#include "ocdbt/manifest_store.h"
#include "ocdbt/test_bytes.h"
#include "ocdbt/tree_check.h"
#include "store/file_store.h"
#include "store/key_lock.h"
#include "store/memory_store.h"
#include "store/power_cut_disk.h"
#include "store/temporary_folder.h"

namespace cleave::ocdbt {
namespace {

namespace fs = std::filesystem;
using Contents = std::map<std::string, std::string>;
using store::PowerCutDisk;
using Kept = PowerCutDisk::Kept;

Config PowerCutConfig(ManifestKind kind) {
  Config config;
  config.max_decoded_node_bytes = 200;
  config.max_inline_value_bytes = 20;
  config.version_tree_arity_log2 = 1;  // a version-tree node at every other commit
  config.manifest_kind = kind;
  return config;
}

// What the database must hold, by generation. The last one may be under way.
struct Model {
  std::map<uint64_t, Contents> versions;
  uint64_t acknowledged = 0;  // 0: not even the creation
  void Announce(Contents next) { versions[versions.empty() ? 1 : versions.rbegin()->first + 1] = std::move(next); }
  void Acknowledge() { acknowledged = versions.rbegin()->first; }
};

// Opens what a power cut has left, compares all of it with the model, and writes on.
void CheckSurvivor(const std::shared_ptr<store::Store>& store, const Model& model) {
  const absl::StatusOr<std::unique_ptr<Database>> database = Database::Open(store);
  if (model.acknowledged == 0 && absl::IsNotFound(database.status())) {
    return;  // the creation had not come far enough
  }
  ASSERT_TRUE(database.ok()) << database.status();
  const Snapshot newest = (*database)->Newest().value();
  ASSERT_GE(newest.generation().value, model.acknowledged) << "an acknowledged commit is lost";
  ASSERT_LE(newest.generation().value, model.versions.rbegin()->first);
  ManifestStore manifests(store);
  ASSERT_TRUE(CheckVersionTree(manifests.Read().value()->manifest, newest.reader()).ok());
  const std::vector<Version> versions = (*database)->ListVersions().value();
  ASSERT_EQ(versions.size(), newest.generation().value);
  for (const Version& version : versions) {
    const absl::Status checked = CheckTree(newest.reader(), version);
    ASSERT_TRUE(checked.ok()) << checked;
    ASSERT_EQ(ReadAll((*database)->At(version.generation).value()), model.versions.at(version.generation.value))
        << "generation " << version.generation.value;
  }
  WriteBatch batch;
  batch.Put("after/the/power/cut", "short");
  batch.Put("after/the/power/cut/too", std::string(100, 'l'));
  const absl::StatusOr<CommitResult> committed = (*database)->Commit(batch);
  ASSERT_TRUE(committed.ok()) << committed.status();
  Contents expected = model.versions.at(newest.generation().value);
  expected["after/the/power/cut"] = "short";
  expected["after/the/power/cut/too"] = std::string(100, 'l');
  ASSERT_EQ(ReadAll(Database::Open(store).value()->Newest().value()), expected);
}

class PowerCut : public testing::TestWithParam<ManifestKind> {
 protected:
  // The crash points are counted; at each of them every kind of luck is tried.
  void CheckAllOutcomes() {
    ++crash_points_;
    std::set<Contents> seen;
    for (const Kept names : {Kept::kSynced, Kept::kAll, Kept::kRandom}) {
      for (const Kept contents : {Kept::kSynced, Kept::kHalf, Kept::kAll, Kept::kRandom}) {
        const Contents left = disk_.AfterPowerCut({names, contents}, random_);
        if (seen.insert(left).second) {
          SCOPED_TRACE(absl::StrCat("crash point ", crash_points_, ", outcome ", seen.size()));
          CheckInMemory(left);
        }
      }
    }
    outcomes_ += static_cast<int>(seen.size());
    if (crash_points_ % (SmallScale() ? 10 : 5) == 0) {
      CheckInFolder(disk_.AfterPowerCut({Kept::kAll, Kept::kHalf}, random_));
    }
  }

  void CheckInMemory(const Contents& left) {
    const auto store = std::make_shared<store::MemoryStore>();
    for (const auto& [path, bytes] : left) {
      if (!absl::EndsWith(path, store::kLockSuffix)) {
        ASSERT_TRUE(store->Write(path, bytes).ok());
      }
    }
    CheckSurvivor(store, model_);
  }

  // The same on real files, with the half-written lock files of the dead.
  void CheckInFolder(const Contents& left) {
    const store::TemporaryFolder folder;
    for (const auto& [path, bytes] : left) {
      fs::create_directories(fs::path(absl::StrCat(folder.path(), "/", path)).parent_path());
      std::ofstream(absl::StrCat(folder.path(), "/", path), std::ios::binary) << bytes;
    }
    CheckSurvivor(std::make_shared<store::FileStore>(folder.path()), model_);
  }

  Contents& NextContents() {
    model_.Announce(model_.versions.empty() ? Contents() : model_.versions.rbegin()->second);
    return model_.versions.rbegin()->second;
  }

  // One commit of some puts and deletes.
  void Commit(Database& database, int step) {
    Contents& next = NextContents();
    WriteBatch batch;
    for (int i = 0; i < 6; ++i) {
      const std::string key = absl::StrCat("key/", random_() % 12);
      if (random_() % 4 == 0) {
        batch.Delete(key);
        next.erase(key);
      } else {
        const std::string value = absl::StrCat(step, std::string(random_() % 2 == 0 ? 5 : 100, '.'));
        batch.Put(key, value);
        next[key] = value;
      }
    }
    batch.Put("step", next["step"] = absl::StrCat(step));
    ASSERT_TRUE(database.Commit(batch).ok());
    model_.Acknowledge();
  }

  // A batch whose condition does not hold: no version, and no file that stays.
  void RefuseABatch(Database& database) {
    WriteBatch batch;
    batch.Put("refused", std::string(500, 'r'));
    batch.Put("step", "refused", store::Generation::Absent());
    ASSERT_EQ(database.Commit(batch).status().code(), absl::StatusCode::kAborted);
  }

  void FillInBulk(Database& database) {
    Contents& next = NextContents();
    const auto writer = BulkWriter::Create(database).value();
    for (int i = 0; i < 20; ++i) {
      const std::string key = absl::StrCat("bulk/", i);
      ASSERT_TRUE(writer->Put(key, next[key] = std::string(i % 3 == 0 ? 100 : 10, 'b')).ok());
    }
    ASSERT_TRUE(writer->Finish().ok());
    model_.Acknowledge();
  }

  // Just before our manifest goes out, another process commits; our attempt is lost, its files are removed, and the
  // next attempt succeeds.
  void LoseToARival(Database& database) {
    const auto rival = Database::Open(std::make_shared<store::FileStore>(live_.path())).value();
    bool overtaken = false;
    SetCrashPointObserver([&](absl::string_view name) {
      if (name != "ocdbt.before_manifest" || checking_ || std::exchange(overtaken, true)) {
        return;
      }
      model_.versions.erase(model_.acknowledged + 1);
      NextContents()["rival"] = "first";
      WriteBatch batch;
      batch.Put("rival", "first");
      ASSERT_TRUE(rival->Commit(batch).ok());
      model_.Acknowledge();
      NextContents()["loser"] = "second";
    });
    NextContents()["loser"] = "second";
    WriteBatch batch;
    batch.Put("loser", "second");
    ASSERT_TRUE(database.Commit(batch).ok());
    model_.Acknowledge();
    SetCrashPointObserver(nullptr);
    ASSERT_TRUE(overtaken);
  }

  const store::TemporaryFolder live_;
  PowerCutDisk disk_{live_.path()};
  std::mt19937 random_{TestSeed()};
  Model model_;
  bool checking_ = false;  // commits of the check itself are not part of the story
  int crash_points_ = 0;
  int outcomes_ = 0;
};

TEST_P(PowerCut, LeavesTheStateBeforeOrAfterEachCommit) {
  disk_.SetHook([&] {
    if (!HasFatalFailure()) {
      checking_ = true;
      CheckAllOutcomes();
      checking_ = false;
    }
  });
  const auto files = std::make_shared<store::FileStore>(live_.path());
  OpenOptions options;
  options.target_data_file_bytes = 300;  // several data files a commit
  options.prefixes.value = "v/";
  NextContents();  // generation 1 is empty
  const auto database = Database::Create(files, PowerCutConfig(GetParam()), options).value();
  model_.Acknowledge();
  for (int step = 0; step < (SmallScale() ? 3 : 8) && !HasFatalFailure(); ++step) {
    Commit(*database, step);
  }
  RefuseABatch(*database);
  FillInBulk(*database);
  LoseToARival(*database);
  std::printf("%d crash points, %d different outcomes\n", crash_points_, outcomes_);
  EXPECT_GT(crash_points_, SmallScale() ? 60 : 120);
}

INSTANTIATE_TEST_SUITE_P(Kinds, PowerCut, testing::Values(ManifestKind::kSingle, ManifestKind::kNumbered));

}  // namespace
}  // namespace cleave::ocdbt
