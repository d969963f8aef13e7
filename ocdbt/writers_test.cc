// Goal: processes that write one database at once lose nothing, and what it holds is what some serial order of their
// commits makes, an order that every answer they got allows; also when some of them are killed in the middle.
//
// Method: children write batches of several keys, with and without conditions, to few shared keys, and note in a file
// of their own each batch before it is committed and each answer after. The order is there to be read: every commit is
// a version. So the parent goes through all versions, and of each it
//   1. finds the one batch that made it, by a key that every batch sets to a number of its own,
//   2. applies that batch to a plain map, after checking that its conditions hold there,
//   3. compares the whole database with the map.
// Then every answer is held against what was found: "committed in generation G" must be so, and in no other one;
// "refused" must not be found, and a version in which the condition does not hold must have been the newest at some
// moment between the batch's beginning and its answer; without an answer, because the child was killed, the batch is
// found once or never. Seed: CLEAVE_TEST_SEED.
//
// CLEAVE_WRITES_PER_PROCESS sets the number of batches of each of the 8 children (1000 is the full size).
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <set>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include <sys/wait.h>

#include "ocdbt/database.h"
#include "ocdbt/manifest_store.h"
#include "ocdbt/test_bytes.h"
#include "ocdbt/tree_check.h"
#include "store/file_store.h"
#include "store/temporary_folder.h"

namespace cleave::ocdbt {
namespace {

constexpr int kProcesses = 8;
constexpr int kSharedKeys = 10;

int WritesPerProcess() {
  int writes = SmallScale() ? 5 : 20;
  if (const char* text = std::getenv("CLEAVE_WRITES_PER_PROCESS"); text != nullptr) {
    EXPECT_TRUE(absl::SimpleAtoi(text, &writes));
  }
  return writes;
}

// "p3/17": the batch with number 17 of process 3. It is the value of the key "writer" after it.
std::string IdOf(int process, int number) { return absl::StrCat("p", process, "/", number); }

// One batch of a child, as both sides make it: from the seed, process and number alone, but for what the child read.
struct PlannedBatch {
  std::string id;
  std::map<std::string, std::string> puts;
  std::set<std::string> deletes;
  std::optional<std::string> condition_key;
  store::KeyRange deleted_range;  // empty: none
};

PlannedBatch Plan(uint32_t seed, int process, int number) {
  std::seed_seq mix{seed, static_cast<uint32_t>(process), static_cast<uint32_t>(number)};
  std::mt19937 random(mix);
  const auto shared_key = [&] { return absl::StrCat("shared/", random() % kSharedKeys); };
  PlannedBatch plan;
  plan.id = IdOf(process, number);
  plan.puts["writer"] = plan.id;
  plan.puts[absl::StrCat("own/", plan.id)] = std::string(random() % 4 == 0 ? 5000 : 10, 'o');
  if (random() % 2 == 0) {
    plan.condition_key = shared_key();
    plan.puts[*plan.condition_key] = absl::StrCat("conditional ", plan.id);
  }
  if (random() % 2 == 0) {
    plan.puts[shared_key()] = absl::StrCat("unconditional ", plan.id);
  } else if (const std::string key = shared_key(); !plan.puts.contains(key)) {
    plan.deletes.insert(key);
  }
  if (random() % 10 == 0) {
    plan.deleted_range = {absl::StrCat("own/p", process, "/", number / 2), absl::StrCat("own/p", process, "/", number)};
  }
  return plan;
}

// The value on which a condition of `plan` was put; nothing: the key was not there.
using Read = std::optional<std::string>;

void Apply(const PlannedBatch& plan, std::map<std::string, std::string>& contents) {
  if (plan.deleted_range.begin < plan.deleted_range.end) {
    contents.erase(contents.lower_bound(plan.deleted_range.begin), contents.lower_bound(plan.deleted_range.end));
  }
  for (const std::string& key : plan.deletes) {
    contents.erase(key);
  }
  for (const auto& [key, value] : plan.puts) {
    contents[key] = value;
  }
}

// One line of a child's notes: "begin NUMBER GENERATION VALUE_READ", "committed NUMBER GENERATION" or "refused NUMBER
// GENERATION"; the generation is one that was the newest then. A value that was not there is "-".
void Note(std::ofstream& notes, absl::string_view what, int number, uint64_t generation, absl::string_view value = "") {
  notes << what << '\t' << number << '\t' << generation << '\t' << value << std::endl;
}

// A child: commits batches `first` and on. Does not return.
[[noreturn]] void Write(const std::string& folder, const std::string& notes_path, uint32_t seed, int process,
                        int first) {
  std::ofstream notes(notes_path, std::ios::app);
  const auto database = Database::Open(std::make_shared<store::FileStore>(folder));
  for (int number = first; number < WritesPerProcess(); ++number) {
    const auto newest = database.ok() ? (*database)->Newest() : database.status();
    if (!newest.ok()) {
      std::fprintf(stderr, "%s\n", newest.status().ToString().c_str());
      _exit(1);
    }
    const PlannedBatch plan = Plan(seed, process, number);
    store::ReadResult read;
    WriteBatch batch;
    if (plan.deleted_range.begin < plan.deleted_range.end) {
      batch.DeleteRange(plan.deleted_range);
    }
    if (plan.condition_key) {
      read = newest->Read(*plan.condition_key).value();
    }
    for (const std::string& key : plan.deletes) {
      batch.Delete(key);
    }
    for (const auto& [key, value] : plan.puts) {
      batch.Put(key, value, key == plan.condition_key ? std::optional(read.generation) : std::nullopt);
    }
    Note(notes, "begin", number, newest->generation().value, read.value.value_or("-"));
    const absl::StatusOr<CommitResult> committed = (*database)->Commit(batch);
    if (committed.ok()) {
      Note(notes, "committed", number, committed->generation.value);
    } else if (absl::IsAborted(committed.status())) {
      Note(notes, "refused", number, (*database)->Newest()->generation().value);
    } else {
      std::fprintf(stderr, "%s\n", committed.status().ToString().c_str());
      _exit(1);
    }
  }
  _exit(0);
}

enum class Answer { kNone, kCommitted, kRefused };

// What a child noted of one batch.
struct NotedBatch {
  uint64_t began_at = 0;
  Read read;
  Answer answer = Answer::kNone;
  uint64_t generation = 0;  // of the commit, or the newest when it was refused
};
using Notes = std::map<std::string, NotedBatch>;  // by id

// The last line of a killed child may be cut off.
void ReadNotes(const std::string& path, int process, Notes& notes) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line) && !file.eof();) {
    const std::vector<std::string> words = absl::StrSplit(line, '\t');
    ASSERT_EQ(words.size(), 4) << line;
    NotedBatch& batch = notes[IdOf(process, std::stoi(words[1]))];
    if (words[0] == "begin") {
      batch = {std::stoull(words[2]), words[3] == "-" ? Read() : Read(words[3]), Answer::kNone, 0};
    } else {
      batch.answer = words[0] == "committed" ? Answer::kCommitted : Answer::kRefused;
      batch.generation = std::stoull(words[2]);
    }
  }
}

class Writers : public testing::TestWithParam<ManifestKind> {
 protected:
  std::string NotesPath(int process) const { return absl::StrCat(notes_.path(), "/", process); }

  void MakeDatabase() {
    Config config;
    config.manifest_kind = GetParam();
    config.max_decoded_node_bytes = 2000;
    config.version_tree_arity_log2 = 2;
    ASSERT_TRUE(Database::Create(std::make_shared<store::FileStore>(folder_.path()), config).ok());
  }

  pid_t Start(int process, int first) {
    const pid_t child = fork();
    if (child == 0) {
      Write(folder_.path(), NotesPath(process), seed_, process, first);
    }
    return child;
  }

  // The number of the batch with which a child that was killed goes on. The one that was under way is not tried again.
  int NextNumber(int process) {
    Notes notes;
    ReadNotes(NotesPath(process), process, notes);
    return static_cast<int>(notes.size());
  }

  void CheckEverything() {
    Notes notes;
    for (int process = 0; process < kProcesses; ++process) {
      ReadNotes(NotesPath(process), process, notes);
    }
    const auto files = std::make_shared<store::FileStore>(folder_.path());
    const auto database = Database::Open(files).value();
    ManifestStore manifests(files);
    const Snapshot newest = database->Newest().value();
    ASSERT_TRUE(CheckVersionTree(manifests.Read().value()->manifest, newest.reader()).ok());
    ASSERT_TRUE(CheckTree(newest.reader(), newest.version()).ok());
    ReplayVersions(*database, newest.generation().value, notes);
    CheckAnswers(notes);
  }

  // Steps 1 to 3 for every version.
  void ReplayVersions(const Database& database, uint64_t last, const Notes& notes) {
    std::map<std::string, std::string> contents;
    states_.assign(2, SharedState());
    for (uint64_t generation = 2; generation <= last; ++generation) {
      const Snapshot snapshot = database.At(GenerationNumber{generation}).value();
      const std::string id = *snapshot.Read("writer")->value;
      ASSERT_TRUE(made_.emplace(id, generation).second) << id << " was committed twice";
      ASSERT_TRUE(notes.contains(id)) << id << " was never begun";
      const std::vector<std::string> numbers = absl::StrSplit(id.substr(1), '/');
      const PlannedBatch plan = Plan(seed_, std::stoi(numbers[0]), std::stoi(numbers[1]));
      if (plan.condition_key) {
        const auto present = contents.find(*plan.condition_key);
        EXPECT_EQ(present == contents.end() ? Read() : Read(present->second), notes.at(id).read)
            << id << " was committed in generation " << generation << " against its condition";
      }
      Apply(plan, contents);
      states_.push_back(SharedStateOf(contents));
      // All of it now and then and at the end, else what can have changed.
      const bool whole = generation % 16 == 0 || generation == last;
      ASSERT_EQ(ReadRange(snapshot, whole ? "" : "shared/"), whole ? contents : states_.back())
          << "generation " << generation;
    }
  }

  void CheckAnswers(const Notes& notes) {
    int committed = 0, refused = 0, unanswered = 0, unanswered_committed = 0;
    for (const auto& [id, batch] : notes) {
      const auto made = made_.find(id);
      switch (batch.answer) {
        case Answer::kCommitted:
          ++committed;
          ASSERT_NE(made, made_.end()) << id << " is lost";
          EXPECT_EQ(made->second, batch.generation) << id;
          break;
        case Answer::kRefused:
          ++refused;
          EXPECT_EQ(made, made_.end()) << id << " was refused, but is there";
          CheckRefusal(id, batch);
          break;
        case Answer::kNone:
          ++unanswered;
          unanswered_committed += made == made_.end() ? 0 : 1;
          break;
      }
    }
    EXPECT_EQ(made_.size(), static_cast<size_t>(committed + unanswered_committed));
    std::printf("%d committed, %d refused, %d unanswered of which %d are there\n", committed, refused, unanswered,
                unanswered_committed);
    unanswered_ = unanswered;
  }

  // Some version that was the newest meanwhile does not meet the condition.
  void CheckRefusal(const std::string& id, const NotedBatch& batch) {
    const std::vector<std::string> numbers = absl::StrSplit(id.substr(1), '/');
    const PlannedBatch plan = Plan(seed_, std::stoi(numbers[0]), std::stoi(numbers[1]));
    ASSERT_TRUE(plan.condition_key) << id << " was refused without a condition";
    bool violated = false;
    for (uint64_t generation = batch.began_at; generation <= batch.generation; ++generation) {
      const auto present = states_[generation].find(*plan.condition_key);
      violated |= (present == states_[generation].end() ? Read() : Read(present->second)) != batch.read;
    }
    EXPECT_TRUE(violated) << id << " was refused, but its condition held from generation " << batch.began_at << " to "
                          << batch.generation;
  }

  using SharedState = std::map<std::string, std::string>;
  static SharedState SharedStateOf(const std::map<std::string, std::string>& contents) {
    const store::KeyRange range = store::KeyRange::Prefix("shared/");
    return {contents.lower_bound(range.begin), contents.lower_bound(range.end)};
  }
  static std::map<std::string, std::string> ReadRange(const Snapshot& snapshot, absl::string_view prefix) {
    const std::vector<std::string> keys = snapshot.List(store::KeyRange::Prefix(prefix)).value();
    const auto values = snapshot.ReadMany(keys).value();
    std::map<std::string, std::string> contents;
    for (size_t i = 0; i < keys.size(); ++i) {
      contents[keys[i]] = *values[i];
    }
    return contents;
  }

  // The data files in which nodes or values of some version lie, in order.
  static std::vector<std::string> ReferredFiles(const std::shared_ptr<store::Store>& store) {
    const auto database = Database::Open(store).value();
    const Snapshot newest = database->Newest().value();
    std::set<std::string> files;
    const std::function<void(const DataReference&)> visit = [&](const DataReference& location) {
      files.insert(location.file.path());
      const auto node = newest.reader().ReadBtreeNode(location).value();
      for (const LeafEntry& entry : node->leaf_entries()) {
        if (entry.value.indirect) {
          files.insert(entry.value.reference.file.path());
        }
      }
      for (const InteriorEntry& entry : node->interior_entries()) {
        visit(entry.child.location);
      }
    };
    const std::vector<Version> versions = database->ListVersions().value();
    for (const Version& version : versions) {
      if (!version.empty()) {
        visit(version.root.location);
      }
    }
    return {files.begin(), files.end()};
  }

  const store::TemporaryFolder folder_;
  const store::TemporaryFolder notes_;
  const uint32_t seed_ = TestSeed();
  std::vector<SharedState> states_;       // by generation
  std::map<std::string, uint64_t> made_;  // the generation that each batch made
  int unanswered_ = 0;
};

TEST_P(Writers, OfManyProcessesMakeASerialOrder) {
  MakeDatabase();
  std::vector<pid_t> children;
  for (int process = 0; process < kProcesses; ++process) {
    children.push_back(Start(process, 0));
  }
  for (const pid_t child : children) {
    int result = 0;
    ASSERT_EQ(waitpid(child, &result, 0), child);
    EXPECT_EQ(result, 0);
  }
  CheckEverything();
  EXPECT_EQ(unanswered_, 0);
  // Lost attempts and refused batches left nothing behind: each data file is referred to by some version.
  const auto files = std::make_shared<store::FileStore>(folder_.path());
  EXPECT_EQ(files->List(store::KeyRange::Prefix("d/")).value(), ReferredFiles(files));
}

TEST_P(Writers, WhoAreKilledLeaveTheirLastBatchWholeOrNotAtAll) {
  MakeDatabase();
  std::mt19937 random(seed_);
  std::map<pid_t, int> children;
  for (int process = 0; process < kProcesses; ++process) {
    children[Start(process, 0)] = process;
  }
  int kills = 0;
  const auto database = Database::Open(std::make_shared<store::FileStore>(folder_.path())).value();
  uint64_t next_kill = 6;
  while (!children.empty()) {
    int result = 0;
    if (const pid_t ended = waitpid(-1, &result, WNOHANG); ended > 0) {
      const int process = children.at(ended);
      children.erase(ended);
      ASSERT_TRUE(result == 0 || (WIFSIGNALED(result) && WTERMSIG(result) == SIGKILL)) << result;
      if (result != 0) {
        children[Start(process, NextNumber(process))] = process;
      }
      continue;
    }
    // Every few commits one of them dies; which one, and where it just is, is chance.
    if (!children.empty() && database->Newest()->generation().value >= next_kill) {
      next_kill = database->Newest()->generation().value + 5;
      kill(std::next(children.begin(), random() % children.size())->first, SIGKILL);
      ++kills;
    }
    absl::SleepFor(absl::Microseconds(random() % 2000));
  }
  CheckEverything();
  std::printf("%d kills\n", kills);
  EXPECT_GT(kills, 2);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Writers, testing::Values(ManifestKind::kSingle, ManifestKind::kNumbered));

}  // namespace
}  // namespace cleave::ocdbt
