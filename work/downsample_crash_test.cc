// Goal: coarser scales and events come out right however often the process that makes them is killed. Method: children
// that are this program with one hidden test.
//   - A project with edits in the queue, and a worker killed at each of its crash points in turn, every scale a tier of
//     its own: between locks, commits, tiers, and the queue's offset. A second worker finishes.
//   - Edits by two threads at full speed beside two workers, in a child that is killed at random, again and again, and
//     started anew; for some seconds, or CLEAVE_TEST_SECONDS. Afterwards every scale is a fresh downsample of the
//     finest, events equal the log, fsck is clean at every time.
// The embedded table is opened by one process at a time, so a worker is killed together with those who edit.
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include <sys/wait.h>

#include "base/crash_point.h"
#include "base/test_scale.h"
#include "base/test_seed.h"
#include "work/downsample_service.h"
#include "work/work_testing.h"

namespace cleave::work {
namespace {

constexpr char kChildFolder[] = "CLEAVE_DOWNSAMPLE_CHILD_FOLDER";
constexpr char kChildSeed[] = "CLEAVE_DOWNSAMPLE_CHILD_SEED";
constexpr char kChildList[] = "CLEAVE_DOWNSAMPLE_CHILD_LIST";

struct ChildWork {
  std::string test;
  std::string folder;
  std::string crash_at = {};   // NAME:N
  std::string list_file = {};  // where to write the crash points passed
  uint64_t seed = 0;
};

pid_t StartChild(const ChildWork& work) {
  const pid_t pid = fork();
  if (pid == 0) {
    setenv(kChildFolder, work.folder.c_str(), 1);
    setenv(kChildSeed, absl::StrCat(work.seed).c_str(), 1);
    if (!work.crash_at.empty()) {
      setenv("CLEAVE_CRASH_AT", work.crash_at.c_str(), 1);
    }
    if (!work.list_file.empty()) {
      setenv(kChildList, work.list_file.c_str(), 1);
    }
    unsetenv("GTEST_OUTPUT");
    unsetenv("GTEST_TOTAL_SHARDS");
    const std::string filter = "--gtest_filter=" + work.test;
    execl("/proc/self/exe", "work_test", filter.c_str(), "--gtest_brief=1", nullptr);
    _exit(127);
  }
  return pid;
}

int WaitFor(pid_t pid) {
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return status;
}

// Hidden: what a child does that drains the queue.
TEST(DownsampleChild, Drains) {
  const char* const folder = std::getenv(kChildFolder);
  if (folder == nullptr) {
    GTEST_SKIP() << "only as a child of the crash tests";
  }
  std::ofstream list;
  if (const char* const file = std::getenv(kChildList); file != nullptr) {
    list.open(file);
    SetCrashPointObserver([&list](absl::string_view name) {
      if (name.substr(0, 11) == "downsample.") {
        list << name << std::endl;
      }
    });
  }
  edit::OpenProject project = edit::Open(folder);
  ASSERT_TRUE(ReleaseDeadWorkers(*project.dataset).ok());
  const auto worker = DownsampleWorker::Create(*project.dataset, {.memory_bytes = 1}).value();
  const auto done = worker->Drain();
  EXPECT_TRUE(done.ok()) << done.status();
  SetCrashPointObserver(nullptr);
}

// Hidden: what a child does that is killed sooner or later.
TEST(DownsampleChild, EditsForEver) {
  const char* const folder = std::getenv(kChildFolder);
  if (folder == nullptr) {
    GTEST_SKIP() << "only as a child of the crash tests";
  }
  edit::OpenProject project = edit::Open(folder);
  ASSERT_NE(project.editor, nullptr);
  const auto service = DownsampleService::Start(
      *project.dataset, {.work = {.memory_bytes = 1 << 20}, .workers = 2, .poll_period = absl::Milliseconds(5)});
  ASSERT_TRUE(service.ok()) << service.status();
  std::mt19937_64 random(std::strtoull(std::getenv(kChildSeed), nullptr, 10));
  std::vector<std::jthread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&project, seed = random()] {
      RandomEditor editor(project, seed);
      for (;;) {
        editor.EditOnce().status().IgnoreError();
      }
    });
  }
}

class DownsampleCrashTest : public testing::Test {
 protected:
  void ExpectAllRight() {
    edit::OpenProject project = edit::Open(path_);
    ASSERT_NE(project.editor, nullptr);
    ASSERT_TRUE(ReleaseDeadWorkers(*project.dataset).ok());
    const auto worker = DownsampleWorker::Create(*project.dataset, {}).value();
    const auto done = worker->Drain();
    ASSERT_TRUE(done.ok()) << done.status();
    EXPECT_EQ(ReadDownsampleQueue(*project.dataset)->events, 0);
    ASSERT_NO_FATAL_FAILURE(ExpectFreshScales(*project.dataset));
    ASSERT_NO_FATAL_FAILURE(ExpectEventsEqualLog(*project.dataset));
    ASSERT_NO_FATAL_FAILURE(edit::ExpectClean(*project.dataset));
  }

  std::mt19937_64 random_{TestSeed()};
  store::TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/p";
};

TEST_F(DownsampleCrashTest, AWorkerKilledAtEachPointLeavesWorkThatIsDoneAgain) {
  ASSERT_NO_FATAL_FAILURE(MakeProject(path_, random_));
  {
    edit::OpenProject project = edit::Open(path_);
    ASSERT_NO_FATAL_FAILURE(EditUntilVoxelsChange(project, random_(), 2));
  }
  std::filesystem::copy(path_, folder_.path() + "/listed", std::filesystem::copy_options::recursive);
  const std::string list_file = folder_.path() + "/points";
  ASSERT_EQ(WaitFor(StartChild(
                {.test = "DownsampleChild.Drains", .folder = folder_.path() + "/listed", .list_file = list_file})),
            0);
  std::map<std::string, int> count;
  std::vector<std::string> arrivals;
  std::ifstream list(list_file);
  for (std::string name; std::getline(list, name);) {
    arrivals.push_back(absl::StrCat(name, ":", ++count[name]));
  }
  EXPECT_GE(count["downsample.block_written"], 2);
  EXPECT_GE(count["downsample.tier_done"], 2);
  EXPECT_GE(count["downsample.before_acknowledge"], 1);
  ASSERT_GE(arrivals.size(), 8U);
  // All points once, a sample of their later arrivals.
  const size_t step = SmallTests() ? 5 : std::max<size_t>(1, arrivals.size() / 24);
  const std::string whole = path_ + ".whole";
  std::filesystem::rename(path_, whole);
  for (size_t i = 0; i < arrivals.size(); ++i) {
    if (i % step != 0 && !absl::EndsWith(arrivals[i], ":1")) {
      continue;
    }
    std::filesystem::remove_all(path_);
    std::filesystem::copy(whole, path_, std::filesystem::copy_options::recursive);
    const int status =
        WaitFor(StartChild({.test = "DownsampleChild.Drains", .folder = path_, .crash_at = arrivals[i]}));
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << arrivals[i] << " was not reached";
    ASSERT_NO_FATAL_FAILURE(ExpectAllRight());
    ASSERT_FALSE(HasFailure()) << "after a crash at " << arrivals[i];
  }
}

TEST_F(DownsampleCrashTest, EditsAtFullSpeedWithTwoWorkersKilledAtRandom) {
  int seconds = SmallTests() ? 3 : 6;
  double between_kills_s = 1;
  if (const char* const wish = std::getenv("CLEAVE_TEST_SECONDS"); wish != nullptr) {
    ASSERT_TRUE(absl::SimpleAtoi(wish, &seconds)) << "CLEAVE_TEST_SECONDS is no number: " << wish;
    between_kills_s = seconds > 60 ? 10 : 1;
  }
  ASSERT_NO_FATAL_FAILURE(MakeProject(path_, random_));
  const absl::Time end = absl::Now() + absl::Seconds(seconds);
  int kills = 0;
  while (absl::Now() < end || kills < 2) {
    const pid_t pid = StartChild({.test = "DownsampleChild.EditsForEver", .folder = path_, .seed = random_()});
    const double life_s = between_kills_s * (0.3 + 1.4 * static_cast<double>(random_() % 1000) / 1000);
    absl::SleepFor(absl::Seconds(life_s));
    kill(pid, SIGKILL);
    const int status = WaitFor(pid);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the child ended by itself";
    ++kills;
  }
  ASSERT_NO_FATAL_FAILURE(ExpectAllRight());
  edit::OpenProject project = edit::Open(path_);
  const size_t events = ReadEvents(*project.dataset, {}, 0)->events.size();
  std::cout << kills << " kills, " << events << " edits\n";
  EXPECT_GT(events, 0U);
}

}  // namespace
}  // namespace cleave::work
