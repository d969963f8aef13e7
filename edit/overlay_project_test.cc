// Goal: a project over an original shows and edits what a project with a copy of the same voxels does, at every
// generation, and never changes the original. Method: both are made of the same labels, by way of the copy's
// supervoxels; the same edits are made in both; voxels, partitions and the original's bytes are compared. Then what can
// go wrong with an original, one by one. Seed: CLEAVE_TEST_SEED.
#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "edit/edit_testing.h"
#include "edit/repair.h"
#include "ingest/overlay_testing.h"
#include "ocdbt/garbage.h"
#include "volume/test_labels.h"

namespace cleave::edit {
namespace {

namespace fs = std::filesystem;
using ingest::FilesIn;
using ingest::OriginalOptions;
using testing::HasSubstr;

// Two blocks that touch, labels 1 and 2, fused before ingest; label 3 beside them; background around, of whole chunks.
Array3<uint64_t> Blocks() {
  Array3<uint64_t> labels(Extent3{90, 40, 70});
  for (int64_t z = 0; z < labels.extent().z; ++z) {
    for (int64_t y = 0; y < labels.extent().y; ++y) {
      for (int64_t x = 0; x < labels.extent().x; ++x) {
        const bool inside = y >= 4 && y < 36 && z >= 4 && z < 30;
        labels[{x, y, z}] = !inside ? 0 : x < 4 ? 0 : x < 33 ? 1 : x < 60 ? 2 : x < 64 ? 0 : x < 80 ? 3 : 0;
      }
    }
  }
  return labels;
}

// A copy and an overlay of the same supervoxels.
class OverlayProject : public testing::Test {
 protected:
  void Make(const Array3<uint64_t>& labels, const ProjectOptions& options, const OriginalOptions& original) {
    options_ = options;
    IngestLabels(Path("copy"), labels, options);
    Array3<uint64_t> fused = labels;
    for (int64_t i = 0; i < fused.size(); ++i) {
      for (const ingest::FusePair& pair : options.fuse) {
        fused.data()[i] = fused.data()[i] == pair.b ? pair.a : fused.data()[i];
      }
    }
    const OpenProject copy = Open(Path("copy"));
    const Array3<uint64_t> ids = ExportSupervoxels(*copy.dataset);
    url_ = ingest::WriteOriginal(Path("original"), ids, original);
    ingest::WritePieces(Path("pieces.csv"), ids, fused);
    files_ = FilesIn(Path("original"));
  }

  [[nodiscard]] ingest::IngestOptions OverlayOptions() const {
    ingest::IngestOptions options;
    options.project_folder = Path("overlay");
    options.labels = url_;
    options.base = ingest::BaseKind::kOverlay;
    options.chunk_size = options_.chunk_size;
    options.pieces_file = Path("pieces.csv");
    options.threads = 1;  // so that errors name the first voxel
    return options;
  }

  void MakeOverlay() const {
    const auto report = ingest::Ingest(OverlayOptions(), Progress::Silent());
    ASSERT_TRUE(report.ok()) << report.status();
  }

  [[nodiscard]] std::string Path(const std::string& name) const { return absl::StrCat(folder_.path(), "/", name); }
  [[nodiscard]] absl::Status OpenStatus() const { return graph::Dataset::Open(Path("overlay")).status(); }

  void ExpectRefused(const ingest::IngestOptions& options, absl::StatusCode code,
                     const std::vector<std::string>& says) const {
    const absl::Status status = ingest::Ingest(options, Progress::Silent()).status();
    EXPECT_EQ(status.code(), code) << status;
    for (const std::string& text : says) {
      EXPECT_THAT(std::string(status.message()), HasSubstr(text));
    }
    EXPECT_FALSE(fs::exists(options.project_folder)) << "something is left behind";
    EXPECT_EQ(FilesIn(Path("original")), files_);
  }

  store::TemporaryFolder folder_;
  ProjectOptions options_;
  std::string url_;
  std::map<std::string, std::string> files_;
};

// The partition into roots, by first appearance, so that root ids need not agree.
std::vector<uint64_t> PartsOf(graph::Dataset& dataset, const Array3<uint64_t>& ids) {
  const std::map<uint64_t, uint64_t> root_of = RootsOf(dataset, ids);
  std::map<uint64_t, uint64_t> numbers;
  std::vector<uint64_t> partition(static_cast<size_t>(ids.size()));
  for (int64_t i = 0; i < ids.size(); ++i) {
    if (ids.data()[i] != 0) {
      partition[static_cast<size_t>(i)] =
          numbers.try_emplace(root_of.at(ids.data()[i]), numbers.size() + 1).first->second;
    }
  }
  return partition;
}

bool Same(const Array3<uint64_t>& a, const Array3<uint64_t>& b) {
  return a.extent() == b.extent() && std::equal(a.data(), a.data() + a.size(), b.data());
}

void ExpectAlike(OpenProject& copy, OpenProject& overlay) {
  const Array3<uint64_t> copied = ExportSupervoxels(*copy.dataset);
  const Array3<uint64_t> seen = ExportSupervoxels(*overlay.dataset);
  EXPECT_TRUE(Same(copied, seen)) << "voxels differ";
  EXPECT_EQ(PartsOf(*copy.dataset, copied), PartsOf(*overlay.dataset, seen));
  ExpectClean(*overlay.dataset);
}

TEST_F(OverlayProject, TheSameCutGivesTheSameVoxels) {
  for (const volume::Encoding encoding : {volume::Encoding::kRaw, volume::Encoding::kCompressedSegmentation}) {
    SCOPED_TRACE(volume::EncodingName(encoding));
    fs::remove_all(Path("copy"));
    fs::remove_all(Path("overlay"));
    fs::remove_all(Path("original"));
    const VoxelPoint offset{-5, 17, 100};
    ASSERT_NO_FATAL_FAILURE(Make(Blocks(), {.chunk_size = {32, 32, 32}, .voxel_offset = offset, .fuse = {{1, 2}}},
                                 {.chunk_size = {16, 32, 8}, .encoding = encoding, .voxel_offset = offset}));
    ASSERT_NO_FATAL_FAILURE(MakeOverlay());
    OpenProject copy = Open(Path("copy"));
    OpenProject overlay = Open(Path("overlay"));
    ExpectAlike(copy, overlay);
    const Array3<uint64_t> before = ExportSupervoxels(*overlay.dataset);
    const uint64_t first_generation = *VoxelGeneration(*overlay.dataset);

    const VoxelPoint source = offset + VoxelPoint{20, 20, 16};
    const VoxelPoint sink = offset + VoxelPoint{44, 20, 16};
    for (OpenProject* project : {&copy, &overlay}) {
      const absl::StatusOr<EditReport> report = project->editor->Split({{source}, {sink}, "test"});
      ASSERT_TRUE(report.ok()) << report.status();
      EXPECT_FALSE(report->fragments.empty()) << "voxels were to be cut";
    }
    ExpectAlike(copy, overlay);
    EXPECT_FALSE(Same(before, ExportSupervoxels(*overlay.dataset)));
    EXPECT_TRUE(Same(before, ExportSupervoxels(*overlay.dataset, first_generation))) << "history shows the original";

    // Only changed chunks are in the fork.
    const auto keys = overlay.dataset->database().Newest()->List(store::KeyRange::Prefix("s0/"));
    EXPECT_GT(keys->size(), 0);
    EXPECT_LT(keys->size(), files_.size() - 1);

    // Again after it is opened anew, and on top of what was edited.
    overlay = {};
    overlay = Open(Path("overlay"));
    ExpectAlike(copy, overlay);
    EXPECT_EQ(FilesIn(Path("original")), files_) << "the original was changed";
  }
}

// A chunk that somebody wrote over the original shows the original again once its key is gone.
TEST_F(OverlayProject, RepairLetsTheOriginalShowAgain) {
  ASSERT_NO_FATAL_FAILURE(Make(Blocks(), {.chunk_size = {32, 32, 32}, .fuse = {{1, 2}}}, {.chunk_size = {16, 32, 8}}));
  ASSERT_NO_FATAL_FAILURE(MakeOverlay());
  OpenProject overlay = Open(Path("overlay"));
  ASSERT_TRUE(overlay.editor->Split({{VoxelPoint{20, 20, 16}}, {VoxelPoint{44, 20, 16}}, "test"}).ok());
  const Array3<uint64_t> before = ExportSupervoxels(*overlay.dataset);
  const Array3<uint64_t> none({60, 30, 20}, 0);
  ASSERT_TRUE(overlay.dataset->segmentation().WriteBox(0, BoxAt({10, 6, 6}, none.extent()), none.view()).ok());
  absl::StatusOr<RepairPlan> plan = PlanRepair(*overlay.dataset, {}, Clock::System(), Progress::Silent());
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_GT(plan->before.found[4], 0);
  EXPECT_EQ(plan->after.total_found(), 0) << plan->after.findings.front().what;
  const auto report =
      ApplyRepair(*overlay.dataset, Clock::System(), *std::move(plan), "mender", {}, Progress::Silent());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->after.total_found(), 0);
  EXPECT_TRUE(Same(before, ExportSupervoxels(*overlay.dataset)));
  EXPECT_EQ(FilesIn(Path("original")), files_) << "the original was changed";
}

TEST_F(OverlayProject, RandomEditsAgree) {
  std::mt19937_64 random(volume::TestSeed());
  const Extent3 extent{48, 40, 33};
  const Array3<uint64_t> labels = RandomBlobs(random, extent, 6);
  ASSERT_NO_FATAL_FAILURE(
      Make(labels, {.chunk_size = {16, 16, 16}, .fuse = {{1, 2}, {1, 3}}}, {.chunk_size = {8, 16, 4}}));
  ASSERT_NO_FATAL_FAILURE(MakeOverlay());
  OpenProject copy = Open(Path("copy"));
  OpenProject overlay = Open(Path("overlay"));
  // The copy has more versions: those in which ingest wrote the voxels and the coarser scales.
  const uint64_t first = *VoxelGeneration(*copy.dataset);
  const uint64_t more = first - *VoxelGeneration(*overlay.dataset);
  const auto point = [&]() -> VoxelPoint {
    return {volume::Random(random, 0, extent.x - 1), volume::Random(random, 0, extent.y - 1),
            volume::Random(random, 0, extent.z - 1)};
  };
  int done = 0;
  for (int edit = 0; edit < 30; ++edit) {
    const VoxelPoint a = point();
    const VoxelPoint b = point();
    const bool split = RootAt(*copy.dataset, a) == RootAt(*copy.dataset, b);
    std::vector<absl::StatusCode> codes;
    for (OpenProject* project : {&copy, &overlay}) {
      const absl::Status status =
          split ? project->editor->Split({{a}, {b}, "test"}).status() : project->editor->Merge({a, b, "test"}).status();
      codes.push_back(status.code());
    }
    ASSERT_EQ(codes[0], codes[1]) << "edit " << edit;
    done += codes[0] == absl::StatusCode::kOk ? 1 : 0;
  }
  EXPECT_GT(done, 0);
  ExpectAlike(copy, overlay);
  const uint64_t last = *VoxelGeneration(*copy.dataset);
  ASSERT_EQ(*VoxelGeneration(*overlay.dataset), last - more);
  for (uint64_t generation = first; generation <= last; ++generation) {
    EXPECT_TRUE(
        Same(ExportSupervoxels(*copy.dataset, generation), ExportSupervoxels(*overlay.dataset, generation - more)))
        << generation;
  }
  EXPECT_EQ(FilesIn(Path("original")), files_);
}

// Its ids have gaps, where supervoxels were split.
TEST_F(OverlayProject, AnEditedProjectCanBeAnOriginal) {
  const Array3<uint64_t> labels = Blocks();
  const VoxelPoint source{20, 20, 16};
  const VoxelPoint sink{44, 20, 16};
  options_ = {.chunk_size = {32, 32, 32}, .fuse = {{1, 2}}};
  IngestLabels(Path("copy"), labels, options_);
  {
    const OpenProject copy = Open(Path("copy"));
    ASSERT_TRUE(copy.editor->Split({{source}, {sink}, "test"}).ok());
    const Array3<uint64_t> ids = ExportSupervoxels(*copy.dataset);
    url_ = ingest::WriteOriginal(Path("original"), ids, {});
    ingest::WritePieces(Path("pieces.csv"), ids, ids);  // each for itself
  }
  files_ = FilesIn(Path("original"));
  ASSERT_NO_FATAL_FAILURE(MakeOverlay());
  OpenProject overlay = Open(Path("overlay"));
  const Array3<uint64_t> before = ExportSupervoxels(*overlay.dataset);
  const std::set<uint64_t> old_ids(before.data(), before.data() + before.size());
  std::map<uint64_t, uint64_t> ids_of_chunk;
  bool gaps = false;
  for (const uint64_t id : old_ids) {  // ascending
    const graph::NodeId node{id};
    gaps |= id != 0 && Value(overlay.dataset->layout().SegmentOf(node)) !=
                           ++ids_of_chunk[Value(overlay.dataset->layout().ChunkIdOf(node))];
  }
  EXPECT_TRUE(gaps);
  ExpectClean(*overlay.dataset);
  EXPECT_NE(RootAt(*overlay.dataset, source), RootAt(*overlay.dataset, sink));

  // One supervoxel is cut in two, into ids that nobody had.
  const auto split = overlay.editor->Split({{VoxelPoint{6, 10, 10}}, {VoxelPoint{28, 28, 25}}, "test"});
  ASSERT_TRUE(split.ok()) << split.status();
  ASSERT_FALSE(split->fragments.empty());
  for (const Fragment& fragment : split->fragments) {
    EXPECT_FALSE(old_ids.contains(Value(fragment.id)));
  }
  ExpectOnlyMoved(before, ExportSupervoxels(*overlay.dataset), split->fragments);
  ExpectClean(*overlay.dataset);
  EXPECT_EQ(FilesIn(Path("original")), files_);
}

TEST_F(OverlayProject, HoldsNoVoxelsUntilTheyAreEdited) {
  Array3<uint64_t> labels(Extent3{64, 64, 64});
  std::mt19937_64 random(1);
  for (int64_t i = 0; i < labels.size(); ++i) {
    labels.data()[i] = 1 + random() % 2;  // large on disk
  }
  ASSERT_NO_FATAL_FAILURE(Make(labels, {.chunk_size = {64, 64, 64}}, {.chunk_size = {32, 32, 32}}));
  ASSERT_NO_FATAL_FAILURE(MakeOverlay());
  uint64_t bytes = 0;
  for (const auto& [path, content] : FilesIn(Path("overlay/ocdbt"))) {
    bytes += content.size();
  }
  uint64_t original_bytes = 0;
  for (const auto& [path, content] : files_) {
    original_bytes += content.size();
  }
  EXPECT_LT(bytes, 4096);
  EXPECT_GT(original_bytes, 30'000);
}

TEST_F(OverlayProject, AbsentChunksAreBackgroundAndBackgroundCoversTheOriginal) {
  ASSERT_NO_FATAL_FAILURE(Make(Blocks(), {.chunk_size = {32, 32, 32}}, {}));
  ASSERT_NO_FATAL_FAILURE(MakeOverlay());
  EXPECT_FALSE(fs::exists(Path("original/s0/0-16_0-16_48-64"))) << "there is a chunk without a file";
  OpenProject overlay = Open(Path("overlay"));
  volume::Volume& voxels = overlay.dataset->segmentation();
  EXPECT_EQ(voxels.ReadVoxels(0, {{VoxelPoint{3, 3, 50}}})->front(), 0);
  const Box box = BoxAt({16, 16, 0}, {16, 16, 16});
  ASSERT_NE(voxels.ReadVoxels(0, {{VoxelPoint{20, 20, 10}}})->front(), 0);
  ASSERT_TRUE(voxels.WriteBox(0, box, Array3<uint64_t>(box.extent()).view()).ok());
  EXPECT_EQ(voxels.ReadVoxels(0, {{VoxelPoint{20, 20, 10}}})->front(), 0) << "the original shows through background";
  EXPECT_EQ(FilesIn(Path("original")), files_);
}

TEST_F(OverlayProject, GarbageIsCollected) {
  ASSERT_NO_FATAL_FAILURE(Make(Blocks(), {.chunk_size = {32, 32, 32}, .fuse = {{1, 2}}}, {}));
  ASSERT_NO_FATAL_FAILURE(MakeOverlay());
  OpenProject overlay = Open(Path("overlay"));
  ASSERT_TRUE(overlay.editor->Split({{VoxelPoint{20, 20, 16}}, {VoxelPoint{44, 20, 16}}, "test"}).ok());
  const Array3<uint64_t> before = ExportSupervoxels(*overlay.dataset);
  ocdbt::GarbageOptions options;
  options.keep.newest = 1;
  options.grace = absl::ZeroDuration();
  options.dry_run = false;
  for (int round = 0; round < 2; ++round) {
    const auto report = ocdbt::CollectGarbage(overlay.dataset->database(), options, Progress::Silent());
    ASSERT_TRUE(report.ok()) << report.status();
  }
  EXPECT_TRUE(Same(before, ExportSupervoxels(*overlay.dataset)));
  EXPECT_EQ(FilesIn(Path("original")), files_);
}

TEST_F(OverlayProject, WhatIsNoSupervoxelIdIsRefused) {
  ASSERT_NO_FATAL_FAILURE(Make(Blocks(), {.chunk_size = {32, 32, 32}}, {}));
  ingest::IngestOptions options = OverlayOptions();
  options.chunk_size = {48, 48, 48};
  ExpectRefused(options, absl::StatusCode::kInvalidArgument,
                {"voxel 32,4,4 ", "the chunk 0,0,0", "names chunk 1,0,0", "chunk size"});
  options.chunk_size = {40, 32, 32};
  ExpectRefused(options, absl::StatusCode::kInvalidArgument, {"lie in two chunks", "16,16,16"});
  options = OverlayOptions();
  options.fuse = {{1, 2}};
  ExpectRefused(options, absl::StatusCode::kInvalidArgument, {"fused"});
  options = OverlayOptions();
  options.voxel_offset = VoxelPoint{1, 0, 0};
  ExpectRefused(options, absl::StatusCode::kInvalidArgument, {"where they are"});
  options = OverlayOptions();
  options.base = ingest::BaseKind::kCopy;
  ExpectRefused(options, absl::StatusCode::kInvalidArgument, {"only an overlay"});
  options = OverlayOptions();
  options.pieces_file = Path("no.csv");
  ExpectRefused(options, absl::StatusCode::kNotFound, {"no.csv"});

  fs::remove_all(Path("original"));
  url_ = ingest::WriteOriginal(Path("original"), Blocks(), {});  // plain labels
  files_ = FilesIn(Path("original"));
  ExpectRefused(OverlayOptions(), absl::StatusCode::kInvalidArgument,
                {"voxel 4,4,4 has the value 1", "chunk 0,0,0", "supervoxel ids already"});
}

TEST_F(OverlayProject, AnOriginalThatChangedIsRefused) {
  ASSERT_NO_FATAL_FAILURE(Make(Blocks(), {.chunk_size = {32, 32, 32}}, {}));
  ASSERT_NO_FATAL_FAILURE(MakeOverlay());
  const std::string info = files_.at(Path("original/info"));
  const auto write_info = [&](const std::string& from, const std::string& to) {
    std::string changed = info;
    ASSERT_NE(changed.find(from), std::string::npos);
    changed.replace(changed.find(from), from.size(), to);
    std::ofstream(Path("original/info")) << changed;
  };
  write_info("[16,16,16]", "[32,16,16]");
  EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(OpenStatus().message()), HasSubstr("has changed under the project"));
  write_info("{", R"({"mesh":"m",)");
  EXPECT_TRUE(OpenStatus().ok()) << OpenStatus() << ": a mesh does not matter";
  fs::remove(Path("original/info"));
  EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(OpenStatus().message()), HasSubstr("where nothing was edited"));
}

}  // namespace
}  // namespace cleave::edit
