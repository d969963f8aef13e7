// Goal: LabelComponents finds exactly the 26-connected components of equal labels, numbered by first appearance.
// Method: small cases by hand, then random arrays (also views with strides) against a flood fill. The random seed is
// printed and taken from CLEAVE_TEST_SEED.
#include "cut/components.h"

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/test_seed.h"

namespace cleave::cut {
namespace {

// The oracle: visits voxels in memory order and floods each one that has no number yet.
template <typename Label>
uint32_t FloodComponents(ArrayView3<const Label> labels, ArrayView3<uint32_t> components) {
  const Extent3 extent = labels.extent();
  const Box all = BoxAt({}, extent);
  uint32_t count = 0;
  for (int64_t z = 0; z < extent.z; ++z) {
    for (int64_t y = 0; y < extent.y; ++y) {
      for (int64_t x = 0; x < extent.x; ++x) {
        const VoxelPoint start{x, y, z};
        if (labels[start] == 0 || components[start] != 0) {
          continue;
        }
        components[start] = ++count;
        std::vector<VoxelPoint> open = {start};
        while (!open.empty()) {
          const VoxelPoint p = open.back();
          open.pop_back();
          for (int64_t step = 0; step < 27; ++step) {
            const VoxelPoint q = p + VoxelPoint{step % 3 - 1, step / 3 % 3 - 1, step / 9 - 1};
            if (all.Contains(q) && components[q] == 0 && labels[q] == labels[start]) {
              components[q] = count;
              open.push_back(q);
            }
          }
        }
      }
    }
  }
  return count;
}

template <typename Label>
void ExpectLikeFlood(ArrayView3<const Label> labels) {
  Array3<uint32_t> expected(labels.extent());
  const uint32_t expected_count = FloodComponents(labels, expected.view());
  Array3<uint32_t> found(labels.extent(), 77);
  EXPECT_EQ(LabelComponents(labels, found.view()), expected_count);
  EXPECT_TRUE(std::equal(found.data(), found.data() + found.size(), expected.data()));
}

TEST(LabelComponents, EmptyArrayHasNone) {
  const Array3<uint8_t> labels(Extent3{0, 4, 4});
  Array3<uint32_t> components(labels.extent());
  EXPECT_EQ(LabelComponents<uint8_t>(labels.view(), components.view()), 0u);
}

TEST(LabelComponents, CornersTouch) {
  Array3<uint8_t> labels(Extent3{2, 2, 2});
  labels[{0, 0, 0}] = 1;
  labels[{1, 1, 1}] = 1;
  ExpectLikeFlood<uint8_t>(labels.view());
  Array3<uint32_t> components(labels.extent());
  EXPECT_EQ(LabelComponents<uint8_t>(labels.view(), components.view()), 1u);
}

TEST(LabelComponents, DifferentLabelsStayApart) {
  Array3<uint64_t> labels(Extent3{3, 1, 1});
  labels[{0, 0, 0}] = (uint64_t{1} << 40) + 7;  // equal in the low 32 bits
  labels[{1, 0, 0}] = 7;
  labels[{2, 0, 0}] = 7;
  Array3<uint32_t> components(labels.extent());
  EXPECT_EQ(LabelComponents<uint64_t>(labels.view(), components.view()), 2u);
  EXPECT_THAT(std::vector<uint32_t>(components.data(), components.data() + 3), testing::ElementsAre(1, 2, 2));
}

// Arms that meet only in the last row join late: the sets of many provisional numbers become one.
TEST(LabelComponents, CombJoinsAtItsSpine) {
  Array3<uint32_t> labels(Extent3{31, 20, 3});
  for (int64_t x = 0; x < 31; ++x) {
    for (int64_t y = 0; y < 20; ++y) {
      labels[{x, y, 1}] = x % 2 == 0 || y == 19 ? 5 : 0;
    }
  }
  ExpectLikeFlood<uint32_t>(labels.view());
}

template <typename Label>
void RandomArrays() {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 60; ++round) {
    const Extent3 extent{1 + static_cast<int64_t>(random() % 17), 1 + static_cast<int64_t>(random() % 17),
                         1 + static_cast<int64_t>(random() % 17)};
    const uint64_t kinds = 1 + random() % 3;
    const uint64_t density = 1 + random() % 99;
    Array3<Label> labels(extent);
    for (int64_t i = 0; i < labels.size(); ++i) {
      labels.data()[i] = static_cast<Label>(random() % 100 < density ? 1 + random() % kinds : 0);
    }
    ExpectLikeFlood<Label>(labels.view());
    const VoxelPoint middle{extent.x / 3, extent.y / 3, extent.z / 3};
    ExpectLikeFlood<Label>(ArrayView3<const Label>(labels.view()).Crop({middle, VoxelPoint{} + extent}));
  }
}

TEST(LabelComponents, RandomBytes) { RandomArrays<uint8_t>(); }
TEST(LabelComponents, RandomWords) { RandomArrays<uint32_t>(); }
TEST(LabelComponents, RandomLongWords) { RandomArrays<uint64_t>(); }

TEST(LabelComponents, WritesIntoAViewWithStrides) {
  Array3<uint32_t> labels(Extent3{4, 4, 4}, 9);
  Array3<uint32_t> larger(Extent3{6, 6, 6}, 50);
  EXPECT_EQ(LabelComponents<uint32_t>(labels.view(), larger.view().Crop({{1, 1, 1}, {5, 5, 5}})), 1u);
  int64_t ones = 0;
  int64_t untouched = 0;
  for (int64_t i = 0; i < larger.size(); ++i) {
    ones += larger.data()[i] == 1;
    untouched += larger.data()[i] == 50;
  }
  EXPECT_EQ(ones, 64);
  EXPECT_EQ(untouched, 216 - 64);
}

}  // namespace
}  // namespace cleave::cut
