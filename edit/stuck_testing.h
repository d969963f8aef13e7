// What the tests of recovery and of stuck operations share. Not for product code.
#pragma once

#include <csignal>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "base/clock.h"
#include "base/crash_point.h"
#include "edit/crash_testing.h"
#include "edit/stuck.h"
#include "store/temporary_folder.h"
#include "table/row_locks.h"

namespace cleave::edit {

// The system's clock, put forward.
class ShiftedClock final : public Clock {
 public:
  absl::Time Now() override { return Clock::System().Now() + shift_; }
  void Forward(absl::Duration by) { shift_ += by; }
  void Reset() { shift_ = {}; }

 private:
  absl::Duration shift_;
};

// Does something once, in the middle of an edit of this process: at the first arrival at a crash point. While it lives,
// crash points that `act` itself passes are not looked at.
class AtCrashPoint {
 public:
  AtCrashPoint(std::string name, std::function<void()> act) : name_(std::move(name)), act_(std::move(act)) {
    SetCrashPointObserver([this](absl::string_view point) {
      if (!reached_ && point == name_) {
        reached_ = true;
        act_();
      }
    });
  }
  AtCrashPoint(const AtCrashPoint&) = delete;
  AtCrashPoint& operator=(const AtCrashPoint&) = delete;
  ~AtCrashPoint() {
    SetCrashPointObserver(nullptr);
    EXPECT_TRUE(reached_) << name_ << " was not passed";
  }

 private:
  const std::string name_;
  const std::function<void()> act_;
  bool reached_ = false;
};

// A project with one object that has a neck, and copies of it in which a process ended in the middle of an edit.
class StuckProject : public testing::Test {
 protected:
  static constexpr graph::OperationId kFirst{1};
  // Nothing happens behind the test's back.
  static EditorOptions Still(Clock& clock) {
    return {.clock = &clock,
            .lock_tries = 2,
            .lock_wait = absl::Milliseconds(20),
            .recover_at_open = false,
            .recovery_period = absl::ZeroDuration()};
  }

  void SetUp() override {
    IngestLabels(origin_, NeckLabels(), {.chunk_size = {16, 16, 16}, .voxel_size_nm = {8, 8, 8}, .fuse = {{1, 3}}});
  }

  std::string Copy(const std::string& from) {
    const std::string to = absl::StrCat(folder_.path(), "/copy", ++copies_);
    std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
    return to;
  }

  // A project in which `action` was killed at `stop`, NAME:N.
  std::string LeftAt(const std::string& stop, const std::string& action = "split") {
    std::string project = Copy(origin_);
    const int status = RunChild({.folder = project, .action = action, .crash_at = stop});
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << stop << " was not passed";
    return project;
  }

  static OpenProject OpenAsLeft(const std::string& folder) {
    OpenProject project;
    auto dataset = graph::Dataset::Open(folder);
    EXPECT_TRUE(dataset.ok()) << dataset.status();
    project.dataset = *std::move(dataset);
    return project;
  }
  Seen LookAt(const std::string& folder) {
    OpenProject project = OpenAsLeft(folder);
    return Look(project);
  }
  // What the project is when nothing or everything of `action` happened.
  Seen Before() { return LookAt(origin_); }
  Seen After(const std::string& action = "split") {
    const std::string done = Copy(origin_);
    EXPECT_EQ(RunChild({.folder = done, .action = action}), 0);
    return LookAt(done);
  }

  // That the project is as `seen`, whole, and nothing in it is stuck.
  static void ExpectSettled(OpenProject& project, const Seen& seen) {
    EXPECT_TRUE(Look(project) == seen) << "another state than expected";
    const auto stuck = ListStuck(*project.dataset, absl::Now(), absl::ZeroDuration());
    ASSERT_TRUE(stuck.ok()) << stuck.status();
    EXPECT_TRUE(stuck->empty()) << "operation " << Value(stuck->front().scope.id) << " is stuck";
    const auto intents = project.dataset->intents().List({});
    ASSERT_TRUE(intents.ok()) << intents.status();
    EXPECT_TRUE(intents->empty()) << "intent " << intents->front();
    ExpectClean(*project.dataset);
  }

  static OperationRecord RowOf(OpenProject& project, graph::OperationId id = kFirst) {
    const auto record = OperationLog(project.dataset->table()).Read(id);
    EXPECT_TRUE(record.ok()) << record.status();
    return record.value_or(OperationRecord{});
  }

  store::TemporaryFolder folder_;
  const std::string origin_ = folder_.path() + "/origin";
  int copies_ = 0;
};

}  // namespace cleave::edit
