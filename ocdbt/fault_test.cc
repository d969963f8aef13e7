// Goal: a commit that is stopped anywhere leaves the state before it or the state after it, a damaged or missing object
// is named, and nothing that is referred to is ever removed. Method: a store that goes wrong at every effect of a
// sequence of commits, in each of its ways; then the database is opened anew, checked node by node, and written again.
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "ocdbt/bulk_writer.h"
#include "ocdbt/database.h"
#include "ocdbt/fork.h"
#include "ocdbt/manifest_store.h"
#include "ocdbt/tree_check.h"
#include "store/faulty_store.h"
#include "store/memory_store.h"

namespace cleave::ocdbt {
namespace {

using store::Fault;
using store::FaultyStore;
using testing::HasSubstr;

Config SmallConfig(ManifestKind kind) {
  Config config;
  config.max_decoded_node_bytes = 200;
  config.max_inline_value_bytes = 20;
  config.version_tree_arity_log2 = 1;  // a version-tree node at every other commit
  config.manifest_kind = kind;
  return config;
}

OpenOptions SmallFiles() {
  OpenOptions options;
  options.target_data_file_bytes = 300;  // several data files a commit
  options.prefixes.value = "v/";
  options.commit_timeout = absl::Seconds(20);
  return options;
}

// Commit number `step` puts five keys, all of them with the step as their value.
absl::Status CommitStep(Database& database, int step) {
  WriteBatch batch;
  for (int key = 0; key < 5; ++key) {
    const size_t length = key % 2 == 0 ? 5 : 200;
    batch.Put(absl::StrCat("key/", key), absl::StrCat(step, std::string(length, '.')));
  }
  batch.Put(absl::StrCat("step/", step), "done");
  return database.Commit(batch).status();
}

// The step that all five keys show; -1 before the first. Fails when they disagree.
int StepOf(const Snapshot& snapshot) {
  std::set<std::string> seen;
  for (int key = 0; key < 5; ++key) {
    const absl::StatusOr<store::ReadResult> read = snapshot.Read(absl::StrCat("key/", key));
    EXPECT_TRUE(read.ok()) << read.status();
    seen.insert(read.ok() && read->value ? read->value->substr(0, read->value->find('.')) : "-1");
  }
  EXPECT_EQ(seen.size(), 1) << "half a commit";
  return std::stoi(*seen.begin());
}

// Every version can be read whole.
void CheckAll(const std::shared_ptr<store::Store>& store) {
  const auto database = Database::Open(store).value();
  ManifestStore manifests(store);
  const Snapshot newest = database->Newest().value();
  ASSERT_TRUE(CheckVersionTree(manifests.Read().value()->manifest, newest.reader()).ok());
  const std::vector<Version> versions = database->ListVersions().value();
  for (const Version& version : versions) {
    const Snapshot snapshot = database->At(version.generation).value();
    ASSERT_TRUE(CheckTree(snapshot.reader(), version).ok());
    ASSERT_TRUE(snapshot
                    .Scan({},
                          [&](const ScannedEntry& entry) -> absl::StatusOr<bool> {
                            return snapshot.ReadValue(entry.value).ok();
                          })
                    .ok());
    StepOf(snapshot);
  }
}

constexpr int kSteps = 6;

class StoppedCommits : public testing::TestWithParam<ManifestKind> {};

TEST_P(StoppedCommits, ShowTheStateBeforeOrAfter) {
  int64_t effects = 0;
  {
    const auto store = std::make_shared<FaultyStore>(std::make_shared<store::MemoryStore>());
    const auto database = Database::Create(store, SmallConfig(GetParam()), SmallFiles()).value();
    store->Arm({.effect = -1});
    for (int step = 0; step < kSteps; ++step) {
      ASSERT_TRUE(CommitStep(*database, step).ok());
    }
    effects = store->effects();
  }
  ASSERT_GT(effects, 2 * kSteps);
  for (const Fault fault : {Fault::kBefore, Fault::kAfter, Fault::kTwice, Fault::kLoseUnsynced}) {
    for (int64_t effect = 0; effect < effects; ++effect) {
      SCOPED_TRACE(absl::StrCat("fault ", static_cast<int>(fault), " at effect ", effect));
      const auto store = std::make_shared<FaultyStore>(std::make_shared<store::MemoryStore>());
      const auto database = Database::Create(store, SmallConfig(GetParam()), SmallFiles()).value();
      store->Arm({.effect = effect, .fault = fault});
      int acknowledged = -1;
      while (acknowledged + 1 < kSteps && CommitStep(*database, acknowledged + 1).ok()) {
        ++acknowledged;
      }
      EXPECT_TRUE(store->fired());
      EXPECT_EQ(acknowledged == kSteps - 1, fault == Fault::kTwice);
      store->Restart();
      CheckAll(store);
      const auto reopened = Database::Open(store, SmallFiles()).value();
      const int found = StepOf(reopened->Newest().value());
      EXPECT_GE(found, acknowledged) << "an acknowledged commit is lost";
      EXPECT_LE(found, acknowledged + 1);
      ASSERT_TRUE(CommitStep(*reopened, 77).ok());
      EXPECT_EQ(StepOf(reopened->Newest().value()), 77);
      CheckAll(store);
    }
  }
}

// One write fails and the next ones succeed, as with a network that comes back: the handle goes on.
TEST_P(StoppedCommits, AHandleSurvivesOneFailure) {
  for (const Fault fault : {Fault::kBefore, Fault::kAfter}) {
    for (int64_t effect = 0; effect < 30; ++effect) {
      const auto store = std::make_shared<FaultyStore>(std::make_shared<store::MemoryStore>());
      const auto database = Database::Create(store, SmallConfig(GetParam()), SmallFiles()).value();
      store->Arm({.effect = effect, .fault = fault, .stop = false});
      for (int step = 0; step < kSteps; ++step) {
        const absl::Status status = CommitStep(*database, step);
        const int found = StepOf(database->Newest().value());
        if (status.ok()) {
          EXPECT_EQ(found, step);
        } else {
          EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
          EXPECT_TRUE(found == step || found == step - 1);
        }
      }
      CheckAll(store);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, StoppedCommits, testing::Values(ManifestKind::kSingle, ManifestKind::kNumbered));

// A transport that sends the manifest twice answers "condition not met" although the commit took effect. It must not be
// committed a second time.
TEST(Faults, AManifestSentTwiceIsOneCommit) {
  const auto store = std::make_shared<FaultyStore>(std::make_shared<store::MemoryStore>());
  const auto database = Database::Create(store, {}).value();
  store->Arm({.effect = 1, .fault = Fault::kTwice});  // effect 0 is the data file
  ASSERT_TRUE(CommitStep(*database, 0).ok());
  ASSERT_TRUE(store->fired());
  EXPECT_EQ(store->log()[1], "write manifest.ocdbt");
  EXPECT_EQ(database->Newest()->generation().value, 2);
}

TEST(Faults, LostAttemptsLeaveNoFiles) {
  const auto memory = std::make_shared<store::MemoryStore>();
  const auto store = std::make_shared<FaultyStore>(memory);
  const auto database = Database::Create(store, SmallConfig(ManifestKind::kSingle), SmallFiles()).value();
  const auto rival = Database::Open(memory).value();
  // Just before our manifest goes out, three times, the rival commits.
  int left = 3;
  store->SetHook([&](int64_t) {
    if (store->log().back() == "write manifest.ocdbt" && left-- > 0) {
      WriteBatch batch;
      batch.Put("rival", absl::StrCat(left));
      ASSERT_TRUE(rival->Commit(batch).ok());
    }
  });
  ASSERT_TRUE(CommitStep(*database, 0).ok());
  store->SetHook(nullptr);
  EXPECT_EQ(database->Newest()->generation().value, 5);
  EXPECT_EQ(database->Newest()->Read("rival")->value, "0");
  CheckAll(memory);
  // Every data file that is there is needed: without it some version cannot be read.
  const std::vector<std::string> files = memory->List({}).value();
  for (const std::string& file : files) {
    if (!absl::StartsWith(file, "d/") && !absl::StartsWith(file, "v/")) {
      continue;
    }
    const std::string bytes = *memory->Read(file)->value;
    ASSERT_TRUE(memory->Delete(file).ok());
    bool needed = false;
    const auto reader = Database::Open(memory);
    for (uint64_t generation = 1; generation <= 5 && !needed; ++generation) {
      const auto snapshot = reader.ok() ? (*reader)->At(GenerationNumber{generation}) : reader.status();
      needed = !snapshot.ok() || !snapshot
                                      ->Scan({},
                                             [&](const ScannedEntry& entry) -> absl::StatusOr<bool> {
                                               const auto value = snapshot->ReadValue(entry.value);
                                               return value.ok() ? absl::StatusOr<bool>(true) : value.status();
                                             })
                                      .ok();
    }
    EXPECT_TRUE(needed) << file;
    ASSERT_TRUE(memory->Write(file, bytes).ok());
  }
}

TEST(Faults, AWriterWhoNeverWinsGivesUpAndSaysSo) {
  const auto memory = std::make_shared<store::MemoryStore>();
  const auto store = std::make_shared<FaultyStore>(memory);
  OpenOptions options;
  options.commit_timeout = absl::Milliseconds(50);
  const auto database = Database::Create(store, {}, options).value();
  const auto rival = Database::Open(memory).value();
  int count = 0;
  store->SetHook([&](int64_t) {
    if (store->log().back() == "write manifest.ocdbt") {
      WriteBatch batch;
      batch.Put("rival", absl::StrCat(++count));
      ASSERT_TRUE(rival->Commit(batch).ok());
    }
  });
  const absl::Status status = CommitStep(*database, 0);
  store->SetHook(nullptr);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("nothing was committed"));
  EXPECT_EQ(StepOf(database->Newest().value()), -1);
}

TEST(Damage, IsNamedWithItsObject) {
  const auto memory = std::make_shared<store::MemoryStore>();
  {
    Config config = SmallConfig(ManifestKind::kSingle);
    config.version_tree_arity_log2 = 2;  // so few versions leave no version-tree node behind that nothing refers to
    const auto database = Database::Create(memory, config, SmallFiles()).value();
    for (int step = 0; step < 5; ++step) {
      ASSERT_TRUE(CommitStep(*database, step).ok());
    }
  }
  // Reads everything of every version.
  const auto read_all = [&]() -> absl::Status {
    const auto database = Database::Open(memory);
    if (!database.ok()) {
      return database.status();
    }
    const auto versions = (*database)->ListVersions();
    if (!versions.ok()) {
      return versions.status();
    }
    for (const Version& version : *versions) {
      const Snapshot snapshot = (*database)->At(version.generation).value();
      const absl::Status status = snapshot.Scan({}, [&](const ScannedEntry& entry) -> absl::StatusOr<bool> {
        const auto value = snapshot.ReadValue(entry.value);
        return value.ok() ? absl::StatusOr<bool>(true) : value.status();
      });
      if (!status.ok()) {
        return status;
      }
    }
    return absl::OkStatus();
  };
  ASSERT_TRUE(read_all().ok());
  const std::vector<std::string> objects = memory->List({}).value();
  for (const std::string& object : objects) {
    const std::string bytes = *memory->Read(object)->value;
    ASSERT_TRUE(memory->Write(object, bytes.substr(0, bytes.size() / 2)).ok());
    absl::Status status = read_all();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << object << " cut: " << status;
    EXPECT_THAT(status.message(), HasSubstr(memory->Describe(object)));
    if (object != kManifestKey) {
      ASSERT_TRUE(memory->Delete(object).ok());
      status = read_all();
      EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << object << " missing: " << status;
      EXPECT_THAT(status.message(), HasSubstr(memory->Describe(object)));
    }
    // Values outside of the tree have no checksum in the format; everything else notices each changed byte.
    for (size_t i = 0; i < bytes.size() && !absl::StartsWith(object, "v/"); i += 7) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ 0x20);
      ASSERT_TRUE(memory->Write(object, changed).ok());
      status = read_all();
      EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << object << " byte " << i;
      EXPECT_THAT(status.message(), HasSubstr(memory->Describe(object)));
    }
    ASSERT_TRUE(memory->Write(object, bytes).ok());
  }
}

TEST(Faults, ABulkFillThatFailsLeavesNothing) {
  for (int64_t effect = 0; effect < 20; ++effect) {
    const auto memory = std::make_shared<store::MemoryStore>();
    const auto store = std::make_shared<FaultyStore>(memory);
    const auto database = Database::Create(store, SmallConfig(ManifestKind::kSingle), SmallFiles()).value();
    store->Arm({.effect = effect, .fault = Fault::kAfter, .stop = false});
    {
      const auto writer = BulkWriter::Create(*database).value();
      absl::Status status;
      for (int i = 0; i < 20 && status.ok(); ++i) {
        status = writer->Put(absl::StrCat("bulk/", i), std::string(100, 'b'));
      }
      if (status.ok()) {
        status = writer->Finish().status();
      }
      EXPECT_EQ(status.ok(), !store->fired() || database->Newest()->List({})->size() == 20) << status;
    }
    if (database->Newest()->List({})->empty()) {
      EXPECT_EQ(memory->List({}).value(), std::vector<std::string>{"manifest.ocdbt"});
    } else {
      CheckAll(memory);
    }
  }
}

}  // namespace
}  // namespace cleave::ocdbt
