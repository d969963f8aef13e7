// Goal: a split into three and more sides parts all of them at once, in voxels and in the graph; paint, as an array or
// as boxes, does what points do, and no painted voxel ends on another side; the log, previews, batches and undo know of
// it; what is wrong with sides and paint is said, and nothing is changed. Method: a star of blocks joined by necks, all
// one supervoxel per chunk; every voxel is looked at.
#include <algorithm>
#include <memory>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "edit/edit_testing.h"
#include "edit/kept_preview.h"
#include "edit/preview_sides.h"

namespace cleave::edit {
namespace {

constexpr VoxelPoint kHub{24, 24, 6};
// The middles of the blocks at the ends of the arms.
constexpr VoxelPoint kArms[] = {{6, 24, 6}, {42, 24, 6}, {24, 6, 6}, {24, 42, 6}};

// A hub and four blocks of 9 x 9 x 9 voxels, joined by bars of 3 x 3; all label 1. Beside it a block of label 2.
Array3<uint64_t> StarLabels() {
  Array3<uint64_t> labels({48, 48, 12});
  const auto fill = [&](VoxelPoint lo, VoxelPoint hi, uint64_t label) {
    for (int64_t z = lo.z; z < hi.z; ++z) {
      for (int64_t y = lo.y; y < hi.y; ++y) {
        for (int64_t x = lo.x; x < hi.x; ++x) {
          labels[{x, y, z}] = label;
        }
      }
    }
  };
  for (const VoxelPoint middle : {kHub, kArms[0], kArms[1], kArms[2], kArms[3]}) {
    fill(middle - VoxelPoint{4, 4, 4}, middle + VoxelPoint{5, 5, 5}, 1);
  }
  fill({6, 23, 5}, {42, 26, 8}, 1);
  fill({23, 6, 5}, {26, 42, 8}, 1);
  fill({2, 2, 2}, {8, 8, 8}, 2);
  return labels;
}

class SidesTest : public testing::TestWithParam<int64_t> {
 protected:
  void SetUp() override {
    const int64_t chunk = GetParam();
    ASSERT_NO_FATAL_FAILURE(
        IngestLabels(path_, StarLabels(), {.chunk_size = {chunk, chunk, 12}, .voxel_size_nm = {8, 8, 8}}));
    project_ = Open(path_);
    ASSERT_NE(project_.editor, nullptr);
    before_ = ExportSupervoxels(dataset());
  }

  graph::Dataset& dataset() { return *project_.dataset; }
  Editor& editor() { return *project_.editor; }

  static SplitRequest InFour() {
    return {.sources = {kArms[0]}, .sinks = {kArms[1]}, .user = "ada", .more_sides = {{kArms[2]}, {kArms[3]}}};
  }

  void ExpectAllApart() {
    std::set<uint64_t> roots;
    for (const VoxelPoint arm : kArms) {
      roots.insert(RootAt(dataset(), arm));
    }
    EXPECT_EQ(roots.size(), std::size(kArms));
    ExpectClean(dataset());
  }

  // Every voxel of the star is in the object that it was painted for: 1 the hub's, 2 that of the second arm.
  void ExpectAsPainted(const Array3<uint8_t>& sides) {
    const Array3<uint64_t> labels = ExportSupervoxels(dataset());
    const std::map<uint64_t, uint64_t> root_of = RootsOf(dataset(), labels);
    const uint64_t source_root = RootAt(dataset(), kHub);
    const uint64_t sink_root = RootAt(dataset(), kArms[1]);
    ASSERT_NE(source_root, sink_root);
    const Array3<uint64_t> star = StarLabels();
    for (int64_t i = 0; i < labels.size(); ++i) {
      if (star.data()[i] == 1) {
        ASSERT_EQ(root_of.at(labels.data()[i]), sides.data()[i] == 1 ? source_root : sink_root) << "voxel " << i;
      }
    }
    ExpectClean(dataset());
  }

  // Every voxel is painted: sinks are those from x = 30 + z % 2 on, or, `at_chunk_face`, from a face of chunks on.
  static std::shared_ptr<Array3<uint8_t>> PaintAll(bool at_chunk_face) {
    auto sides = std::make_shared<Array3<uint8_t>>(Extent3{48, 48, 12}, uint8_t{1});
    for (int64_t z = 0; z < 12; ++z) {
      for (int64_t y = 0; y < 48; ++y) {
        for (int64_t x = at_chunk_face ? 32 : 30 + z % 2; x < 48; ++x) {
          (*sides)[{x, y, z}] = 2;
        }
      }
    }
    return sides;
  }

  // Splits along the paint, and twice again by a redo after an undo with voxels: no log keeps the paint, but the
  // segmentation of then does.
  void SplitAndDoAgain(const std::shared_ptr<Array3<uint8_t>>& sides) {
    const auto report = editor().Split({.user = "ada", .paint = {.corner = {}, .sides = sides}});
    ASSERT_TRUE(report.ok()) << report.status();
    ExpectAsPainted(*sides);
    for (int i = 0; i < 2; ++i) {
      ASSERT_TRUE(editor().Undo({.operation = report->operation, .user = "ada", .voxels = true}).ok());
      const Array3<uint64_t> undone = ExportSupervoxels(dataset());
      ASSERT_TRUE(std::equal(undone.data(), undone.data() + undone.size(), before_.data()));
      const auto redo = editor().Redo({.operation = report->operation, .user = "ada"});
      ASSERT_TRUE(redo.ok()) << redo.status();
      EXPECT_EQ(redo->fragments.size(), report->fragments.size());
      ExpectAsPainted(*sides);
    }
  }

  void ExpectRefused(const SplitRequest& request, absl::StatusCode code, const std::string& part) {
    const auto report = editor().Split(request);
    EXPECT_EQ(report.status().code(), code) << report.status();
    EXPECT_THAT(std::string(report.status().message()), testing::HasSubstr(part));
    const Array3<uint64_t> now = ExportSupervoxels(dataset());
    EXPECT_TRUE(std::equal(now.data(), now.data() + now.size(), before_.data()));
  }

  store::TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/project";
  OpenProject project_;
  Array3<uint64_t> before_;
};

TEST_P(SidesTest, FourArmsFallApartAtOnce) {
  const auto report = editor().Split(InFour());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->new_roots.size(), 4U);
  std::set<int> sides;
  for (const Fragment& fragment : report->fragments) {
    sides.insert(fragment.side);
  }
  EXPECT_THAT(sides, testing::ElementsAre(1, 2, 3, 4));
  ExpectOnlyMoved(before_, ExportSupervoxels(dataset()), report->fragments);
  ExpectAllApart();

  const OperationRecord record = OperationLog(dataset().table()).Read(report->operation).value();
  ASSERT_EQ(record.more_points.size(), 2U);
  EXPECT_EQ(SideCountOf(record), 4);
  EXPECT_EQ(record.more_points[0].side, 3);
  EXPECT_EQ(record.more_points[0].point, kArms[2]);
  EXPECT_EQ(Value(record.more_points[1].supervoxel),
            dataset().segmentation().ReadVoxels(0, {{kArms[3]}}).value().front());

  ASSERT_TRUE(editor().Undo({.operation = report->operation, .user = "ada"}).ok());
  for (const VoxelPoint arm : kArms) {
    EXPECT_EQ(RootAt(dataset(), arm), RootAt(dataset(), kHub));
  }
  ASSERT_TRUE(editor().Redo({.operation = report->operation, .user = "ada"}).ok());
  ExpectAllApart();
  // Now that the voxels are cut, the graph alone parts them again.
  ASSERT_TRUE(editor().Undo({.operation = report->operation, .user = "ada"}).ok());
  SplitRequest again = InFour();
  again.refuse_isolating_cut = false;
  const auto in_graph = editor().Split(again);
  ASSERT_TRUE(in_graph.ok()) << in_graph.status();
  EXPECT_TRUE(in_graph->fragments.empty());
  ExpectAllApart();
}

TEST_P(SidesTest, APreviewShowsEverySideAndItsCommitDoesIt) {
  const auto shown = editor().Preview(InFour());
  ASSERT_TRUE(shown.ok()) << shown.status();
  const PlannedOperation planned = ReadPreview(dataset(), absl::Now(), shown->preview_token).value();
  const Array3<uint8_t> sides = SidesInBox(dataset(), planned.plan, SideCountOf(planned.record),
                                           shown->supervoxel_components, dataset().meta().volume)
                                    .value();
  for (size_t side = 0; side < std::size(kArms); ++side) {
    EXPECT_EQ(sides[kArms[side]], side + 1);
  }
  int64_t shown_voxels = 0;
  for (const ChunkSides& chunk : SidesByChunk(dataset().layout(), shown->fragments, 4)) {
    ASSERT_EQ(chunk.voxels.size(), 4U);
    shown_voxels += chunk.voxels[0] + chunk.voxels[1] + chunk.voxels[2] + chunk.voxels[3];
  }
  EXPECT_GT(shown_voxels, 0);
  ASSERT_TRUE(editor().CommitPreview(shown->preview_token).ok());
  ExpectAllApart();
}

TEST_P(SidesTest, PaintedBoxesPartAsPointsDo) {
  SplitRequest request{.user = "ada"};
  for (size_t side = 0; side < std::size(kArms); ++side) {
    request.paint.boxes.push_back(
        {BoxAt(kArms[side] - VoxelPoint{3, 3, 3}, {7, 7, 7}), static_cast<uint8_t>(side + 1)});
  }
  const auto report = editor().Split(request);
  ASSERT_TRUE(report.ok()) << report.status();
  ExpectAllApart();
  for (const PaintedBox& painted : request.paint.boxes) {
    const Array3<uint64_t> labels = dataset().segmentation().ReadBox(0, painted.box).value();
    const uint64_t root = RootAt(dataset(), painted.box.lo + VoxelPoint{3, 3, 3});
    for (const auto& [id, its_root] : RootsOf(dataset(), labels)) {
      EXPECT_EQ(its_root, root) << "a painted voxel is on another side";
    }
  }
  const OperationRecord record = OperationLog(dataset().table()).Read(report->operation).value();
  EXPECT_LT(record.sources.size(), 5U) << "the log keeps one voxel for each supervoxel";
  EXPECT_FALSE(record.sources.empty());
}

// A stroke over everything says for each voxel where it goes: the cut follows it exactly.
TEST_P(SidesTest, PaintOverAllVoxelsIsTheCut) { SplitAndDoAgain(PaintAll(false)); }

// Pieces behind the face keep their ids in such a cut; done again, none of them may be cut.
TEST_P(SidesTest, PaintUpToAChunkFaceCutsNoPieceBehindIt) { SplitAndDoAgain(PaintAll(true)); }

TEST_P(SidesTest, PaintJoinsPoints) {
  const auto report =
      editor().Split({.sources = {kArms[0]}, .user = "ada", .paint = {.boxes = {{BoxAt(kArms[1], {1, 1, 1}), 2}}}});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_NE(RootAt(dataset(), kArms[0]), RootAt(dataset(), kArms[1]));
  ExpectClean(dataset());
}

TEST_P(SidesTest, WhatIsWrongIsSaid) {
  SplitRequest request = InFour();
  request.more_sides[1].clear();
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "no point of side 4");
  request.more_sides[1] = {kArms[0]};
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "is given as source and as point of side 4");
  request.more_sides[1] = {VoxelPoint{4, 4, 4}};
  ExpectRefused(request, absl::StatusCode::kFailedPrecondition, "the points lie in different objects");
  const auto with_paint = [](Paint paint) { return SplitRequest{.user = "ada", .paint = std::move(paint)}; };
  const Box arm0 = BoxAt(kArms[0], {1, 1, 1});
  ExpectRefused(with_paint({.boxes = {{arm0, 0}}}), absl::StatusCode::kInvalidArgument, "needs a side");
  ExpectRefused(with_paint({.boxes = {{{arm0.hi, arm0.lo}, 1}}}), absl::StatusCode::kInvalidArgument, "is empty");
  ExpectRefused(with_paint({.boxes = {{arm0, 1}}}), absl::StatusCode::kFailedPrecondition, "paint both sides");
  ExpectRefused(with_paint({.boxes = {{arm0, 1}, {BoxAt({40, 40, 6}, {9, 1, 1}), 2}}}), absl::StatusCode::kOutOfRange,
                "leaves the volume");
  ExpectRefused(with_paint({.boxes = {{BoxAt({2, 2, 2}, {2, 2, 2}), 1},
                                      {BoxAt({6, 6, 6}, {2, 2, 2}), 2},
                                      {arm0, 1},
                                      {BoxAt(kArms[1], {1, 1, 1}), 2}}}),
                absl::StatusCode::kFailedPrecondition, "are both painted for all sides");
}

// Two requests under one key: the same paint is the same request, other paint is not.
TEST_P(SidesTest, PaintIsPartOfTheRequest) {
  SplitRequest request{.user = "ada",
                       .paint = {.boxes = {{BoxAt(kArms[0], {1, 1, 1}), 1}, {BoxAt(kArms[1], {1, 1, 1}), 2}}},
                       .terms = {.key = "once"}};
  ASSERT_TRUE(editor().Split(request).ok());
  EXPECT_TRUE(editor().Split(request).value().repeated);
  request.paint.boxes[0].box = BoxAt(kArms[2], {1, 1, 1});
  EXPECT_TRUE(absl::IsFailedPrecondition(editor().Split(request).status()));
}

// The sinks lie in a supervoxel of their own, so the voxels are cut between sides 1 and 3 only.
TEST(SidesOfAFamily, AreNumberedAsTheyWereGiven) {
  Array3<uint64_t> labels = StarLabels();
  for (int64_t z = 0; z < 12; ++z) {
    for (int64_t y = 0; y < 11; ++y) {
      for (int64_t x = 18; x < 30; ++x) {
        labels[{x, y, z}] *= 3;  // the block of arm 2
      }
    }
  }
  const store::TemporaryFolder folder;
  const std::string path = folder.path() + "/project";
  ASSERT_NO_FATAL_FAILURE(IngestLabels(path, labels, {.chunk_size = {48, 48, 12}, .voxel_size_nm = {8, 8, 8}}));
  const OpenProject project = Open(path);
  ASSERT_NE(project.editor, nullptr);
  ASSERT_TRUE(project.editor->Merge({.source = kArms[0], .sink = kArms[2], .user = "ada"}).ok());
  const auto report = project.editor->Split({.sources = {kArms[0]},
                                             .sinks = {kArms[2]},
                                             .user = "ada",
                                             .refuse_isolating_cut = false,
                                             .more_sides = {{kArms[1]}}});
  ASSERT_TRUE(report.ok()) << report.status();
  std::set<int> sides;
  for (const Fragment& fragment : report->fragments) {
    sides.insert(fragment.side);
  }
  EXPECT_THAT(sides, testing::ElementsAre(1, 3));
  EXPECT_EQ(report->new_roots.size(), 3U);
  ExpectClean(*project.dataset);
}

INSTANTIATE_TEST_SUITE_P(ChunkSizes, SidesTest, testing::Values(48, 16));

}  // namespace
}  // namespace cleave::edit
