// Goal: a database behaves as a map with a history, whatever the shape of its trees. Method: random batches against
// std::map under hostile settings, every version read again later and every tree checked node by node; versions found
// by number and by time; threads and processes that write at once. Seed: CLEAVE_TEST_SEED.
#include "ocdbt/database.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <sys/wait.h>

#include "base/crash_point.h"
#include "ocdbt/history_testing.h"
#include "ocdbt/manifest_store.h"
#include "ocdbt/test_bytes.h"
#include "ocdbt/tree_check.h"
#include "store/faulty_store.h"
#include "store/file_store.h"
#include "store/memory_store.h"
#include "store/temporary_folder.h"

namespace cleave::ocdbt {
namespace {

using Map = std::map<std::string, std::string>;
using store::Generation;
using testing::HasSubstr;

std::shared_ptr<store::Store> Memory() { return std::make_shared<store::MemoryStore>(); }

GenerationNumber Put(Database& database, const std::string& key, const std::string& value) {
  WriteBatch batch;
  batch.Put(key, value);
  const absl::StatusOr<CommitResult> committed = database.Commit(batch);
  EXPECT_TRUE(committed.ok()) << committed.status();
  return committed.ok() ? committed->generation : GenerationNumber{};
}

struct DatabaseShape {
  uint32_t max_node_bytes;
  uint32_t max_inline_bytes;
  uint8_t arity_log2;
  ManifestKind kind = ManifestKind::kSingle;
};

std::string NameOfShape(const testing::TestParamInfo<DatabaseShape>& param) {
  const DatabaseShape& shape = param.param;
  return absl::StrCat("Nodes", shape.max_node_bytes, "Inline", shape.max_inline_bytes, "Arity",
                      static_cast<int>(shape.arity_log2), shape.kind == ManifestKind::kNumbered ? "Numbered" : "");
}

class RandomBatches : public testing::TestWithParam<DatabaseShape> {
 protected:
  std::mt19937 random_{TestSeed()};

  // Few letters, so that keys meet and share prefixes; long ones too.
  std::string RandomKey() {
    std::string key;
    for (auto length = random_() % 6; length > 0; --length) {
      key += std::string(random_() % 10 == 0 ? 60 : 1, "ab\xff\x01"[random_() % 4]);
    }
    return key;
  }
  std::string RandomValue() { return std::string(random_() % (random_() % 20 == 0 ? 5000 : 20), "xyz"[random_() % 3]); }

  void AddRandomOperation(WriteBatch& batch, Map& map) {
    const std::string key = RandomKey();
    if (random_() % 30 == 0) {
      const std::string end = random_() % 5 == 0 ? "" : RandomKey();
      batch.DeleteRange({key, end});
      if (end.empty() || key < end) {
        map.erase(map.lower_bound(key), end.empty() ? map.end() : map.lower_bound(end));
      }
    } else if (random_() % 4 == 0) {
      batch.Delete(key);
      map.erase(key);
    } else {
      const std::string value = RandomValue();
      batch.Put(key, value);
      map[key] = value;
    }
  }

  void CheckSnapshot(const Snapshot& snapshot, const Map& map) {
    ASSERT_EQ(ReadAll(snapshot), map);
    const absl::Status tree = CheckTree(snapshot.reader(), snapshot.version());
    ASSERT_TRUE(tree.ok()) << tree;
    ASSERT_EQ(snapshot.version().root.statistics.num_keys, map.size());
    for (int i = 0; i < 20; ++i) {
      const std::string key = RandomKey();
      const absl::StatusOr<store::ReadResult> read = snapshot.Read(key);
      ASSERT_TRUE(read.ok()) << read.status();
      const auto expected = map.find(key);
      ASSERT_EQ(read->value, expected == map.end() ? std::nullopt : std::optional(expected->second));
    }
    std::vector<std::string> wanted;
    for (auto count = random_() % 200; count > 0; --count) {
      wanted.push_back(RandomKey());
    }
    const auto many = snapshot.ReadMany(wanted);
    ASSERT_TRUE(many.ok()) << many.status();
    ASSERT_EQ(many->size(), wanted.size());
    for (size_t i = 0; i < wanted.size(); ++i) {
      const auto expected = map.find(wanted[i]);
      ASSERT_EQ((*many)[i], expected == map.end() ? std::nullopt : std::optional(expected->second)) << wanted[i];
    }
    const store::KeyRange range{RandomKey(), RandomKey()};
    std::vector<std::string> keys;
    for (const auto& [key, value] : map) {
      if (range.Contains(key)) {
        keys.push_back(key);
      }
    }
    ASSERT_EQ(snapshot.List(range).value(), keys);
  }
};

TEST_P(RandomBatches, AgreeWithAMapAtEveryVersion) {
  Config config;
  config.max_decoded_node_bytes = GetParam().max_node_bytes;
  config.max_inline_value_bytes = GetParam().max_inline_bytes;
  config.version_tree_arity_log2 = GetParam().arity_log2;
  config.manifest_kind = GetParam().kind;
  config.compression.zstd = random_() % 2 == 0;
  const auto store = Memory();
  const auto database = Database::Create(store, config).value();
  std::map<GenerationNumber, Map> history = {{{1}, {}}};
  Map map;
  for (int commit = 0; commit < 60; ++commit) {
    WriteBatch batch;
    for (auto operations = 1 + random_() % (commit == 5 ? 300 : 12); operations > 0; --operations) {
      AddRandomOperation(batch, map);
    }
    const absl::StatusOr<CommitResult> committed = database->Commit(batch);
    ASSERT_TRUE(committed.ok()) << committed.status();
    history[committed->generation] = map;
    CheckSnapshot(database->Newest().value(), map);
  }
  // A fresh handle without a cache sees the whole history.
  OpenOptions options;
  options.cache_bytes = 0;
  const auto reopened = Database::Open(store, options).value();
  EXPECT_EQ(reopened->config(), database->config());
  for (const auto& [generation, then] : history) {
    const absl::StatusOr<Snapshot> snapshot = reopened->At(generation);
    ASSERT_TRUE(snapshot.ok()) << snapshot.status();
    CheckSnapshot(*snapshot, then);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, RandomBatches,
                         testing::Values(DatabaseShape{0, 0, 1}, DatabaseShape{1, 0, 2}, DatabaseShape{1, 1 << 20, 3},
                                         DatabaseShape{60, 0, 4}, DatabaseShape{60, 1 << 20, 1},
                                         DatabaseShape{700, 0, 2}, DatabaseShape{700, 1 << 20, 3},
                                         DatabaseShape{700, 100, 4}, DatabaseShape{1 << 20, 0, 4},
                                         DatabaseShape{1 << 20, 1 << 20, 1}, DatabaseShape{131072, 4096, 4},
                                         DatabaseShape{700, 10, 1, ManifestKind::kNumbered}),
                         NameOfShape);

// Tells the time that a test sets.
class ManualClock final : public Clock {
 public:
  absl::Time Now() override { return now_; }
  void Set(absl::Time now) { now_ = now; }

 private:
  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
};

TEST(Versions, EveryOneIsFoundByNumberAndByTime) {
  for (const uint8_t arity_log2 : std::initializer_list<uint8_t>{1, 2, 3, 4}) {
    for (const ManifestKind kind : {ManifestKind::kSingle, ManifestKind::kNumbered}) {
      ManualClock clock;
      OpenOptions options;
      options.clock = &clock;
      Config config;
      config.version_tree_arity_log2 = arity_log2;
      config.manifest_kind = kind;
      const auto store = Memory();
      const auto database = Database::Create(store, config, options).value();
      ManifestStore manifests(store);
      std::vector<absl::Time> times = {{}, database->Newest()->version().commit_time};  // times[generation]
      for (int commit = 0; commit < 150; ++commit) {
        clock.Set(clock.Now() + absl::Seconds(commit % 3 - 1));  // now and then the clock goes backward
        const GenerationNumber generation = Put(*database, "key", absl::StrCat(commit));
        ASSERT_EQ(generation.value, times.size());
        times.push_back(database->Newest()->version().commit_time);
        ASSERT_GT(times.back(), times[times.size() - 2]);
        const absl::Status checked = CheckVersionTree(manifests.Read().value()->manifest, NodeReader(store, 1 << 20));
        ASSERT_TRUE(checked.ok()) << checked;
      }
      ASSERT_EQ(database->ListVersions()->size(), times.size() - 1);
      for (uint64_t g = 1; g < times.size(); ++g) {
        ASSERT_EQ(database->At(GenerationNumber{g})->version().commit_time, times[g]);
        ASSERT_EQ(database->At(CommittedBy{times[g]})->generation().value, g);
        ASSERT_EQ(database->At(CommittedBy{times[g] + absl::Nanoseconds(1)})->generation().value,
                  g + 1 < times.size() && times[g + 1] == times[g] + absl::Nanoseconds(1) ? g + 1 : g);
        const auto before = database->At(CommittedBy{times[g] - absl::Nanoseconds(1)});
        ASSERT_EQ(before.ok() ? before->generation().value : 0, g - 1);
      }
      EXPECT_EQ(database->At(GenerationNumber{times.size()}).status().code(), absl::StatusCode::kNotFound);
      EXPECT_EQ(database->At(CommittedBy{times[1] - absl::Nanoseconds(1)}).status().code(),
                absl::StatusCode::kNotFound);
      const auto some = database->ListVersions({{20}, {40}}).value();
      ASSERT_EQ(some.size(), 21);
      EXPECT_EQ(some.front().generation.value, 20);
      EXPECT_EQ(some.back().generation.value, 40);
    }
  }
}

TEST(Versions, NumberedManifestsAreThinnedOut) {
  Config config;
  config.manifest_kind = ManifestKind::kNumbered;
  const auto store = Memory();
  const auto database = Database::Create(store, config).value();
  for (int i = 0; i < 200; ++i) {
    Put(*database, "k", absl::StrCat(i));
  }
  EXPECT_EQ(store->List(store::KeyRange::Prefix("manifest.0"))->size(), 129);
  EXPECT_EQ(Database::Open(store).value()->At(GenerationNumber{7})->Read("k")->value, "5");
}

// Between a slow writer's look at the newest manifest and its own write, others commit so often that the manifest it is
// about to create was made and thinned out again. Its write succeeds, but its version is nowhere.
TEST(Versions, AWriterOvertakenByManyNumberedManifestsTriesAgain) {
  Config config;
  config.manifest_kind = ManifestKind::kNumbered;
  const auto memory = Memory();
  const auto store = std::make_shared<store::FaultyStore>(memory);
  const auto slow = Database::Create(store, config).value();
  const auto rival = Database::Open(memory).value();
  bool overtaken = false;
  store->SetHook([&](int64_t) {
    if (store->log().back() == "write manifest.0000000000000002" && !overtaken) {
      overtaken = true;
      for (int i = 0; i < 140; ++i) {
        Put(*rival, "rival", absl::StrCat(i));
      }
    }
  });
  EXPECT_EQ(Put(*slow, "slow", "1").value, 142);
  store->SetHook(nullptr);
  EXPECT_TRUE(overtaken);
  EXPECT_EQ(Database::Open(memory).value()->Newest()->Read("slow")->value, "1");
}

TEST(Versions, TextForms) {
  EXPECT_EQ(FormatVersionSpec(GenerationNumber{7}), "v7");
  EXPECT_EQ(ParseVersionSpec("v7").value(), VersionSpec(GenerationNumber{7}));
  const auto time = ParseVersionSpec("2025-01-01T01:23:45.678Z");
  ASSERT_TRUE(time.ok()) << time.status();
  EXPECT_EQ(FormatVersionSpec(*time), "2025-01-01T01:23:45.678Z");
  for (const absl::string_view bad : {"", "v", "v0", "v-1", "7", "v7x", "2025-01-01", "1960-01-01T00:00:00Z"}) {
    EXPECT_EQ(ParseVersionSpec(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

TEST(Conditions, ABatchIsAppliedWholeOrNotAtAll) {
  const auto database = Database::Create(Memory(), {}).value();
  Put(*database, "a", "1");
  const Generation a = database->Newest()->KeyGeneration("a").value();
  const GenerationNumber before = database->Newest()->generation();

  WriteBatch refused;
  refused.Put("b", "new");
  refused.Put("a", "2", Generation::Absent());
  const absl::Status status = database->Commit(refused).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_THAT(status.message(), HasSubstr("\"a\""));
  EXPECT_EQ(database->Newest()->generation(), before);

  WriteBatch accepted;
  accepted.Put("b", "new", Generation::Absent());
  accepted.Put("a", std::string(10'000, 'x'), a);
  accepted.Require("c", Generation::Absent());
  const CommitResult result = database->Commit(accepted).value();
  EXPECT_TRUE(result.changed);
  ASSERT_EQ(result.key_generations.size(), 3);
  const Snapshot now = database->Newest().value();
  EXPECT_EQ(now.generation(), result.generation);
  EXPECT_EQ(now.KeyGeneration("b").value(), result.key_generations[0]);
  EXPECT_EQ(now.Read("a")->generation, result.key_generations[1]);
  EXPECT_EQ(now.Read("a", {{9'990, std::nullopt}})->value, std::string(10, 'x'));
}

TEST(Conditions, SeeTheOperationsBeforeThem) {
  const auto database = Database::Create(Memory(), {}).value();
  Put(*database, "a", "1");
  WriteBatch batch;
  batch.DeleteRange({"", ""});
  batch.Put("a", "2", Generation::Absent());
  batch.Put("a", "3", GenerationOf(LeafValue{false, "2", {}}));
  ASSERT_TRUE(database->Commit(batch).ok());
  EXPECT_EQ(database->Newest()->Read("a")->value, "3");
  WriteBatch wrong;
  wrong.Put("a", std::string(10'000, 'x'));
  wrong.Put("a", "4", Generation::Absent());
  EXPECT_EQ(database->Commit(wrong).status().code(), absl::StatusCode::kAborted);
}

TEST(Commit, WhatChangesNothingMakesNoVersionAndNoFile) {
  const auto store = Memory();
  const auto database = Database::Create(store, {}).value();
  const GenerationNumber generation = Put(*database, "a", "1");
  const auto files = store->List({}).value();
  WriteBatch batch;
  batch.Put("a", "1");
  batch.Delete("absent");
  batch.DeleteRange({"x", "y"});
  const CommitResult result = database->Commit(batch).value();
  EXPECT_FALSE(result.changed);
  EXPECT_EQ(result.generation, generation);
  EXPECT_EQ(database->Commit(WriteBatch())->changed, false);
  EXPECT_EQ(store->List({}).value(), files);
}

TEST(Commit, RefusedBatchesLeaveNoFiles) {
  const auto store = Memory();
  OpenOptions options;
  options.target_data_file_bytes = 1000;  // every value goes out at once
  const auto database = Database::Create(store, {}, options).value();
  Put(*database, "a", "1");
  const auto files = store->List({}).value();
  WriteBatch batch;
  batch.Put("b", std::string(10'000, 'x'));
  batch.Put("a", "2", Generation::Absent());
  EXPECT_FALSE(database->Commit(batch).ok());
  EXPECT_EQ(store->List({}).value(), files);
}

TEST(Commit, LongKeysAreRefused) {
  const auto database = Database::Create(Memory(), {}).value();
  Put(*database, std::string(kMaxKeyBytes, 'k'), "fits");
  WriteBatch batch;
  batch.Put(std::string(kMaxKeyBytes + 1, 'k'), "does not");
  EXPECT_EQ(database->Commit(batch).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(database->Newest()->Read(std::string(kMaxKeyBytes, 'k'))->value, "fits");
}

TEST(Open, EachMemberOfTheConfigurationIsCompared) {
  const auto store = Memory();
  Config config;
  config.uuid.fill(0xab);
  ASSERT_TRUE(Database::Create(store, config).ok());
  const auto error = [&](const ConfigConstraints& constraints) {
    OpenOptions options;
    options.config = constraints;
    const absl::Status status = Database::Open(store, options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    return std::string(status.message());
  };
  ConfigConstraints constraints;
  constraints.compression = Compression{false, 0};
  EXPECT_THAT(error(constraints), HasSubstr(R"(Configuration mismatch on compression: expected null but received )"
                                            R"({"id":"zstd","level":0})"));
  // The first member that differs, in the order of the reference, is the one that is named.
  constraints.version_tree_arity_log2 = 5;
  EXPECT_THAT(error(constraints),
              HasSubstr("Configuration mismatch on version_tree_arity_log2: expected 5 but received 4"));
  constraints.max_decoded_node_bytes = 0;
  EXPECT_THAT(error(constraints),
              HasSubstr("Configuration mismatch on max_decoded_node_bytes: expected 0 but received 131072"));
  constraints.max_inline_value_bytes = 100;
  EXPECT_THAT(error(constraints),
              HasSubstr("Configuration mismatch on max_inline_value_bytes: expected 100 but received 4096"));
  constraints.manifest_kind = ManifestKind::kNumbered;
  EXPECT_THAT(error(constraints),
              HasSubstr(R"(Configuration mismatch on manifest_kind: expected "numbered" but received "single")"));
  constraints.uuid = Uuid{};
  EXPECT_THAT(error(constraints), HasSubstr(R"(Configuration mismatch on uuid: expected )"
                                            R"("00000000000000000000000000000000" but received )"
                                            R"("abababababababababababababababab")"));
  OpenOptions same;
  same.config = {config.uuid, ManifestKind::kSingle, 4096, 131072, 4, Compression{}};
  EXPECT_TRUE(Database::Open(store, same).ok());
  EXPECT_TRUE(Database::Open(store).ok()) << "without a configuration every database opens";
}

TEST(Open, ErrorsSayWhatIsWrong) {
  const auto store = Memory();
  EXPECT_EQ(Database::Open(store).status().code(), absl::StatusCode::kNotFound);
  Config config;
  config.max_inline_value_bytes = 8;
  ASSERT_TRUE(Database::Create(store, config).ok());
  EXPECT_EQ(Database::Create(store, config).status().code(), absl::StatusCode::kFailedPrecondition);

  OpenOptions same;
  same.config.max_inline_value_bytes = 8;
  same.config.compression = Compression{true, 0};
  EXPECT_TRUE(Database::Open(store, same).ok());
  OpenOptions different = same;
  different.config.compression = Compression{true, 3};
  const absl::Status status = Database::Open(store, different).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr(R"(Configuration mismatch on compression: expected {"id":"zstd","level":3})"
                                          R"( but received {"id":"zstd","level":0})"));
  config.version_tree_arity_log2 = 17;
  EXPECT_EQ(Database::Create(Memory(), config).status().code(), absl::StatusCode::kInvalidArgument);
  OpenOptions bad_prefix;
  bad_prefix.prefixes = DataPrefixes::All("/absolute/");
  EXPECT_EQ(Database::Open(store, bad_prefix).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Open, PinnedHandlesAreReadOnly) {
  const auto store = Memory();
  const auto database = Database::Create(store, {}).value();
  Put(*database, "a", "1");
  Put(*database, "a", "2");
  OpenOptions options;
  options.version = GenerationNumber{2};
  const auto pinned = Database::Open(store, options).value();
  EXPECT_EQ(pinned->Newest()->Read("a")->value, "1");
  WriteBatch batch;
  batch.Put("a", "3");
  const absl::Status status = pinned->Commit(batch).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "Writing is not supported with version=v2 specified");
  options.version = GenerationNumber{9};
  EXPECT_EQ(Database::Open(store, options).status().code(), absl::StatusCode::kNotFound);
}

TEST(Open, ADatabaseMadeAnewIsNoticed) {
  const auto store = Memory();
  const auto database = Database::Create(store, {}).value();
  Put(*database, "a", "1");
  ASSERT_TRUE(store->Delete("manifest.ocdbt").ok());
  ASSERT_TRUE(Database::Create(store, {}).ok());
  WriteBatch batch;
  batch.Put("a", "2");
  EXPECT_EQ(database->Commit(batch).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(Seal, WritersAreRefusedAndReadersAreNot) {
  const auto store = Memory();
  EXPECT_EQ(SealDatabase(*store).code(), absl::StatusCode::kNotFound);
  const auto database = Database::Create(store, {}).value();
  Put(*database, "a", "1");
  ASSERT_TRUE(SealDatabase(*store).ok());
  ASSERT_TRUE(SealDatabase(*store).ok());
  WriteBatch batch;
  batch.Put("a", "2");
  EXPECT_EQ(database->Commit(batch).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Database::Open(store).status().code(), absl::StatusCode::kFailedPrecondition);
  OpenOptions read_only;
  read_only.read_only = true;
  const auto reader = Database::Open(store, read_only).value();
  EXPECT_EQ(reader->Newest()->Read("a")->value, "1");
  EXPECT_EQ(reader->Commit(batch).status().code(), absl::StatusCode::kInvalidArgument);
}

// While the first commit is on its way to the disk, seven more threads come; they share the second.
TEST(Concurrency, ThreadsJoinOneCommit) {
  const auto store = std::make_shared<store::FaultyStore>(Memory());
  const auto database = Database::Create(store, {}).value();
  constexpr int kThreads = 8;
  std::atomic<int> started = 0;
  std::atomic<bool> first = true;
  store->SetHook([&](int64_t) {
    if (first.exchange(false)) {
      while (started < kThreads) {
        std::this_thread::yield();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(100));  // from there to the queue
    }
  });
  std::vector<uint64_t> generations(kThreads);
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      ++started;
      generations[t] = Put(*database, absl::StrCat("thread/", t), std::string(t * 1000, 'x')).value;
    });
  }
  threads.clear();
  store->SetHook(nullptr);
  EXPECT_EQ(std::count(generations.begin(), generations.end(), 2), 1);
  EXPECT_LT(database->Newest()->generation().value, 1 + kThreads) << "nobody has joined anybody";
  EXPECT_EQ(database->Newest()->List({})->size(), kThreads);
}

// Between a look at the manifest and the write another process commits. With a store that has locks this is known
// before anything of the lost attempt goes to the disk.
TEST(Concurrency, ALostAttemptWritesNoDataFile) {
  const store::TemporaryFolder folder;
  const auto database = Database::Create(std::make_shared<store::FileStore>(folder.path()), {}).value();
  const auto rival = Database::Open(std::make_shared<store::FileStore>(folder.path())).value();
  std::atomic<int> data_files = 0;  // written beside the preparation of the manifest
  bool overtaken = false;
  SetCrashPointObserver([&](absl::string_view name) {
    data_files += name == "ocdbt.before_data_file" ? 1 : 0;
    if (name == "ocdbt.before_manifest" && !std::exchange(overtaken, true)) {
      Put(*rival, "rival", std::string(10'000, 'r'));
    }
  });
  EXPECT_EQ(Put(*database, "loser", std::string(10'000, 'l')).value, 3);
  SetCrashPointObserver(nullptr);
  EXPECT_EQ(data_files, 2);
  EXPECT_EQ(ReadAll(*database->Newest()),
            (Map{{"rival", std::string(10'000, 'r')}, {"loser", std::string(10'000, 'l')}}));
  // The value of the lost attempt went out with the next one; its nodes did not.
  EXPECT_EQ(std::filesystem::file_size(folder.path() + "/" + database->Newest()->version().root.location.file.path()),
            10'000 + database->Newest()->version().root.location.length);
}

TEST(Concurrency, ThreadsLoseNoIncrementAndJoinCommits) {
  const store::TemporaryFolder folder;
  const auto database = Database::Create(std::make_shared<store::FileStore>(folder.path()), {}).value();
  constexpr int kThreads = 8;
  constexpr int kIncrements = 10;
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int done = 0; done < kIncrements;) {
        const store::ReadResult read = database->Newest()->Read("counter").value();
        WriteBatch batch;
        batch.Put("counter", absl::StrCat(read.value ? std::stoi(*read.value) + 1 : 1), read.generation);
        batch.Put(absl::StrCat("own/", t), absl::StrCat(done));
        const absl::Status status = database->Commit(batch).status();
        ASSERT_TRUE(status.ok() || absl::IsAborted(status)) << status;
        done += status.ok() ? 1 : 0;
        Put(*database, absl::StrCat("free/", t, "/", done), std::string(5000, 'x'));
      }
    });
  }
  threads.clear();
  const Snapshot end = database->Newest().value();
  EXPECT_EQ(end.Read("counter")->value, absl::StrCat(kThreads * kIncrements));
  EXPECT_TRUE(CheckTree(end.reader(), end.version()).ok());
  EXPECT_EQ(end.List(store::KeyRange::Prefix("own/"))->size(), kThreads);
}

TEST(Concurrency, ProcessesLoseNoIncrement) {
  for (const ManifestKind kind : {ManifestKind::kSingle, ManifestKind::kNumbered}) {
    const store::TemporaryFolder folder;
    Config config;
    config.manifest_kind = kind;
    config.version_tree_arity_log2 = 2;
    ASSERT_TRUE(Database::Create(std::make_shared<store::FileStore>(folder.path()), config).ok());
    constexpr int kProcesses = 3;
    constexpr int kIncrements = 20;
    std::vector<pid_t> children;
    for (int p = 0; p < kProcesses; ++p) {
      children.push_back(fork());
      if (children.back() != 0) {
        continue;
      }
      const auto database = Database::Open(std::make_shared<store::FileStore>(folder.path()));
      for (int done = 0; done < kIncrements && database.ok();) {
        const auto read = (*database)->Newest()->Read("counter");
        WriteBatch batch;
        batch.Put("counter", absl::StrCat(read->value ? std::stoi(*read->value) + 1 : 1), read->generation);
        batch.Put(absl::StrCat("p", p, "/", done), "x");
        const absl::Status status = (*database)->Commit(batch).status();
        if (!status.ok() && !absl::IsAborted(status)) {
          std::fprintf(stderr, "%s\n", status.ToString().c_str());
          _exit(1);
        }
        done += status.ok() ? 1 : 0;
      }
      _exit(database.ok() ? 0 : 2);
    }
    for (const pid_t child : children) {
      int result = 0;
      ASSERT_EQ(waitpid(child, &result, 0), child);
      EXPECT_EQ(result, 0);
    }
    const auto files = std::make_shared<store::FileStore>(folder.path());
    const auto database = Database::Open(files).value();
    const Snapshot end = database->Newest().value();
    EXPECT_EQ(end.Read("counter")->value, absl::StrCat(kProcesses * kIncrements));
    EXPECT_EQ(end.generation().value, 1 + kProcesses * kIncrements);
    EXPECT_EQ(end.List(store::KeyRange::Prefix("p"))->size(), kProcesses * kIncrements);
    // Lost attempts left nothing behind: every data file is referred to by some version.
    EXPECT_EQ(files->List(store::KeyRange::Prefix("d/"))->size(), kProcesses * kIncrements);
  }
}

}  // namespace
}  // namespace cleave::ocdbt
