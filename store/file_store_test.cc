// Goal: what a file store has answered survives a power cut, writers in several processes never lose a conditional
// write, and leavings of dead writers do no harm. Method: a model of the disk that forgets whatever was not synced,
// fed with every effect; child processes that count together or are killed at a crash point.
#include "store/file_store.h"

#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <sys/wait.h>

#include "base/crash_point.h"
#include "store/posix_file.h"
#include "store/temporary_folder.h"

namespace cleave::store {
namespace {

// What the disk would hold if the power failed now: names whose folder was synced after they appeared, all the way up,
// and only files whose contents were synced before they got their name.
class PowerCutModel {
 public:
  void Apply(const FileEffect& effect) {
    switch (effect.kind) {
      case FileEffect::Kind::kWrite:
        unsynced_contents_.insert(effect.path);
        break;
      case FileEffect::Kind::kSyncFile:
        unsynced_contents_.erase(effect.path);
        break;
      case FileEffect::Kind::kMakeFolder:
        unsynced_names_.insert(effect.path);
        break;
      case FileEffect::Kind::kRename:
        if (unsynced_contents_.erase(effect.path) > 0) {
          unsynced_contents_.insert(effect.to);
        }
        unsynced_names_.insert(effect.to);
        break;
      case FileEffect::Kind::kUnlink:
        unsynced_names_.insert(effect.path);
        break;
      case FileEffect::Kind::kSyncFolder:
        std::erase_if(unsynced_names_, [&](const std::string& path) {
          return std::filesystem::path(path).parent_path() == std::filesystem::path(effect.path);
        });
    }
  }
  // True when the present state of `path`, and of every folder above, is on the disk.
  bool Durable(std::filesystem::path path) const {
    for (; path != path.root_path(); path = path.parent_path()) {
      if (unsynced_contents_.contains(path.string()) || unsynced_names_.contains(path.string())) {
        return false;
      }
    }
    return true;
  }

 private:
  std::set<std::string> unsynced_contents_;
  std::set<std::string> unsynced_names_;
};

TEST(FileStore, AnswersOnlyWhatSurvivesAPowerCut) {
  const TemporaryFolder folder;
  FileStore store(folder.path() + "/not/yet/there");
  PowerCutModel disk;
  SetFileEffectObserver([&](const FileEffect& effect) { disk.Apply(effect); });
  for (const std::string key : {"a", "b/c/d", "b/c/e", "b/f", "a"}) {
    ASSERT_TRUE(store.Write(key, "value of " + key).ok());
    EXPECT_TRUE(disk.Durable(folder.path() + "/not/yet/there/" + key)) << key;
  }
  ASSERT_TRUE(store.Delete("b/c/d").ok());
  EXPECT_TRUE(disk.Durable(folder.path() + "/not/yet/there/b/c/d"));
  SetFileEffectObserver(nullptr);
}

TEST(FileStore, MakesFoldersAgainThatWereRemoved) {
  const TemporaryFolder folder;
  FileStore store(folder.path());
  ASSERT_TRUE(store.Write("a/b", "1").ok());
  std::filesystem::remove_all(folder.path() + "/a");
  ASSERT_TRUE(store.Write("a/b", "2").ok());
  EXPECT_EQ(store.Read("a/b")->value, "2");
}

TEST(FileStore, ALongerValueOfADeadWriterLeavesNoTrace) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() + "/key.__lock") << "a long value that was never finished";
  FileStore store(folder.path());
  ASSERT_TRUE(store.Write("key", "short").ok());
  EXPECT_EQ(store.Read("key")->value, "short");
  EXPECT_FALSE(std::filesystem::exists(folder.path() + "/key.__lock"));
}

TEST(FileStore, LockFilesAreNoKeys) {
  const TemporaryFolder folder;
  FileStore store(folder.path());
  ASSERT_TRUE(store.Write("a/b", "1").ok());
  std::ofstream(folder.path() + "/a/c.__lock") << "left behind";
  EXPECT_EQ(store.List({}).value(), std::vector<std::string>{"a/b"});
  EXPECT_EQ(store.Write("a/c.__lock", "x").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(store.Read("a.__lock/b").status().code(), absl::StatusCode::kInvalidArgument);
}

// Who has begun a write keeps others waiting; they then find that the condition does not hold.
TEST(FileStore, ABegunWriteHoldsTheLock) {
  const TemporaryFolder folder;
  FileStore store(folder.path());
  std::unique_ptr<BegunWrite> begun = store.BeginWrite("key", "first", {Generation::Absent()}).value();
  absl::Status second;
  std::jthread rival(
      [&] { second = FileStore(folder.path()).Write("key", "second", {Generation::Absent()}).status(); });
  EXPECT_TRUE(begun->Prepare().ok());
  EXPECT_EQ(store.Read("key")->value, std::nullopt);
  EXPECT_TRUE(begun->Finish().ok());
  rival.join();
  EXPECT_EQ(second.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(store.Read("key")->value, "first");
  begun.reset();
  EXPECT_FALSE(std::filesystem::exists(folder.path() + "/key.__lock"));
}

TEST(FileStore, ANewValueIsDurableWhenFinished) {
  const TemporaryFolder folder;
  FileStore store(folder.path() + "/new");
  PowerCutModel disk;
  SetFileEffectObserver([&](const FileEffect& effect) { disk.Apply(effect); });
  for (const size_t bytes : {size_t{10}, size_t{3'000'000}}) {
    const std::string key = absl::StrCat("d/", bytes);
    const auto value = store.WriteNew(key).value();
    ASSERT_TRUE(value->Append(std::string(bytes, 'x')).ok());
    ASSERT_TRUE(value->Finish().ok());
    EXPECT_TRUE(disk.Durable(folder.path() + "/new/" + key)) << key;
  }
  SetFileEffectObserver(nullptr);
}

TEST(FileStore, FailedConditionAndDeleteLeaveNoLockFile) {
  const TemporaryFolder folder;
  FileStore store(folder.path());
  ASSERT_TRUE(store.Write("key", "1").ok());
  EXPECT_FALSE(store.Write("key", "2", {Generation::Absent()}).ok());
  EXPECT_TRUE(store.Delete("absent").ok());
  EXPECT_TRUE(store.Delete("key").ok());
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  EXPECT_TRUE(store.Delete("no_folder/key").ok());
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(FileStore, AKeyIsNotBothFileAndFolder) {
  const TemporaryFolder folder;
  FileStore store(folder.path());
  ASSERT_TRUE(store.Write("a/b", "1").ok());
  EXPECT_EQ(store.Read("a")->value, std::nullopt);
  EXPECT_EQ(store.Write("a", "x").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(store.Read("a/b/c")->value, std::nullopt);
  EXPECT_EQ(store.Write("a/b/c", "x").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(store.Write(std::string(300, 'n'), "x").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(store.List({}).value(), std::vector<std::string>{"a/b"});
}

TEST(FileStore, FollowsLinksButNotInCircles) {
  const TemporaryFolder folder;
  FileStore store(folder.path());
  ASSERT_TRUE(store.Write("a/b", "1").ok());
  std::filesystem::create_directory_symlink("a", folder.path() + "/link");
  std::filesystem::create_directory_symlink("..", folder.path() + "/a/up");
  std::filesystem::create_symlink("b", folder.path() + "/a/c");
  const auto keys = store.List({}).value();
  EXPECT_THAT(keys, testing::IsSupersetOf({"a/b", "a/c", "link/b", "link/c"}));
  EXPECT_LT(keys.size(), 40);
}

TEST(FileStore, AWriterKilledAnywhereLeavesTheOldValueOrTheNew) {
  for (const absl::string_view point :
       {"file_store.before_sync", "file_store.before_rename", "file_store.after_rename"}) {
    const TemporaryFolder folder;
    FileStore store(folder.path());
    ASSERT_TRUE(store.Write("key", "old value, the longer one").ok());
    const pid_t child = fork();
    if (child == 0) {
      SetCrashPointObserver([&](absl::string_view name) {
        if (name == point) {
          raise(SIGKILL);
        }
      });
      _exit(store.Write("key", "new value").ok() ? 0 : 1);
    }
    int result = 0;
    ASSERT_EQ(waitpid(child, &result, 0), child);
    ASSERT_TRUE(WIFSIGNALED(result));
    EXPECT_EQ(store.Read("key")->value, point == "file_store.after_rename" ? "new value" : "old value, the longer one");
    ASSERT_TRUE(store.Write("key", "x").ok());
    EXPECT_EQ(store.Read("key")->value, "x");
  }
}

TEST(FileStore, ProcessesLoseNoConditionalWrite) {
  const TemporaryFolder folder;
  constexpr int kProcesses = 3;
  constexpr int kIncrements = 30;
  std::vector<pid_t> children;
  for (int p = 0; p < kProcesses; ++p) {
    children.push_back(fork());
    if (children.back() != 0) {
      continue;
    }
    FileStore store(folder.path());
    for (int done = 0; done < kIncrements;) {
      const ReadResult read = store.Read("counter").value();
      int count = 0;
      if (read.value && !absl::SimpleAtoi(*read.value, &count)) {
        _exit(2);
      }
      const absl::Status status = store.Write("counter", absl::StrCat(count + 1), {read.generation}).status();
      if (!status.ok() && !absl::IsAborted(status)) {
        _exit(1);
      }
      done += status.ok() ? 1 : 0;
    }
    _exit(0);
  }
  for (const pid_t child : children) {
    int result = 0;
    ASSERT_EQ(waitpid(child, &result, 0), child);
    EXPECT_EQ(result, 0);
  }
  EXPECT_EQ(FileStore(folder.path()).Read("counter")->value, absl::StrCat(kProcesses * kIncrements));
}

}  // namespace
}  // namespace cleave::store
