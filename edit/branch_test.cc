// Goal: a branch is what the project was, and from then on the two have nothing to do with each other. Method: random
// edits, voxel cuts and undos among them; what an outsider sees is kept after each. Then branches of several of these
// moments: each must show what was kept, in the present and at every earlier time, be clean, and take edits, while the
// project stays as it is. Ids that one of them gives later are never those of the other's common past.
#include "edit/branch.h"

#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"

#include "base/test_scale.h"
#include "base/test_seed.h"
#include "edit/edit_testing.h"
#include "edit/event_index.h"
#include "edit/instant.h"
#include "edit/protection.h"

namespace cleave::edit {
namespace {

struct Kept {
  absl::Time time;
  Array3<uint64_t> supervoxels;
  std::map<uint64_t, uint64_t> roots;
  int64_t events = 0;
};

class BranchTest : public testing::Test {
 protected:
  static constexpr Extent3 kExtent{64, 48, 32};

  void SetUp() override {
    const uint64_t seed = TestSeed();
    random_.seed(seed);
    IngestLabels(path_, RandomBlobs(random_, kExtent, 8), {.chunk_size = {16, 16, 16}, .voxel_size_nm = {8, 8, 20}});
    project_ = Open(path_);
  }

  static Kept Look(graph::Dataset& dataset, absl::Time time) {
    Kept kept{time, ExportSupervoxels(dataset), {}, 0};
    kept.roots = RootsOf(dataset, kept.supervoxels, absl::InfiniteFuture());
    kept.events = std::ssize(ListEvents(dataset.table(), absl::InfinitePast(), 0).value());
    return kept;
  }

  VoxelPoint Point() {
    const auto below = [&](int64_t limit) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(limit)); };
    return {below(kExtent.x), below(kExtent.y), below(kExtent.z)};
  }

  absl::StatusOr<EditReport> EditOnce(OpenProject& project) {
    const VoxelPoint p = Point();
    const VoxelPoint q = Point();
    if (random_() % 5 == 0 && last_ != graph::OperationId{}) {
      return project.editor->Undo(
          {.operation = std::exchange(last_, {}), .user = "test", .voxels = random_() % 2 == 0});
    }
    auto report = RootAt(*project.dataset, p) == RootAt(*project.dataset, q)
                      ? project.editor->Split({.sources = {p}, .sinks = {q}, .user = "test"})
                      : project.editor->Merge({.source = p, .sink = q, .user = "test"});
    if (report.ok()) {
      last_ = report->operation;
    }
    return report;
  }

  // Edits and keeps what is seen, the beginning first.
  std::vector<Kept> EditAndKeep(int edits) {
    std::vector<Kept> kept = {Look(*project_.dataset, project_.dataset->meta().ingested)};
    for (int done = 0, tries = 0; done < edits && tries < 40 * edits; ++tries) {
      if (const auto report = EditOnce(project_); report.ok()) {
        kept.push_back(Look(*project_.dataset, report->time));
        ++done;
      }
    }
    EXPECT_EQ(std::ssize(kept), edits + 1);
    return kept;
  }

  static void ExpectSame(graph::Dataset& dataset, const Kept& kept) {
    const Kept now = Look(dataset, kept.time);
    EXPECT_TRUE(std::ranges::equal(std::span(now.supervoxels.data(), static_cast<size_t>(now.supervoxels.size())),
                                   std::span(kept.supervoxels.data(), static_cast<size_t>(kept.supervoxels.size()))));
    EXPECT_EQ(now.roots, kept.roots);
    EXPECT_EQ(now.events, kept.events);
  }

  store::TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/project";
  std::mt19937_64 random_;
  OpenProject project_;
  graph::OperationId last_{};
};

TEST_F(BranchTest, IsWhatTheProjectWasAndGoesItsOwnWay) {
  const int edits = SmallTests() ? 12 : 30;
  const std::vector<Kept> kept = EditAndKeep(edits);
  for (size_t i = 0; i < kept.size(); i += 5) {
    SCOPED_TRACE(absl::StrCat("a branch after ", i, " edits"));
    const std::string path = absl::StrCat(folder_.path(), "/branch", i);
    // Any time up to the next edit is the same moment.
    const bool halfway = i + 1 < kept.size() && i % 2 == 0;
    const absl::Time at = halfway ? kept[i].time + (kept[i + 1].time - kept[i].time) / 2 : kept[i].time;
    const auto report = BranchProject(*project_.dataset, path, at);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->time, kept[i].time);
    OpenProject branch = Open(path);
    ASSERT_NE(branch.editor, nullptr);
    ExpectSame(*branch.dataset, kept[i]);
    ExpectClean(*branch.dataset);
    for (size_t j = 0; j < i; j += 3) {
      EXPECT_EQ(RootsOf(*branch.dataset, kept[j].supervoxels, kept[j].time), kept[j].roots)
          << "at the time of edit " << j;
    }
    last_ = {};
    int done = 0;
    for (int tries = 0; done < 3 && tries < 200; ++tries) {
      done += EditOnce(branch).ok() ? 1 : 0;
    }
    EXPECT_EQ(done, 3);
    ExpectClean(*branch.dataset);
    ExpectSame(*project_.dataset, kept.back());
    const auto difference = DiffProjects(*project_.dataset, *branch.dataset);
    ASSERT_TRUE(difference.ok()) << difference.status();
    EXPECT_EQ(difference->common_count, static_cast<int64_t>(i));
    EXPECT_EQ(std::ssize(difference->only_first), std::ssize(kept) - 1 - static_cast<int64_t>(i));
    EXPECT_EQ(difference->only_second.size(), 3U);
  }
  ExpectClean(*project_.dataset);
}

TEST_F(BranchTest, OfThePresentSharesFilesAndOutlivesTheProject) {
  const std::vector<Kept> kept = EditAndKeep(8);
  const std::string path = folder_.path() + "/branch";
  const auto report = BranchProject(*project_.dataset, path, std::nullopt);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->dropped_count, 0);
  EXPECT_GT(report->files.linked, 0);
  EXPECT_EQ(report->files.copied, 0);
  project_ = {};
  std::filesystem::remove_all(path_);
  OpenProject branch = Open(path);
  ExpectSame(*branch.dataset, kept.back());
  ExpectClean(*branch.dataset);
  // And a branch of the branch.
  const auto again = BranchProject(*branch.dataset, folder_.path() + "/again", kept[3].time);
  ASSERT_TRUE(again.ok()) << again.status();
  OpenProject second = Open(folder_.path() + "/again");
  ExpectSame(*second.dataset, kept[3]);
  ExpectClean(*second.dataset);
}

TEST_F(BranchTest, WhatWasUndoneLaterStandsInIt) {
  const std::vector<Kept> kept = EditAndKeep(6);
  std::vector<OperationRecord> log = OperationLog(project_.dataset->table()).ReadAll().value();
  std::erase_if(log, [](const OperationRecord& record) {
    return record.status != OperationStatus::kSuccess || record.target != graph::OperationId{} || record.undone_by;
  });
  ASSERT_FALSE(log.empty());
  ASSERT_TRUE(project_.editor->Undo({.operation = log.back().id, .user = "test"}).ok());
  ASSERT_TRUE(BranchProject(*project_.dataset, folder_.path() + "/branch", kept.back().time).ok());
  OpenProject branch = Open(folder_.path() + "/branch");
  EXPECT_FALSE(OperationLog(branch.dataset->table()).Read(log.back().id)->undone_by.has_value());
  EXPECT_TRUE(branch.editor->Undo({.operation = log.back().id, .user = "test"}).ok());
  ExpectClean(*branch.dataset);
}

TEST_F(BranchTest, AProtectionThatCameLaterIsNotInIt) {
  const std::vector<Kept> kept = EditAndKeep(2);
  const graph::NodeId root{kept.back().roots.begin()->second};
  Protection protection;
  protection.root = root;
  protection.user = "ana";
  ASSERT_TRUE(project_.editor->Protect(protection).ok());
  ASSERT_TRUE(BranchProject(*project_.dataset, folder_.path() + "/past", kept[1].time).ok());
  ASSERT_TRUE(BranchProject(*project_.dataset, folder_.path() + "/now", std::nullopt).ok());
  EXPECT_EQ(ListProtections(*Open(folder_.path() + "/now").dataset)->size(), 1U);
  EXPECT_TRUE(ListProtections(*Open(folder_.path() + "/past").dataset)->empty());
}

TEST_F(BranchTest, IsRefusedWhereItCannotBe) {
  graph::Dataset& dataset = *project_.dataset;
  const std::string path = folder_.path() + "/branch";
  EXPECT_TRUE(
      absl::IsInvalidArgument(BranchProject(dataset, path, dataset.meta().ingested - absl::Seconds(1)).status()));
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_TRUE(absl::IsAlreadyExists(BranchProject(dataset, path_, std::nullopt).status()));
  std::filesystem::create_directory(path);
  std::ofstream(path + "/mine") << "x";
  EXPECT_TRUE(absl::IsAlreadyExists(BranchProject(dataset, path, std::nullopt).status()));
  EXPECT_TRUE(std::filesystem::exists(path + "/mine"));
  OperationLog log(dataset.table());
  InFlight in_flight;
  in_flight.id = graph::OperationId{77};
  ASSERT_TRUE(log.WriteInFlight(in_flight).ok());
  const absl::Status busy = BranchProject(dataset, folder_.path() + "/busy", std::nullopt).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(busy)) << busy;
  EXPECT_NE(busy.message().find("operation 77"), absl::string_view::npos);
  ASSERT_TRUE(log.RemoveInFlight(graph::OperationId{77}).ok());
  const std::string other = folder_.path() + "/other";
  IngestLabels(other, RandomBlobs(random_, {40, 40, 40}, 4), {.chunk_size = {16, 16, 16}});
  OpenProject stranger = Open(other);
  EXPECT_TRUE(absl::IsFailedPrecondition(DiffProjects(dataset, *stranger.dataset).status()));
}

}  // namespace
}  // namespace cleave::edit
