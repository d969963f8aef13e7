// What tests that kill a process share: a project whose object has a neck, children that are this program with one
// hidden test, and what an outsider sees of a project afterwards. Not for product code.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include <sys/wait.h>

#include "edit/edit_testing.h"
#include "edit/operation_log.h"

namespace cleave::edit {

inline constexpr VoxelPoint kSource{14, 16, 12};
inline constexpr VoxelPoint kSink{34, 16, 12};

// Two boxes of labels 1 and 3 with a neck between them, and a neighbour around them: of `body`, the half at either end
// of x, and between them only `neck`.
struct NeckShape {
  Extent3 extent{48, 32, 24};
  Box body{{4, 6, 2}, {44, 26, 22}};
  Box neck{{21, 13, 9}, {27, 19, 15}};
};
inline Array3<uint64_t> NeckLabels(const NeckShape& shape = {}) {
  Array3<uint64_t> labels(shape.extent, 2);
  for (int64_t z = shape.body.lo.z; z < shape.body.hi.z; ++z) {
    for (int64_t y = shape.body.lo.y; y < shape.body.hi.y; ++y) {
      for (int64_t x = shape.body.lo.x; x < shape.body.hi.x; ++x) {
        const bool is_between = x >= shape.neck.lo.x && x < shape.neck.hi.x;
        if (!is_between || shape.neck.Contains(VoxelPoint{x, y, z})) {
          labels[{x, y, z}] = x < 24 ? 1 : 3;
        }
      }
    }
  }
  return labels;
}

inline absl::StatusOr<EditReport> CutNeck(Editor& editor, absl::string_view key = "") {
  return editor.Split({.sources = {kSource}, .sinks = {kSink}, .user = "child", .terms = {.key = std::string(key)}});
}

struct ChildOptions {
  std::string folder;
  std::string action;
  std::string crash_at = {};   // NAME:N
  std::string list_file = {};  // where to write the names of the points passed
  std::string test = "CrashChild.RunsTheEdit";
};

// Returns the child's wait status.
inline int RunChild(const ChildOptions& options) {
  const pid_t pid = fork();
  if (pid == 0) {
    setenv("CLEAVE_CRASH_CHILD_FOLDER", options.folder.c_str(), 1);
    setenv("CLEAVE_CRASH_CHILD_ACTION", options.action.c_str(), 1);
    if (!options.crash_at.empty()) {
      setenv("CLEAVE_CRASH_AT", options.crash_at.c_str(), 1);
    }
    if (!options.list_file.empty()) {
      setenv("CLEAVE_CRASH_CHILD_LIST", options.list_file.c_str(), 1);
    }
    unsetenv("GTEST_OUTPUT");
    unsetenv("GTEST_TOTAL_SHARDS");
    const std::string filter = "--gtest_filter=" + options.test;
    execl("/proc/self/exe", "edit_test", filter.c_str(), "--gtest_brief=1", nullptr);
    _exit(127);
  }
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return status;
}

// "NAME:1", "NAME:2", ... for every arrival in the child's list.
inline std::vector<std::string> Arrivals(const std::string& list_file) {
  std::ifstream stream(list_file);
  std::map<std::string, int> count;
  std::vector<std::string> arrivals;
  for (std::string name; std::getline(stream, name);) {
    arrivals.push_back(absl::StrCat(name, ":", ++count[name]));
  }
  return arrivals;
}

// What an outsider can see of a project.
struct Seen {
  Array3<uint64_t> supervoxels;
  std::map<uint64_t, uint64_t> roots;
  std::vector<std::pair<uint64_t, OperationStatus>> succeeded;
  friend bool operator==(const Seen& a, const Seen& b) {
    return std::equal(a.supervoxels.data(), a.supervoxels.data() + a.supervoxels.size(), b.supervoxels.data()) &&
           a.roots == b.roots && a.succeeded == b.succeeded;
  }
};

inline Seen Look(OpenProject& project) {
  Seen seen;
  seen.supervoxels = ExportSupervoxels(*project.dataset);
  seen.roots = RootsOf(*project.dataset, seen.supervoxels);
  const auto log = OperationLog(project.dataset->table()).ReadAll();
  EXPECT_TRUE(log.ok()) << log.status();
  for (const OperationRecord& record : *log) {
    if (record.status == OperationStatus::kSuccess) {
      seen.succeeded.emplace_back(Value(record.id), record.status);
    } else {
      EXPECT_EQ(record.status, OperationStatus::kException) << "operation " << Value(record.id);
    }
  }
  return seen;
}

}  // namespace cleave::edit
