// Goal: on real tissue, a neuron that was wrongly fused with its neighbour is cut apart again, by one point on each.
// Method: pairs of touching segments of the pinky40 volume, no segment in two pairs, are fused before ingest; then each
// is split in turn. The pairs are those with the largest contact of which both segments have at least `kVoxelsMin`
// voxels in the connected pieces at the points. The point of a segment is its deepest voxel near the middle of the
// contact, in the section where the contact is longest (ingest/contact_seeds.h). After each split: both points end in
// different roots; every voxel outside of the fused supervoxels is what it was, by comparing exported arrays; fsck is
// clean at the end. The share of the pair's voxels that lie with the right point is printed.
#include <algorithm>
#include <optional>
#include <set>

#include "gtest/gtest.h"

#include "base/test_scale.h"
#include "cut/components.h"
#include "edit/edit_testing.h"
#include "ingest/contact_seeds.h"
#include "ingest/fuse.h"
#include "volume/npy.h"
#include "volume/test_labels.h"

namespace cleave::edit {
namespace {

constexpr int64_t kVoxelsMin = 4000;
const VoxelSizeNm kPinkyVoxelSize{8, 8, 40};

struct RealPair {
  uint64_t a = 0;
  uint64_t b = 0;
  VoxelPoint source;          // in a
  VoxelPoint sink;            // in b
  uint32_t source_piece = 0;  // the connected pieces of the two segments at the points
  uint32_t sink_piece = 0;
};

struct Choice {
  std::vector<RealPair> pairs;
  Array3<uint32_t> pieces;  // every segment's connected pieces, numbered
};

Choice ChoosePairs(const Array3<uint64_t>& labels, size_t count) {
  Choice choice{{}, Array3<uint32_t>(labels.extent())};
  std::vector<int64_t> voxels(1 + cut::LabelComponents(labels.view(), choice.pieces.view()));
  for (int64_t i = 0; i < labels.size(); ++i) {
    ++voxels[choice.pieces.data()[i]];
  }
  std::vector<ingest::FusePair> touching;
  for (const ingest::TouchingPair& pair : ingest::TouchingPairs(labels.view(), kPinkyVoxelSize)) {
    touching.push_back({pair.a, pair.b});
  }
  touching.resize(std::min(touching.size(), 20 * count));
  const std::vector<std::optional<ingest::ContactSeeds>> seeds =
      ingest::SuggestSeeds(labels.view(), touching, kPinkyVoxelSize);
  std::set<uint64_t> used;
  for (size_t i = 0; i < touching.size() && choice.pairs.size() < count; ++i) {
    const auto [a, b] = touching[i];
    if (!seeds[i].has_value() || used.contains(a) || used.contains(b)) {
      continue;
    }
    const RealPair pair{
        a, b, seeds[i]->source, seeds[i]->sink, choice.pieces[seeds[i]->source], choice.pieces[seeds[i]->sink]};
    if (std::min(voxels[pair.source_piece], voxels[pair.sink_piece]) >= kVoxelsMin) {
      used.insert({a, b});
      choice.pairs.push_back(pair);
    }
  }
  return choice;
}

// The share of the pair's voxels that lie in the object of their own point.
double Agreement(const RealPair& pair, const Array3<uint32_t>& pieces, const Array3<uint64_t>& supervoxels,
                 const std::map<uint64_t, uint64_t>& root_of) {
  const uint64_t source_root = root_of.at(supervoxels[pair.source]);
  const uint64_t sink_root = root_of.at(supervoxels[pair.sink]);
  int64_t right = 0;
  int64_t all = 0;
  uint64_t last = 0;
  uint64_t last_root = 0;
  for (int64_t i = 0; i < supervoxels.size(); ++i) {
    const uint32_t piece = pieces.data()[i];
    if (piece == pair.source_piece || piece == pair.sink_piece) {
      if (supervoxels.data()[i] != last) {
        last = supervoxels.data()[i];
        last_root = root_of.at(last);
      }
      ++all;
      right += last_root == (piece == pair.source_piece ? source_root : sink_root) ? 1 : 0;
    }
  }
  return static_cast<double>(right) / static_cast<double>(all);
}

void SplitPairs(const Array3<uint64_t>& labels, Extent3 chunk_size, size_t count, std::vector<double>& agreements) {
  const Choice choice = ChoosePairs(labels, count);
  ASSERT_EQ(choice.pairs.size(), count);
  ProjectOptions options{.chunk_size = chunk_size, .voxel_size_nm = kPinkyVoxelSize};
  for (const RealPair& pair : choice.pairs) {
    options.fuse.push_back({pair.a, pair.b});
  }
  store::TemporaryFolder folder;
  ASSERT_NO_FATAL_FAILURE(IngestLabels(folder.path() + "/p", labels, options));
  OpenProject project = Open(folder.path() + "/p");
  ASSERT_NE(project.editor, nullptr);
  graph::Dataset& dataset = *project.dataset;
  Array3<uint64_t> before = ExportSupervoxels(dataset);
  for (const RealPair& pair : choice.pairs) {
    SCOPED_TRACE(absl::StrCat("segments ", pair.a, " and ", pair.b, ", source ", ToString(pair.source), ", sink ",
                              ToString(pair.sink)));
    ASSERT_EQ(RootAt(dataset, pair.source), RootAt(dataset, pair.sink)) << "the pair was not fused";
    const auto report = project.editor->Split({{pair.source}, {pair.sink}, "test"});
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_FALSE(report->fragments.empty());
    Array3<uint64_t> after = ExportSupervoxels(dataset);
    ExpectOnlyMoved(before, after, report->fragments);
    const std::map<uint64_t, uint64_t> root_of = RootsOf(dataset, after);
    EXPECT_NE(root_of.at(after[pair.source]), root_of.at(after[pair.sink]));
    agreements.push_back(Agreement(pair, choice.pieces, after, root_of));
    before = std::move(after);
  }
  ExpectClean(dataset);
}

void Print(std::vector<double> agreements) {
  std::ranges::sort(agreements);
  std::cout << agreements.size() << " pairs, voxels on the right side: worst " << agreements.front() << ", median "
            << agreements[agreements.size() / 2] << ", best " << agreements.back() << '\n';
}

TEST(RealPairs, SmallCutout) {
  const std::string path = volume::DataFile("pinky40_neuropil_8x8x40_128x128x128_u32.npy.zst");
  if (path.empty()) {
    GTEST_SKIP() << "the real volumes are not here; set CLEAVE_DATA to their folder";
  }
  const absl::StatusOr<Array3<uint64_t>> labels = volume::ReadNpy<uint64_t>(path);
  ASSERT_TRUE(labels.ok()) << labels.status();
  std::vector<double> agreements;
  ASSERT_NO_FATAL_FAILURE(SplitPairs(*labels, {64, 64, 32}, SmallTests() ? 3 : 8, agreements));
  Print(agreements);
}

TEST(RealPairs, CropOfTheLargeVolume) {
  const std::string path = volume::DataFile("pinky40_neuropil_8x8x40_512x512x512_u32.npy.zst");
  if (path.empty()) {
    GTEST_SKIP() << "the real volumes are not here; set CLEAVE_DATA to their folder";
  }
  const absl::StatusOr<Array3<uint32_t>> whole = volume::ReadNpy<uint32_t>(path);
  ASSERT_TRUE(whole.ok()) << whole.status();
  const int64_t edge = SmallTests() ? 128 : 256;
  Array3<uint64_t> labels({edge, edge, edge});
  CopyArray(whole->view().Crop(BoxAt({100, 130, 90}, labels.extent())), labels.view());
  std::vector<double> agreements;
  ASSERT_NO_FATAL_FAILURE(SplitPairs(labels, {128, 128, 64}, SmallTests() ? 2 : 16, agreements));
  Print(agreements);
}

}  // namespace
}  // namespace cleave::edit
