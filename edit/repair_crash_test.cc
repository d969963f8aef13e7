// Goal: a process that is killed in the middle of a repair leaves a project that the next start makes whole: mended, or
// damaged as before and mended by the next repair.
// Method: as in crash_test.cc. The repair, of rows and of voxels, runs in a child; a first run lists the crash points
// that it passes, and then a fresh copy of the damaged project is repaired once for each of them and killed there.
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"
#include <sys/wait.h>

#include "base/crash_point.h"
#include "edit/repair_testing.h"

namespace cleave::edit {
namespace {

TEST(RepairCrashChild, RunsTheRepair) {
  const char* folder = std::getenv("CLEAVE_REPAIR_CHILD_FOLDER");
  if (folder == nullptr) {
    GTEST_SKIP() << "runs as the child of RepairCrashTest only";
  }
  OpenProject project = Open(folder);
  ASSERT_NE(project.editor, nullptr);
  absl::StatusOr<RepairPlan> plan = PlanRepair(*project.dataset, {}, Clock::System(), Progress::Silent());
  ASSERT_TRUE(plan.ok()) << plan.status();
  std::ofstream list;
  if (const char* path = std::getenv("CLEAVE_REPAIR_CHILD_LIST")) {
    list.open(path);
    SetCrashPointObserver([&list](absl::string_view name) { list << std::string(name) << std::endl; });
  }
  const auto report = ApplyRepair(*project.dataset, Clock::System(), *std::move(plan), "child", {}, Progress::Silent());
  SetCrashPointObserver(nullptr);
  ASSERT_TRUE(report.ok()) << report.status();
}

int RunRepairChild(const std::string& folder, const std::string& crash_at, const std::string& list_file) {
  const pid_t pid = fork();
  if (pid == 0) {
    setenv("CLEAVE_REPAIR_CHILD_FOLDER", folder.c_str(), 1);
    if (!crash_at.empty()) {
      setenv("CLEAVE_CRASH_AT", crash_at.c_str(), 1);
    }
    if (!list_file.empty()) {
      setenv("CLEAVE_REPAIR_CHILD_LIST", list_file.c_str(), 1);
    }
    unsetenv("GTEST_OUTPUT");
    unsetenv("GTEST_TOTAL_SHARDS");
    execl("/proc/self/exe", "edit_test", "--gtest_filter=RepairCrashChild.RunsTheRepair", "--gtest_brief=1", nullptr);
    _exit(127);
  }
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return status;
}

TEST(RepairCrashTest, IsWholeOrNothingAndCanBeRunAgain) {
  store::TemporaryFolder folder;
  const std::string origin = folder.path() + "/origin";
  ASSERT_NO_FATAL_FAILURE(IngestLabels(origin, BarLabels(), kBarOptions));
  Array3<uint64_t> voxels;
  std::map<uint64_t, uint64_t> roots;
  {
    OpenProject project = Open(origin);
    ASSERT_TRUE(project.editor->Split({{{8, 9, 8}}, {{40, 9, 8}}, "test"}).ok());
    voxels = ExportSupervoxels(*project.dataset);
    roots = RootsOf(*project.dataset, voxels);
    // A parent, a list of children, and a box of voxels.
    const graph::NodeId id{voxels[{8, 9, 8}]};
    const graph::NodeId other{voxels[{40, 25, 8}]};
    const graph::NodeId parent = project.dataset->Now().Parents({{other}}).value().front();
    const table::RowMutation damage[] = {
        {table::NodeRowKey(Value(id)), {table::DeleteCells{table::columns::kParent, std::nullopt}}},
        {table::NodeRowKey(Value(parent)), {table::DeleteCells{table::columns::kChild, std::nullopt}}}};
    ASSERT_TRUE(project.dataset->table().Apply(damage).ok());
    const Array3<uint64_t> none({9, 9, 9}, 0);
    ASSERT_TRUE(project.dataset->segmentation().WriteBox(0, BoxAt({2, 4, 2}, {9, 9, 9}), none.view()).ok());
  }
  const auto copy = [&](const std::string& name) {
    const std::string to = absl::StrCat(folder.path(), "/", name);
    std::filesystem::remove_all(to);
    std::filesystem::copy(origin, to, std::filesystem::copy_options::recursive);
    return to;
  };
  const std::string list_file = folder.path() + "/points";
  ASSERT_EQ(RunRepairChild(copy("observed"), "", list_file), 0);
  std::map<std::string, int> count;
  std::vector<std::string> arrivals;
  std::ifstream stream(list_file);
  for (std::string name; std::getline(stream, name);) {
    arrivals.push_back(absl::StrCat(name, ":", ++count[name]));
  }
  for (const char* name : {"edit.created", "edit.intent_written", "edit.committed", "edit.voxels_written",
                           "edit.flipped", "edit.finished"}) {
    EXPECT_TRUE(count.contains(name)) << name;
  }
  int mended = 0;
  for (const std::string& arrival : arrivals) {
    SCOPED_TRACE(arrival);
    const std::string path = copy("killed");
    const int status = RunRepairChild(path, arrival, "");
    // Opening the project passes some of these points too, before the repair begins.
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    OpenProject project = Open(path);
    ASSERT_NE(project.editor, nullptr);
    absl::StatusOr<RepairPlan> plan = PlanRepair(*project.dataset, {}, Clock::System(), Progress::Silent());
    ASSERT_TRUE(plan.ok()) << plan.status();
    if (plan->before.clean()) {
      ++mended;
    } else {
      const auto report =
          ApplyRepair(*project.dataset, Clock::System(), *std::move(plan), "again", {}, Progress::Silent());
      ASSERT_TRUE(report.ok()) << report.status();
    }
    ExpectClean(*project.dataset);
    const Array3<uint64_t> now = ExportSupervoxels(*project.dataset);
    EXPECT_TRUE(std::equal(now.data(), now.data() + now.size(), voxels.data()));
    EXPECT_EQ(RootsOf(*project.dataset, now), roots);
  }
  EXPECT_GT(mended, 0);
  EXPECT_LT(mended, static_cast<int>(arrivals.size()));
  std::cout << "killed at " << arrivals.size() << " points; " << mended << " left the project mended\n";
}

}  // namespace
}  // namespace cleave::edit
