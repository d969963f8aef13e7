// Goal: on real tissue, a neuron that was wrongly fused with its neighbour is cut apart again, by one point on each.
// Method: pairs of touching segments of the pinky40 volume, no segment in two pairs, are fused before ingest; then each
// is split in turn. The pairs are those with the largest contact of which both segments have at least `kVoxelsMin`
// voxels in the piece around the contact. The point of a segment is its deepest voxel (distance to what is not the
// segment, in nm) within 400 nm of the contact's central face, in the piece that touches there. After each split: both
// points end in different roots; every voxel outside of the fused supervoxels is what it was, by comparing exported
// arrays; fsck is clean at the end. The share of the pair's voxels that lie with the right point is printed.
#include <algorithm>
#include <cmath>
#include <set>

#include "gtest/gtest.h"

#include "cut/components.h"
#include "cut/depth.h"
#include "edit/edit_testing.h"
#include "ingest/fuse.h"
#include "volume/npy.h"
#include "volume/test_labels.h"

namespace cleave::edit {
namespace {

constexpr int64_t kVoxelsMin = 4000;
constexpr double kReachNm = 400;
const VoxelSizeNm kVoxelSize{8, 8, 40};

double DistanceNm(VoxelPoint a, VoxelPoint b) {
  return std::hypot(static_cast<double>(a.x - b.x) * kVoxelSize.x, static_cast<double>(a.y - b.y) * kVoxelSize.y,
                    static_cast<double>(a.z - b.z) * kVoxelSize.z);
}

struct Pair {
  uint64_t a = 0;
  uint64_t b = 0;
  VoxelPoint source;      // in a
  VoxelPoint sink;        // in b
  Array3<uint8_t> truth;  // 1 in a's piece, 2 in b's: the pieces that meet at the contact
  int64_t voxels = 0;
};

// The voxel of `a` with a face to `b` that is nearest to the mean of all such.
std::optional<VoxelPoint> CentralContact(const Array3<uint64_t>& labels, uint64_t a, uint64_t b) {
  std::vector<VoxelPoint> contact;
  VoxelPoint sum;
  const Box all{{}, VoxelPoint{} + labels.extent()};
  for (int64_t z = 0; z < all.hi.z; ++z) {
    for (int64_t y = 0; y < all.hi.y; ++y) {
      for (int64_t x = 0; x < all.hi.x; ++x) {
        if (labels[{x, y, z}] != a) {
          continue;
        }
        for (const VoxelPoint step : {VoxelPoint{1, 0, 0}, {-1, 0, 0}, {0, 1, 0}, {0, -1, 0}, {0, 0, 1}, {0, 0, -1}}) {
          const VoxelPoint q = VoxelPoint{x, y, z} + step;
          if (all.Contains(q) && labels[q] == b) {
            contact.push_back({x, y, z});
            sum = sum + VoxelPoint{x, y, z};
            break;
          }
        }
      }
    }
  }
  if (contact.empty()) {
    return std::nullopt;
  }
  const auto count = static_cast<int64_t>(contact.size());
  const VoxelPoint mean{sum.x / count, sum.y / count, sum.z / count};
  return *std::ranges::min_element(contact, {}, [&](VoxelPoint p) { return DistanceNm(p, mean); });
}

// The piece of `label` with a voxel nearest to `near`, as a mask.
Array3<uint8_t> PieceAt(const Array3<uint64_t>& labels, uint64_t label, VoxelPoint near) {
  Array3<uint8_t> mask(labels.extent());
  VoxelPoint best;
  double distance = 1e300;
  for (int64_t z = 0; z < labels.extent().z; ++z) {
    for (int64_t y = 0; y < labels.extent().y; ++y) {
      for (int64_t x = 0; x < labels.extent().x; ++x) {
        if (labels[{x, y, z}] == label) {
          mask[{x, y, z}] = 1;
          if (const double d = DistanceNm({x, y, z}, near); d < distance) {
            distance = d;
            best = {x, y, z};
          }
        }
      }
    }
  }
  Array3<uint32_t> components(labels.extent());
  static_cast<void>(cut::LabelComponents(std::as_const(mask).view(), components.view()));
  const uint32_t wanted = components[best];
  for (int64_t i = 0; i < mask.size(); ++i) {
    mask.data()[i] = components.data()[i] == wanted ? 1 : 0;
  }
  return mask;
}

VoxelPoint DeepestNear(const Array3<uint8_t>& mask, VoxelPoint near) {
  const absl::StatusOr<cut::MaskGrid> grid = cut::MaskGrid::Make(mask.view(), kVoxelSize);
  EXPECT_TRUE(grid.ok()) << grid.status();
  const cut::LazyArray<float> depth = cut::DepthNm(*grid);
  VoxelPoint best;
  float deepest = -1;
  grid->ForEachRun([&](int64_t begin, int64_t end, int64_t y, int64_t z) {
    for (int64_t x = begin; x < end; ++x) {
      const float here = depth[grid->Index({x, y, z})];
      if (here > deepest && DistanceNm({x, y, z}, near) <= kReachNm) {
        deepest = here;
        best = {x, y, z};
      }
    }
  });
  return best;
}

std::vector<Pair> ChoosePairs(const Array3<uint64_t>& labels, size_t count) {
  std::vector<Pair> pairs;
  std::set<uint64_t> used;
  for (const ingest::TouchingPair& touching : ingest::TouchingPairs(labels.view(), kVoxelSize)) {
    if (pairs.size() == count) {
      break;
    }
    if (used.contains(touching.a) || used.contains(touching.b)) {
      continue;
    }
    Pair pair{touching.a, touching.b, {}, {}, Array3<uint8_t>(labels.extent()), 0};
    const VoxelPoint contact = CentralContact(labels, pair.a, pair.b).value();
    const Array3<uint8_t> first = PieceAt(labels, pair.a, contact);
    const Array3<uint8_t> second = PieceAt(labels, pair.b, contact);
    int64_t voxels[3] = {};
    for (int64_t i = 0; i < first.size(); ++i) {
      pair.truth.data()[i] = static_cast<uint8_t>(first.data()[i] + 2 * second.data()[i]);
      ++voxels[pair.truth.data()[i]];
    }
    if (std::min(voxels[1], voxels[2]) < kVoxelsMin) {
      continue;
    }
    pair.voxels = voxels[1] + voxels[2];
    pair.source = DeepestNear(first, contact);
    pair.sink = DeepestNear(second, contact);
    used.insert({pair.a, pair.b});
    pairs.push_back(std::move(pair));
  }
  return pairs;
}

// The share of the pair's voxels that lie in the object of their own point.
double Agreement(const Pair& pair, const Array3<uint64_t>& supervoxels, const std::map<uint64_t, uint64_t>& root_of) {
  const uint64_t roots[2] = {root_of.at(supervoxels[pair.source]), root_of.at(supervoxels[pair.sink])};
  int64_t right = 0;
  uint64_t last = 0;
  uint64_t last_root = 0;
  for (int64_t i = 0; i < supervoxels.size(); ++i) {
    if (const uint8_t truth = pair.truth.data()[i]; truth != 0) {
      if (supervoxels.data()[i] != last) {
        last = supervoxels.data()[i];
        last_root = root_of.at(last);
      }
      right += last_root == roots[truth - 1] ? 1 : 0;
    }
  }
  return static_cast<double>(right) / static_cast<double>(pair.voxels);
}

void SplitPairs(const Array3<uint64_t>& labels, Extent3 chunk_size, size_t count, std::vector<double>& agreements) {
  const std::vector<Pair> pairs = ChoosePairs(labels, count);
  ASSERT_EQ(pairs.size(), count);
  ProjectOptions options{.chunk_size = chunk_size, .voxel_size_nm = kVoxelSize};
  for (const Pair& pair : pairs) {
    options.fuse.push_back({pair.a, pair.b});
  }
  store::TemporaryFolder folder;
  ASSERT_NO_FATAL_FAILURE(IngestLabels(folder.path() + "/p", labels, options));
  OpenProject project = Open(folder.path() + "/p");
  ASSERT_NE(project.editor, nullptr);
  graph::Dataset& dataset = *project.dataset;
  Array3<uint64_t> before = ExportSupervoxels(dataset);
  for (const Pair& pair : pairs) {
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
    agreements.push_back(Agreement(pair, after, root_of));
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
  ASSERT_NO_FATAL_FAILURE(SplitPairs(*labels, {64, 64, 32}, 8, agreements));
  Print(agreements);
}

TEST(RealPairs, CropOfTheLargeVolume) {
  const std::string path = volume::DataFile("pinky40_neuropil_8x8x40_512x512x512_u32.npy.zst");
  if (path.empty()) {
    GTEST_SKIP() << "the real volumes are not here; set CLEAVE_DATA to their folder";
  }
  const absl::StatusOr<Array3<uint32_t>> whole = volume::ReadNpy<uint32_t>(path);
  ASSERT_TRUE(whole.ok()) << whole.status();
  Array3<uint64_t> labels({256, 256, 256});
  CopyArray(whole->view().Crop(BoxAt({100, 130, 90}, labels.extent())), labels.view());
  std::vector<double> agreements;
  ASSERT_NO_FATAL_FAILURE(SplitPairs(labels, {128, 128, 64}, 16, agreements));
  Print(agreements);
}

}  // namespace
}  // namespace cleave::edit
