// Goal: generated neuropil is as hard as the real thing: dense, touching, every label one piece, never the same for
// two seeds and always the same for one. Method: generate at several shapes and voxel sizes and measure.
#include "volume/neuropil.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "base/test_scale.h"
#include "volume/test_labels.h"

namespace cleave::volume {
namespace {

// Whether the voxels of every label are one 26-connected piece: a flood from the first voxel of each meets all others.
bool EveryLabelIsOnePiece(const Array3<uint64_t>& labels) {
  Array3<uint8_t> seen(labels.extent());
  std::set<uint64_t> begun;
  const Box all = BoxAt({}, labels.extent());
  for (int64_t i = 0; i < labels.size(); ++i) {
    if (labels.data()[i] == 0 || seen.data()[i] != 0) {
      continue;
    }
    if (!begun.insert(labels.data()[i]).second) {
      return false;
    }
    const Extent3 e = labels.extent();
    std::vector<VoxelPoint> stack{{i % e.x, i / e.x % e.y, i / e.x / e.y}};
    seen.data()[i] = 1;
    while (!stack.empty()) {
      const VoxelPoint p = stack.back();
      stack.pop_back();
      for (int64_t n = 0; n < 27; ++n) {
        const VoxelPoint q = p + VoxelPoint{n % 3 - 1, n / 3 % 3 - 1, n / 9 - 1};
        if (all.Contains(q) && seen[q] == 0 && labels[q] == labels.data()[i]) {
          seen[q] = 1;
          stack.push_back(q);
        }
      }
    }
  }
  return true;
}

// Faces that two different labels share, for each pair that touches.
std::map<std::pair<uint64_t, uint64_t>, int64_t> Contacts(const Array3<uint64_t>& labels) {
  std::map<std::pair<uint64_t, uint64_t>, int64_t> faces;
  const Extent3 e = labels.extent();
  for (int64_t i = 0; i < labels.size(); ++i) {
    const VoxelPoint p{i % e.x, i / e.x % e.y, i / e.x / e.y};
    for (const VoxelPoint q : {p + VoxelPoint{1, 0, 0}, p + VoxelPoint{0, 1, 0}, p + VoxelPoint{0, 0, 1}}) {
      if (BoxAt({}, e).Contains(q) && labels[p] != labels[q] && labels[p] != 0 && labels[q] != 0) {
        ++faces[std::minmax(labels[p], labels[q])];
      }
    }
  }
  return faces;
}

TEST(Neuropil, IsDenseAndTouchingAndWhole) {
  struct Shape {
    Extent3 extent;
    VoxelSizeNm voxel_size_nm;
  };
  std::vector<Shape> shapes = {
      {{150, 100, 50}, {16, 16, 40}}, {{192, 192, 40}, {8, 8, 40}}, {{150, 150, 150}, {10, 10, 10}}};
  if (SmallTests()) {
    shapes.resize(1);
  }
  for (const Shape& shape : shapes) {
    NeuropilOptions options;
    options.seed = TestSeed();
    options.extent = shape.extent;
    options.voxel_size_nm = shape.voxel_size_nm;
    options.first_label = 1000;
    SCOPED_TRACE(testing::Message() << options.seed << ' ' << options.extent);
    const Array3<uint64_t> labels = MakeNeuropil(options);
    const int64_t background = std::count(labels.data(), labels.data() + labels.size(), uint64_t{0});
    EXPECT_LT(background, labels.size() / 5);
    EXPECT_GT(background, 0);
    EXPECT_TRUE(EveryLabelIsOnePiece(labels));
    std::set<uint64_t> distinct(labels.data(), labels.data() + labels.size());
    distinct.erase(0);
    EXPECT_GT(distinct.size(), 10U);
    EXPECT_EQ(*distinct.begin(), 1000U);
    EXPECT_EQ(*distinct.rbegin(), 1000U + distinct.size() - 1);
    const auto contacts = Contacts(labels);
    const auto broad =
        std::count_if(contacts.begin(), contacts.end(), [](const auto& contact) { return contact.second >= 200; });
    EXPECT_GT(broad, static_cast<int64_t>(distinct.size())) << "pairs that share 200 faces or more";
  }
}

TEST(Neuropil, IsTheSameForTheSameSeedOnly) {
  NeuropilOptions options;
  options.seed = TestSeed();
  options.extent = {100, 90, 40};
  const Array3<uint64_t> first = MakeNeuropil(options);
  EXPECT_TRUE(Equal<uint64_t>(first.view(), MakeNeuropil(options).view()));
  ++options.seed;
  EXPECT_FALSE(Equal<uint64_t>(first.view(), MakeNeuropil(options).view()));
}

TEST(Neuropil, CanFillEveryVoxelOfAnyExtent) {
  for (const Extent3 extent : {Extent3{1, 1, 1}, Extent3{3, 1, 2}, Extent3{65, 1, 17}, Extent3{20, 130, 5}}) {
    NeuropilOptions options;
    options.extent = extent;
    options.fill_fraction = 1;
    const Array3<uint64_t> labels = MakeNeuropil(options);
    EXPECT_EQ(std::count(labels.data(), labels.data() + labels.size(), uint64_t{0}), 0) << extent;
    EXPECT_TRUE(EveryLabelIsOnePiece(labels));
  }
}

}  // namespace
}  // namespace cleave::volume
