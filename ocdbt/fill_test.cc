// Goal: a fill by many processes holds what an undisturbed one holds, takes effect once, and neither loses a file to
// garbage collection nor leaves one, wherever processes are killed.
//
// Method: 1. Threads, runs and parts against std::map, over configurations. 2. Processes that write parts and finish
// the fill, one of them killed at random again and again, until the fill is done; then the tree, every key, and the
// number of versions are looked at. 3. The last step stopped at every effect on the store, and run again. 4.
// Collections without grace at every moment between. 5. Every byte of marker and runs flipped. Seed: CLEAVE_TEST_SEED.
#include "ocdbt/fill.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <sys/wait.h>

#include "base/parallel.h"
#include "base/status.h"
#include "ocdbt/clock_testing.h"
#include "ocdbt/garbage.h"
#include "ocdbt/garbage_list.h"
#include "ocdbt/history_testing.h"
#include "ocdbt/test_bytes.h"
#include "ocdbt/tree_check.h"
#include "store/faulty_store.h"
#include "store/file_store.h"
#include "store/memory_store.h"
#include "store/temporary_folder.h"

namespace cleave::ocdbt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Contents = std::map<std::string, std::string>;

void ExpectHolds(Database& database, const Contents& expected) {
  const Snapshot now = database.Newest().value();
  EXPECT_EQ(ReadAll(now), expected);
  const absl::Status checked = CheckTree(now.reader(), now.version());
  EXPECT_TRUE(checked.ok()) << checked;
}

// Writes one part; the values of a key are the same in every try.
absl::Status WritePart(Database& database, const std::string& part, const Contents& contents,
                       const FillOptions& options = {}) {
  CLEAVE_ASSIGN_OR_RETURN(const Fill fill, Fill::Create(database, "fill"));
  const auto writer = fill.BeginPart(part, options);
  CLEAVE_RETURN_IF_ERROR(writer.status());
  for (const auto& [key, value] : contents) {
    CLEAVE_RETURN_IF_ERROR((*writer)->Put(key, value));
  }
  return (*writer)->Finish();
}

absl::StatusOr<CommitResult> CommitParts(Database& database, const std::vector<std::string>& parts) {
  CLEAVE_ASSIGN_OR_RETURN(const Fill fill, Fill::Create(database, "fill"));
  return fill.Commit(parts);
}

TEST(Fill, AgreesWithAMapOverWhatWasThere) {
  std::mt19937 random(TestSeed());
  for (const uint32_t node_bytes : {0U, 1U, 60U, 700U}) {
    for (const uint32_t inline_bytes : {0U, 30U, 1U << 20}) {
      Config config;
      config.max_decoded_node_bytes = node_bytes;
      config.max_inline_value_bytes = inline_bytes;
      OpenOptions open;
      open.target_data_file_bytes = 700;
      const auto database = Database::Create(std::make_shared<store::MemoryStore>(), config, open).value();
      Contents expected;
      WriteBatch before;
      for (int i = 0; i < 50; ++i) {
        const std::string key = absl::StrCat("k", random() % 300);
        before.Put(key, "before");
        expected[key] = "before";
      }
      ASSERT_TRUE(database->Commit(before).ok());
      const Fill fill = Fill::Create(*database, "fill").value();
      const std::vector<std::string> parts = {"b", "a", "9"};  // the order of the list counts, not that of the names
      for (const std::string& part : parts) {
        const auto writer = fill.BeginPart(part, {.memory_bytes = 3000}).value();
        for (int i = 0; i < 200; ++i) {
          const std::string key = absl::StrCat("k", random() % 300, std::string(random() % 30, 'x'));
          const std::string value(random() % 50, static_cast<char>('a' + i % 26));
          ASSERT_TRUE(writer->Put(key, value).ok());
          expected[key] = value;
        }
        ASSERT_TRUE(writer->Finish().ok());
      }
      EXPECT_THAT(*fill.FinishedParts(), ElementsAre("9", "a", "b"));
      const absl::StatusOr<CommitResult> committed = fill.Commit(parts);
      ASSERT_TRUE(committed.ok()) << committed.status();
      EXPECT_TRUE(committed->changed);
      EXPECT_EQ(committed->generation.value, 3);
      ExpectHolds(*database, expected);

      // The last step again, also when others have committed since, is harmless.
      WriteBatch later;
      later.Put("k1", "later");
      ASSERT_TRUE(database->Commit(later).ok());
      expected["k1"] = "later";
      const absl::StatusOr<CommitResult> again = fill.Commit(parts);
      ASSERT_TRUE(again.ok()) << again.status();
      EXPECT_FALSE(again->changed);
      EXPECT_EQ(again->generation.value, 3);
      EXPECT_EQ(again->commit_time, committed->commit_time);
      ExpectHolds(*database, expected);
    }
  }
}

TEST(Fill, ManyThreadsPutAtOnce) {
  const auto database = Database::Create(std::make_shared<store::MemoryStore>(), {}).value();
  const Fill fill = Fill::Create(*database, "fill").value();
  const auto part = fill.BeginPart("p", {.memory_bytes = 50'000}).value();
  constexpr int64_t kKeys = 3000;
  ASSERT_TRUE(ParallelFor(kKeys, 4, [&](int64_t i) {
                return part->Put(absl::StrCat("chunk/", i), std::string(i % 7000, 'v'));
              }).ok());
  ASSERT_TRUE(part->Finish().ok());
  ASSERT_TRUE(fill.Commit(std::vector<std::string>{"p"}).ok());
  const Snapshot now = database->Newest().value();
  EXPECT_EQ(now.version().root.statistics.num_keys, kKeys);
  EXPECT_TRUE(CheckTree(now.reader(), now.version()).ok());
}

TEST(Fill, RefusesWhatIsNotInOrder) {
  const auto store = std::make_shared<store::MemoryStore>();
  const auto database = Database::Create(store, {}).value();
  for (const char* name : {"", "a/b", "..", ".x", "a b"}) {
    EXPECT_EQ(Fill::Create(*database, name).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
  const Fill fill = Fill::Create(*database, "fill").value();
  EXPECT_EQ(fill.BeginPart("a/b").status().code(), absl::StatusCode::kInvalidArgument);
  {
    const auto given_up = fill.BeginPart("one").value();
    ASSERT_TRUE(given_up->Put("k", std::string(100'000, 'x')).ok());
    EXPECT_EQ(given_up->Put(std::string(70'000, 'k'), "").code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(store->List({})->size(), 1) << "a part that was given up leaves nothing";
  EXPECT_TRUE(fill.FinishedParts()->empty());
  ASSERT_TRUE(WritePart(*database, "one", {{"k", "v"}}).ok());
  EXPECT_EQ(fill.BeginPart("one").status().code(), absl::StatusCode::kAlreadyExists);
  const absl::Status missing = CommitParts(*database, {"one", "two"}).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(missing.message()), HasSubstr("part two"));
  ASSERT_TRUE(WritePart(*database, "two", {{"k", "w"}}).ok());
  const absl::Status more = CommitParts(*database, {"one"}).status();
  EXPECT_EQ(more.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(more.message()), HasSubstr("part two"));
  EXPECT_EQ(database->Newest()->generation().value, 1);
  EXPECT_TRUE(CommitParts(*database, {"one", "two"})->changed);
  EXPECT_EQ(fill.BeginPart("three").status().code(), absl::StatusCode::kFailedPrecondition);
  ExpectHolds(*database, {{"k", "w"}});
  // Removed, its name is free.
  ASSERT_TRUE(fill.Remove().ok());
  EXPECT_TRUE(store->List(store::KeyRange::Prefix("cleave/"))->empty());
  ASSERT_TRUE(WritePart(*database, "one", {{"l", "x"}}).ok());
  EXPECT_TRUE(CommitParts(*database, {"one"})->changed);
  ExpectHolds(*database, {{"k", "w"}, {"l", "x"}});
  OpenOptions read_only;
  read_only.read_only = true;
  const auto reader = Database::Open(store, read_only).value();
  EXPECT_EQ(Fill::Create(*reader, "fill").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Fill, APartThatWasTakenBackIsWrittenAnew) {
  const auto database = Database::Create(std::make_shared<store::MemoryStore>(), {}).value();
  const Fill fill = Fill::Create(*database, "fill").value();
  ASSERT_TRUE(WritePart(*database, "a", {{"k", "wrong"}, {"only before", std::string(9000, 'x')}}).ok());
  ASSERT_TRUE(WritePart(*database, "b", {{"l", "2"}}).ok());
  EXPECT_TRUE(fill.RemovePart("never-finished").ok());
  EXPECT_EQ(fill.RemovePart("a/b").code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(fill.RemovePart("a").ok());
  EXPECT_THAT(*fill.FinishedParts(), ElementsAre("b"));
  EXPECT_EQ(CommitParts(*database, {"a", "b"}).status().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(WritePart(*database, "a", {{"k", "right"}}).ok());
  ASSERT_TRUE(CommitParts(*database, {"a", "b"}).ok());
  ExpectHolds(*database, {{"k", "right"}, {"l", "2"}});
  EXPECT_EQ(fill.RemovePart("a").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(*fill.FinishedParts(), ElementsAre("a", "b"));
}

TEST(Fill, OfNothingCommitsNothing) {
  const auto database = Database::Create(std::make_shared<store::MemoryStore>(), {}).value();
  ASSERT_TRUE(WritePart(*database, "empty", {}).ok());
  EXPECT_FALSE(CommitParts(*database, {"empty"})->changed);
  EXPECT_EQ(database->Newest()->generation().value, 1);
}

// Of two processes that write the same part, the first to finish counts; the other leaves nothing.
TEST(Fill, APartIsFinishedOnce) {
  const auto store = std::make_shared<store::MemoryStore>();
  const auto database = Database::Create(store, {}).value();
  const Fill fill = Fill::Create(*database, "fill").value();
  auto slow = fill.BeginPart("p").value();
  ASSERT_TRUE(slow->Put("k", std::string(10'000, 's')).ok());
  ASSERT_TRUE(WritePart(*database, "p", {{"k", std::string(10'000, 'f')}}).ok());
  const size_t files = store->List(store::KeyRange::Prefix("d/"))->size();
  EXPECT_TRUE(slow->Finish().ok());
  slow.reset();
  EXPECT_EQ(store->List(store::KeyRange::Prefix("d/"))->size(), files);
  ASSERT_TRUE(CommitParts(*database, {"p"}).ok());
  ExpectHolds(*database, {{"k", std::string(10'000, 'f')}});
}

// --- crashes ---

Contents PartContents(int part) {
  Contents contents;
  for (int i = 0; i < 120; ++i) {
    const size_t length = i % 5 == 0 ? 6000 : 20;
    contents[absl::StrCat("chunk/", i * 37 % 120, "/", part)] = std::string(length, static_cast<char>('a' + part));
  }
  return contents;
}

constexpr int kParts = 12;

std::vector<std::string> PartNames() {
  std::vector<std::string> names;
  for (int part = 0; part < kParts; ++part) {
    names.push_back(absl::StrCat("part-", part));
  }
  return names;
}

// A child: writes the parts that are missing, beginning somewhere, and then commits. Does not return.
[[noreturn]] void FillInChild(const std::string& folder, int first) {
  OpenOptions open;
  open.target_data_file_bytes = 20'000;
  const auto database = Database::Open(std::make_shared<store::FileStore>(folder), open);
  const std::vector<std::string> names = PartNames();
  absl::Status status = database.status();
  for (int i = 0; i < kParts && status.ok(); ++i) {
    const int part = (first + i) % kParts;
    status = WritePart(**database, names[part], PartContents(part), {.memory_bytes = 4000});
    if (absl::IsAlreadyExists(status) || absl::IsFailedPrecondition(status)) {
      status = absl::OkStatus();  // finished by another, or all is committed
    }
  }
  if (status.ok()) {
    status = CommitParts(**database, names).status();
    while (absl::IsAborted(status)) {  // another child is at it
      absl::SleepFor(absl::Milliseconds(1));
      status = CommitParts(**database, names).status();
    }
  }
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
  }
  _exit(status.ok() ? 0 : 1);
}

TEST(FillByProcesses, KilledAtRandomEqualsOneUndisturbed) {
  const uint32_t seed = TestSeed();
  std::mt19937 random(seed);
  Contents expected;
  for (int part = 0; part < kParts; ++part) {
    expected.merge(PartContents(part));
  }
  int kills = 0;
  const int rounds = SmallScale() ? 1 : 5;
  for (int round = 0; round < rounds; ++round) {
    const store::TemporaryFolder folder;
    const auto store = std::make_shared<store::FileStore>(folder.path());
    Config config;
    config.max_decoded_node_bytes = 2000;
    ASSERT_TRUE(Database::Create(store, config).ok());
    std::set<pid_t> children;
    const auto start = [&] {
      const int first = static_cast<int>(random() % kParts);
      const pid_t child = fork();
      if (child == 0) {
        FillInChild(folder.path(), first);
      }
      children.insert(child);
    };
    for (int process = 0; process < 4; ++process) {
      start();
    }
    int kills_left = 40;
    while (!children.empty()) {
      int result = 0;
      if (const pid_t ended = waitpid(-1, &result, WNOHANG); ended > 0) {
        children.erase(ended);
        ASSERT_TRUE(result == 0 || (WIFSIGNALED(result) && WTERMSIG(result) == SIGKILL)) << result;
        if (result != 0) {
          start();
        }
        continue;
      }
      absl::SleepFor(absl::Microseconds(random() % 8000));
      if (kills_left > 0) {
        kill(*std::next(children.begin(), static_cast<int>(random() % children.size())), SIGKILL);
        --kills_left;
        ++kills;
      }
    }
    const auto database = Database::Open(store).value();
    ExpectHolds(*database, expected);
    EXPECT_EQ(database->Newest()->generation().value, 2) << "the fill was committed more than once";

    // The same bytes of tree as without any disturbance: values lie elsewhere, so node sizes are compared by counts.
    const auto undisturbed = Database::Create(std::make_shared<store::MemoryStore>(), config).value();
    for (int part = 0; part < kParts; ++part) {
      ASSERT_TRUE(WritePart(*undisturbed, PartNames()[part], PartContents(part)).ok());
    }
    ASSERT_TRUE(CommitParts(*undisturbed, PartNames()).ok());
    const Version ours = database->Newest()->version();
    const Version theirs = undisturbed->Newest()->version();
    EXPECT_EQ(ours.root.statistics.num_keys, theirs.root.statistics.num_keys);
    EXPECT_EQ(ours.root.statistics.num_indirect_value_bytes, theirs.root.statistics.num_indirect_value_bytes);

    // What killed processes left is garbage, and goes; nothing else does.
    const std::vector<std::string> leases = store->List(store::KeyRange::Prefix("cleave/pins/")).value();
    for (const std::string& lease : leases) {
      ASSERT_TRUE(store->Delete(lease).ok());  // they would run out
    }
    GarbageOptions garbage;
    garbage.dry_run = false;
    garbage.grace = absl::ZeroDuration();
    size_t removed = 0;
    for (int collection = 0; collection < 2; ++collection) {
      const auto report = CollectGarbage(*database, garbage, Progress::Silent());
      ASSERT_TRUE(report.ok()) << report.status();
      removed += report->removed.size();
    }
    EXPECT_GT(removed, 0);
    ExpectHolds(*database, expected);
  }
  std::printf("%d kills\n", kills);
}

// The last step ends at each of its effects, one after the other, in every way in which a store can fail.
TEST(FillLastStep, StoppedAnywhereCommitsOnce) {
  const Contents expected = {{"a", std::string(9000, 'a')}, {"b", "b"}, {"c", std::string(5000, 'c')}};
  int crash_points = 0;
  for (const store::Fault fault : {store::Fault::kBefore, store::Fault::kAfter, store::Fault::kTwice}) {
    for (int64_t effect = 0;; ++effect) {
      const auto faulty = std::make_shared<store::FaultyStore>(std::make_shared<store::MemoryStore>());
      const auto database = Database::Create(faulty, {}).value();
      ASSERT_TRUE(WritePart(*database, "1", {{"a", expected.at("a")}, {"b", "old"}}).ok());
      ASSERT_TRUE(WritePart(*database, "2", {{"b", "b"}, {"c", expected.at("c")}}).ok());
      faulty->Arm({.effect = effect, .fault = fault});
      const absl::StatusOr<CommitResult> first = CommitParts(*database, {"1", "2"});
      if (!faulty->fired()) {
        ASSERT_TRUE(first.ok());
        break;
      }
      ++crash_points;
      faulty->Restart();
      const auto reopened = Database::Open(faulty).value();
      const absl::StatusOr<CommitResult> again = CommitParts(*reopened, {"1", "2"});
      ASSERT_TRUE(again.ok()) << again.status();
      EXPECT_EQ(again->generation.value, 2);
      EXPECT_EQ(reopened->Newest()->generation().value, 2) << "committed twice, effect " << effect;
      ExpectHolds(*reopened, expected);
      EXPECT_FALSE(CommitParts(*reopened, {"1", "2"})->changed);
    }
  }
  std::printf("%d crash points\n", crash_points);
  EXPECT_GT(crash_points, 6);
}

// Others commit between the tries of the last step, and their versions stay on top.
TEST(FillLastStep, ACommitThatWasNotAnsweredIsFoundUnderLaterOnes) {
  int committed_unanswered = 0;
  for (int64_t effect = 0; effect < 8; ++effect) {
    const auto store = std::make_shared<store::FaultyStore>(std::make_shared<store::MemoryStore>());
    const auto first = Database::Create(store, {}).value();
    ASSERT_TRUE(WritePart(*first, "1", {{"a", "filled"}}).ok());
    store->Arm({.effect = effect, .fault = store::Fault::kAfter});
    (void)CommitParts(*first, {"1"});
    store->Restart();
    const auto second = Database::Open(store).value();
    const bool is_there = second->Newest()->generation().value == 2;
    WriteBatch batch;
    batch.Put("a", "edited");
    ASSERT_TRUE(second->Commit(batch).ok());
    ASSERT_TRUE(CommitParts(*second, {"1"}).ok());
    ExpectHolds(*second, {{"a", is_there ? "edited" : "filled"}});
    committed_unanswered += is_there ? 1 : 0;
  }
  EXPECT_GT(committed_unanswered, 0);
}

// --- garbage ---

class FillAndGarbage : public testing::Test {
 protected:
  void SetUp() override {
    OpenOptions open;
    open.clock = &clock_;
    open.target_data_file_bytes = 3000;
    database_ = Database::Create(store_, {}, open).value();
  }

  // Two collections, far apart: what nothing needs is gone then.
  size_t Collect() {
    size_t removed = 0;
    for (int i = 0; i < 2; ++i) {
      GarbageOptions options;
      options.dry_run = false;
      options.clock = &clock_;
      const auto report = CollectGarbage(*database_, options, Progress::Silent());
      EXPECT_TRUE(report.ok()) << report.status();
      removed += report.ok() ? report->removed.size() : 0;
      open_fills_ = report.ok() ? report->open_fills : std::vector<std::string>();
      clock_.Advance(absl::Hours(25));
    }
    return removed;
  }

  const Contents contents_ = {{"a", std::string(9000, 'a')}, {"b", "b"}, {"c", std::string(5000, 'c')}};
  FakeClock clock_;
  std::vector<std::string> open_fills_;
  const std::shared_ptr<store::Store> store_ = std::make_shared<store::MemoryStore>();
  std::unique_ptr<Database> database_;
};

TEST_F(FillAndGarbage, FinishedPartsStayUntilTheyAreCommitted) {
  ASSERT_TRUE(WritePart(*database_, "1", contents_).ok());
  EXPECT_EQ(Collect(), 0);
  EXPECT_THAT(open_fills_, ElementsAre("fill"));
  ASSERT_TRUE(CommitParts(*database_, {"1"}).ok());
  ExpectHolds(*database_, contents_);
  EXPECT_EQ(Collect(), 1) << "the run is not needed any more";
  EXPECT_TRUE(open_fills_.empty());
  ExpectHolds(*database_, contents_);
}

TEST_F(FillAndGarbage, ARemovedFillIsGarbage) {
  ASSERT_TRUE(WritePart(*database_, "1", contents_).ok());
  ASSERT_TRUE(Fill::Create(*database_, "fill")->Remove().ok());
  EXPECT_GT(Collect(), 1);
  EXPECT_TRUE(store_->List(store::KeyRange::Prefix("d/"))->empty());
}

TEST_F(FillAndGarbage, APartWhoseLeaseRanOutIsRefused) {
  const Fill fill = Fill::Create(*database_, "fill").value();
  const auto part = fill.BeginPart("1").value();
  for (const auto& [key, value] : contents_) {
    ASSERT_TRUE(part->Put(key, value).ok());
  }
  clock_.Advance(absl::Hours(30));  // the process was stopped; its renewing thread, too
  EXPECT_GT(Collect(), 0);
  const absl::Status finished = part->Finish();
  EXPECT_EQ(finished.code(), absl::StatusCode::kAborted) << finished;
  EXPECT_TRUE(fill.FinishedParts()->empty()) << "a marker that refers to nothing";
  ASSERT_TRUE(WritePart(*database_, "1", contents_).ok());
  ASSERT_TRUE(CommitParts(*database_, {"1"}).ok());
  ExpectHolds(*database_, contents_);
}

// --- damage ---

TEST(FillDamage, IsNamedAndCommitsNothing) {
  const auto store = std::make_shared<store::MemoryStore>();
  OpenOptions open;
  open.target_data_file_bytes = 100;
  const auto database = Database::Create(store, {}, open).value();
  ASSERT_TRUE(WritePart(*database, "1", {{"a", "1"}, {"b", "2"}}).ok());
  std::vector<std::string> objects = {"cleave/fills/fill/parts/1"};
  const std::vector<std::string> runs = *store->List(store::KeyRange::Prefix("d/"));
  objects.insert(objects.end(), runs.begin(), runs.end());
  ASSERT_EQ(objects.size(), 2);
  for (const std::string& object : objects) {
    const std::string whole = *store->Read(object)->value;
    for (size_t i = 0; i < whole.size(); ++i) {
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
      ASSERT_TRUE(store->Write(object, damaged).ok());
      const absl::Status status = CommitParts(*database, {"1"}).status();
      ASSERT_EQ(status.code(), absl::StatusCode::kDataLoss) << object << " byte " << i << ": " << status;
      ASSERT_THAT(std::string(status.message()), HasSubstr(object));
      ASSERT_EQ(database->Newest()->generation().value, 1);
    }
    ASSERT_TRUE(store->Write(object, whole).ok());
  }
  ASSERT_TRUE(store->Delete(runs.front()).ok());
  EXPECT_EQ(CommitParts(*database, {"1"}).status().code(), absl::StatusCode::kDataLoss);
}

TEST(FillRecord, RoundTrips) {
  const PartRecord part{
      {"d/1", "d/ two"},
      {{{{DataFileId("", "d/3"), 7, 9}, 11}, {{DataFileId("base/", "d/4"), 0, UINT64_MAX - 1}, 0}}, {}}};
  EXPECT_EQ(*DecodePart(EncodePart(part)), part);
  CommitRecord commit{{5}, {{DataFileId("", "d/3"), 7, 9}}, {}};
  EXPECT_EQ(*DecodeCommit(EncodeCommit(commit)), commit);
  commit.done = {{6}, absl::FromUnixNanos(1700000000000000001)};
  EXPECT_EQ(*DecodeCommit(EncodeCommit(commit)), commit);
  EXPECT_EQ(DecodePart(EncodeCommit(commit)).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace cleave::ocdbt
