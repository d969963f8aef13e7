// Goal: a supervoxel split is right wherever an object lies on the lattice of chunks: over several chunks, in clipped
// chunks at the border of a volume with an offset, with the cut along a face of chunks, and where what joins the two
// sides lies far from the points.
// Method: simple bodies drawn voxel by voxel, of two labels that are fused before ingest; so the two halves, and which
// voxels may not move, are known.
#include <set>

#include "gtest/gtest.h"

#include "edit/edit_testing.h"

namespace cleave::edit {
namespace {

void DrawBall(Array3<uint64_t>& labels, VoxelPoint centre, int64_t radius, uint64_t label) {
  for (int64_t z = 0; z < labels.extent().z; ++z) {
    for (int64_t y = 0; y < labels.extent().y; ++y) {
      for (int64_t x = 0; x < labels.extent().x; ++x) {
        const VoxelPoint d = VoxelPoint{x, y, z} - centre;
        if (d.x * d.x + d.y * d.y + d.z * d.z <= radius * radius) {
          labels[{x, y, z}] = label;
        }
      }
    }
  }
}

// Two balls of labels 1 and 2 with a neck between them, and label 3 in all other voxels.
Array3<uint64_t> Dumbbell(Extent3 extent, VoxelPoint first, VoxelPoint second) {
  Array3<uint64_t> labels(extent, 3);
  DrawBall(labels, second, 14, 2);
  DrawBall(labels, first, 14, 1);
  return labels;
}

struct SplitResult {
  EditReport report;
  Array3<uint64_t> before;
  Array3<uint64_t> after;
  Array3<uint8_t> side;  // 1: in the source's object, 2: in the sink's
};

// Splits, and checks all that holds for every split.
SplitResult Split(OpenProject& project, VoxelPoint source, VoxelPoint sink) {
  SplitResult result;
  graph::Dataset& dataset = *project.dataset;
  result.before = ExportSupervoxels(dataset);
  const absl::StatusOr<EditReport> report = project.editor->Split({{source}, {sink}, "test"});
  EXPECT_TRUE(report.ok()) << report.status();
  if (!report.ok()) {
    return result;
  }
  result.report = *report;
  result.after = ExportSupervoxels(dataset);
  ExpectOnlyMoved(result.before, result.after, report->fragments);
  const std::map<uint64_t, uint64_t> root_of = RootsOf(dataset, result.after);
  const uint64_t source_root = RootAt(dataset, source);
  const uint64_t sink_root = RootAt(dataset, sink);
  EXPECT_NE(source_root, sink_root);
  result.side = Array3<uint8_t>(result.after.extent());
  for (int64_t i = 0; i < result.after.size(); ++i) {
    const uint64_t id = result.after.data()[i];
    const uint64_t root = id == 0 ? 0 : root_of.at(id);
    result.side.data()[i] = root == source_root ? 1 : root == sink_root ? 2 : 0;
  }
  ExpectClean(dataset);
  return result;
}

// How many voxels of label 1 or 2 are not with the side of that number.
int64_t Disagreement(const Array3<uint64_t>& truth, const Array3<uint8_t>& side) {
  int64_t wrong = 0;
  for (int64_t i = 0; i < truth.size(); ++i) {
    wrong += truth.data()[i] <= 2 && truth.data()[i] != side.data()[i] ? 1 : 0;
  }
  return wrong;
}

TEST(SplitShapes, FamilyOverSeveralChunks) {
  store::TemporaryFolder folder;
  const Array3<uint64_t> labels = Dumbbell({80, 64, 64}, {28, 32, 32}, {52, 32, 32});
  ASSERT_NO_FATAL_FAILURE(IngestLabels(folder.path() + "/p", labels,
                                       {.chunk_size = {16, 16, 16}, .voxel_size_nm = {8, 8, 8}, .fuse = {{1, 2}}}));
  OpenProject project = Open(folder.path() + "/p");
  ASSERT_NE(project.editor, nullptr);
  const SplitResult result = Split(project, {22, 32, 32}, {58, 32, 32});
  std::set<ChunkPoint> chunks;
  for (const Fragment& fragment : result.report.fragments) {
    chunks.insert(project.dataset->layout().ChunkOf(fragment.id).position);
  }
  EXPECT_GE(chunks.size(), 4U);
  EXPECT_EQ(result.report.new_roots.size(), 2U);
  EXPECT_LE(Disagreement(labels, result.side), 400);  // of 22000: about one layer of the neck
}

TEST(SplitShapes, PiecesInTheOutermostChunkOfAVolumeWithAnOffset) {
  // The volume ends in the middle of its last chunks; the balls touch its far corner.
  const Extent3 extent{75, 54, 43};
  const Array3<uint64_t> labels = Dumbbell(extent, {62, 41, 31}, {62, 20, 31});
  std::vector<Array3<uint8_t>> sides;
  for (const VoxelPoint offset : {VoxelPoint{0, 0, 0}, VoxelPoint{1000, 2000, 300}, VoxelPoint{-5001, -37, -12}}) {
    store::TemporaryFolder folder;
    ASSERT_NO_FATAL_FAILURE(IngestLabels(
        folder.path() + "/p", labels,
        {.chunk_size = {32, 32, 16}, .voxel_size_nm = {8, 8, 8}, .voxel_offset = offset, .fuse = {{1, 2}}}));
    OpenProject project = Open(folder.path() + "/p");
    ASSERT_NE(project.editor, nullptr);
    const SplitResult result = Split(project, offset + VoxelPoint{66, 46, 36}, offset + VoxelPoint{66, 14, 36});
    bool outermost = false;
    for (const Fragment& fragment : result.report.fragments) {
      outermost = outermost || project.dataset->layout().ChunkOf(fragment.id).position.z == 2;
    }
    EXPECT_TRUE(outermost);
    sides.push_back(result.side);
  }
  for (const Array3<uint8_t>& side : sides) {
    EXPECT_TRUE(std::equal(side.data(), side.data() + side.size(), sides[0].data()))
        << "the same cut at another offset gives other voxels";
  }
}

TEST(SplitShapes, TheLatticeDoesNotMoveTheCut) {
  // The same bodies at another place in the volume meet other borders of chunks.
  std::vector<Array3<uint8_t>> sides;
  const Extent3 extent{96, 80, 64};
  const VoxelPoint shifts[] = {{0, 0, 0}, {5, 3, 7}, {11, 9, 2}};
  for (const VoxelPoint shift : shifts) {
    store::TemporaryFolder folder;
    const Array3<uint64_t> labels = Dumbbell(extent, shift + VoxelPoint{28, 32, 24}, shift + VoxelPoint{51, 36, 26});
    ASSERT_NO_FATAL_FAILURE(IngestLabels(folder.path() + "/p", labels,
                                         {.chunk_size = {16, 32, 16}, .voxel_size_nm = {8, 8, 40}, .fuse = {{1, 2}}}));
    OpenProject project = Open(folder.path() + "/p");
    ASSERT_NE(project.editor, nullptr);
    const SplitResult result = Split(project, shift + VoxelPoint{22, 32, 24}, shift + VoxelPoint{57, 36, 26});
    const Box crop = BoxAt(shift + VoxelPoint{10, 10, 5}, {70, 45, 40});
    Array3<uint8_t> side(crop.extent());
    CopyArray(std::as_const(result.side).view().Crop(crop), side.view());
    sides.push_back(std::move(side));
  }
  for (const Array3<uint8_t>& side : sides) {
    EXPECT_TRUE(std::equal(side.data(), side.data() + side.size(), sides[0].data()));
  }
}

TEST(SplitShapes, CutAlongAFaceOfChunks) {
  // Two boxes that meet in the plane between two chunks; the points are mirror images, so the cut lies in that plane
  // and no piece has voxels of both sides. One of each pair of pieces gets a new id all the same.
  Array3<uint64_t> labels({64, 32, 32});
  for (int64_t z = 4; z < 28; ++z) {
    for (int64_t y = 4; y < 28; ++y) {
      for (int64_t x = 8; x < 56; ++x) {
        labels[{x, y, z}] = x < 32 ? 1 : 2;
      }
    }
  }
  store::TemporaryFolder folder;
  ASSERT_NO_FATAL_FAILURE(IngestLabels(folder.path() + "/p", labels,
                                       {.chunk_size = {16, 16, 16}, .voxel_size_nm = {8, 8, 8}, .fuse = {{1, 2}}}));
  OpenProject project = Open(folder.path() + "/p");
  ASSERT_NE(project.editor, nullptr);
  const VoxelPoint source{20, 16, 16};
  const VoxelPoint sink{43, 16, 16};
  const SplitResult result = Split(project, source, sink);
  EXPECT_LE(Disagreement(labels, result.side), 24 * 24);
  EXPECT_EQ(result.report.new_roots.size(), 2U);
  // What was parted can be joined, and parted again.
  const auto merged = project.editor->Merge({source, sink, "test"});
  ASSERT_TRUE(merged.ok()) << merged.status();
  EXPECT_EQ(RootAt(*project.dataset, source), RootAt(*project.dataset, sink));
  ExpectClean(*project.dataset);
  Split(project, source, sink);
}

TEST(SplitShapes, WhatJoinsTheSidesLiesOutsideTheFirstRegion) {
  // A ring: wherever it is cut near the points, the way around remains, seven chunks away.
  Array3<uint64_t> labels({176, 176, 16});
  for (int64_t z = 3; z < 12; ++z) {
    for (int64_t y = 0; y < 176; ++y) {
      for (int64_t x = 0; x < 176; ++x) {
        const double radius = std::hypot(static_cast<double>(x) - 87.5, static_cast<double>(y) - 87.5);
        if (radius > 70 && radius < 82) {
          labels[{x, y, z}] = 1;
        }
      }
    }
  }
  store::TemporaryFolder folder;
  ASSERT_NO_FATAL_FAILURE(
      IngestLabels(folder.path() + "/p", labels, {.chunk_size = {16, 16, 16}, .voxel_size_nm = {8, 8, 8}}));
  OpenProject project = Open(folder.path() + "/p");
  ASSERT_NE(project.editor, nullptr);
  const SplitResult result = Split(project, {80, 12, 7}, {95, 12, 7});
  int64_t unassigned = 0;
  for (int64_t i = 0; i < labels.size(); ++i) {
    unassigned += labels.data()[i] == 1 && result.side.data()[i] == 0 ? 1 : 0;
  }
  EXPECT_EQ(unassigned, 0);
}

TEST(SplitShapes, RefusedSplitsChangeNothingAndSayWhy) {
  const Array3<uint64_t> labels = Dumbbell({64, 48, 32}, {20, 24, 16}, {42, 24, 16});
  store::TemporaryFolder folder;
  ASSERT_NO_FATAL_FAILURE(IngestLabels(folder.path() + "/p", labels,
                                       {.chunk_size = {32, 32, 32}, .voxel_size_nm = {8, 8, 8}, .fuse = {{1, 2}}}));
  OpenProject project = Open(folder.path() + "/p");
  ASSERT_NE(project.editor, nullptr);
  const uint64_t generation = VoxelGeneration(*project.dataset).value();
  const VoxelPoint inside{20, 24, 16};
  const struct {
    std::vector<VoxelPoint> sources;
    std::vector<VoxelPoint> sinks;
    absl::StatusCode code;
    std::string says;
  } cases[] = {
      {{inside}, {}, absl::StatusCode::kInvalidArgument, "no sink"},
      {{}, {inside}, absl::StatusCode::kInvalidArgument, "no source"},
      {{inside}, {inside}, absl::StatusCode::kInvalidArgument, "as source and as sink"},
      {{inside}, {{2, 2, 2}}, absl::StatusCode::kFailedPrecondition, "different objects"},
      {{inside}, {{64, 2, 2}}, absl::StatusCode::kOutOfRange, "64,2,2"},
      {{inside}, {{-1, 2, 2}}, absl::StatusCode::kOutOfRange, "-1,2,2"},
  };
  for (const auto& bad : cases) {
    const auto report = project.editor->Split({bad.sources, bad.sinks, "test"});
    EXPECT_EQ(report.status().code(), bad.code) << report.status();
    EXPECT_NE(report.status().message().find(bad.says), absl::string_view::npos) << report.status();
  }
  EXPECT_EQ(VoxelGeneration(*project.dataset).value(), generation);
  const auto preview = project.editor->Preview(SplitRequest{{inside}, {{42, 24, 16}}, "test"});
  ASSERT_TRUE(preview.ok()) << preview.status();
  EXPECT_FALSE(preview->fragments.empty());
  EXPECT_EQ(VoxelGeneration(*project.dataset).value(), generation);
  EXPECT_EQ(RootAt(*project.dataset, inside), RootAt(*project.dataset, {42, 24, 16}));
  ExpectClean(*project.dataset);
}

}  // namespace
}  // namespace cleave::edit
