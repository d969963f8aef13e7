// Goal: a process that is stopped in the middle of a write holds nobody up, and changes nothing when it goes on.
// Method: a child of this process stops itself where its value is written and not yet in its place; this one writes the
// same key meanwhile. Then the child goes on, once with the folder beside still there and once without.
#include "ingest/staged_store.h"

#include <signal.h>
#include <unistd.h>

#include <filesystem>

#include "gtest/gtest.h"
#include <sys/wait.h>

#include "base/crash_point.h"
#include "store/temporary_folder.h"

namespace cleave::ingest {
namespace {

class StagedStoreTest : public testing::Test {
 protected:
  std::string folder() const { return folder_.path() + "/values"; }
  std::string staging() const { return folder_.path() + "/writing"; }

  // A child that stops in the middle of writing "a/b", and ends with 0 when its write came out as it should.
  pid_t BeginStopped(bool (*is_right)(const absl::Status&)) const {
    const pid_t child = fork();
    if (child == 0) {
      SetCrashPointObserver([](absl::string_view name) {
        if (name == "ingest.staged_write") {
          raise(SIGSTOP);
        }
      });
      StagedStore store(folder(), staging());
      _exit(is_right(store.Write("a/b", "value").status()) ? 0 : 1);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, WUNTRACED), child);
    EXPECT_TRUE(WIFSTOPPED(status));
    return child;
  }
  static int GoOn(pid_t child) {
    int status = 0;
    kill(child, SIGCONT);
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  store::TemporaryFolder folder_;
};

TEST_F(StagedStoreTest, WhoIsStoppedHoldsNobodyUp) {
  const pid_t child = BeginStopped([](const absl::Status& status) { return status.ok(); });
  StagedStore store(folder(), staging());
  EXPECT_FALSE(store.Read("a/b").value().value.has_value());
  ASSERT_TRUE(store.Write("a/b", "value").ok());  // would wait for a lock
  EXPECT_EQ(store.Read("a/b").value().value, "value");
  EXPECT_EQ(GoOn(child), 0);
  EXPECT_EQ(store.Read("a/b").value().value, "value");
  EXPECT_EQ(store.List({}).value(), std::vector<std::string>{"a/b"});
  EXPECT_TRUE(std::filesystem::is_empty(staging()));
}

TEST_F(StagedStoreTest, WhoWakesUpAfterTheEndChangesNothing) {
  const pid_t child = BeginStopped([](const absl::Status& status) { return absl::IsNotFound(status); });
  StagedStore store(folder(), staging());
  const absl::StatusOr<store::Generation> written = store.Write("a/b", "value");
  ASSERT_TRUE(written.ok()) << written.status();
  std::filesystem::remove_all(staging());
  EXPECT_EQ(GoOn(child), 0);
  EXPECT_EQ(store.Read("a/b").value().generation, *written);
  EXPECT_FALSE(std::filesystem::exists(staging()));
}

TEST_F(StagedStoreTest, ConditionsHoldAsEver) {
  StagedStore store(folder(), staging());
  const absl::StatusOr<store::Generation> first = store.Write("a", "1");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(absl::IsAborted(store.Write("a", "2", {.if_generation = store::Generation::Absent()}).status()));
  EXPECT_TRUE(store.Write("a", "2", {.if_generation = *first}).ok());
  EXPECT_EQ(store.Read("a").value().value, "2");
}

}  // namespace
}  // namespace cleave::ingest
