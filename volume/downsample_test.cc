// Goal: a coarser scale is exactly what the field's programs make of the same voxels, in whatever way it is computed.
// Method: the rule told plainly, voxel by voxel and by counting, is the oracle for random blocks: random extents and
// places (odd, negative), few labels so that ties abound, every factor, views inside larger arrays. What tinybrain
// gives is compared in volume/downsample_peer_test.py.
#include "volume/downsample.h"

#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include "gtest/gtest.h"

#include "base/test_seed.h"

namespace cleave::volume {
namespace {

using Labels = std::vector<uint64_t>;

// Of the voxels a coarser one covers, x fastest, those outside replaced by their neighbours inside.
uint64_t PlainMode(const Labels& labels) {
  if (labels.size() == 4) {
    const uint64_t a = labels[0];
    const uint64_t b = labels[1];
    const uint64_t c = labels[2];
    return a == b || a == c ? a : b == c ? b : labels[3];
  }
  if (labels.size() < 4) {
    return labels[0];
  }
  std::map<uint64_t, int> count;
  int most = 0;
  for (const uint64_t label : labels) {
    most = std::max(most, ++count[label]);
  }
  return *std::ranges::find_if(labels, [&](uint64_t label) { return count[label] == most; });
}

Array3<uint64_t> PlainDownsample(const Array3<uint64_t>& fine, VoxelPoint lo, Extent3 factor) {
  const Box bounds = BoxAt(lo, fine.extent());
  const Box coarse = CoarserBox(bounds, factor);
  Array3<uint64_t> out(coarse.extent());
  for (int64_t z = coarse.lo.z; z < coarse.hi.z; ++z) {
    for (int64_t y = coarse.lo.y; y < coarse.hi.y; ++y) {
      for (int64_t x = coarse.lo.x; x < coarse.hi.x; ++x) {
        Labels labels;
        for (int64_t i = 0; i < Count(factor); ++i) {
          VoxelPoint p{x * factor.x + i % factor.x, y * factor.y + i / factor.x % factor.y,
                       z * factor.z + i / factor.x / factor.y};
          for (int axis = 0; axis < 3; ++axis) {
            p[axis] = std::clamp(p[axis], bounds.lo[axis], bounds.hi[axis] - 1);
          }
          labels.push_back(fine[p - lo]);
        }
        out[VoxelPoint{x, y, z} - coarse.lo] = PlainMode(labels);
      }
    }
  }
  return out;
}

int64_t Between(std::mt19937_64& random, int64_t lo, int64_t hi) {
  return lo + static_cast<int64_t>(random() % static_cast<uint64_t>(hi - lo + 1));
}

Array3<uint64_t> TiedLabels(std::mt19937_64& random, Extent3 extent) {
  const auto kinds = static_cast<uint64_t>(Between(random, 1, 6));
  const uint64_t base = random() % 2 == 0 ? 0 : ~uint64_t{0} - 8;  // zero and the largest labels are labels like any
  const bool in_runs = random() % 2 == 0;
  Array3<uint64_t> labels(extent);
  uint64_t last = base;
  for (int64_t i = 0; i < labels.size(); ++i) {
    if (!in_runs || random() % 7 == 0) {
      last = base + random() % kinds;
    }
    labels.data()[i] = last;
  }
  return labels;
}

TEST(DownsampleTest, FourVoxelsAsTheFieldDecides) {
  const auto mode = [](uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
    Array3<uint64_t> fine({2, 2, 1});
    std::ranges::copy(std::vector<uint64_t>{a, b, c, d}, fine.data());
    Array3<uint64_t> coarse({1, 1, 1});
    DownsampleLabels(std::as_const(fine).view(), {0, 0, 0}, {2, 2, 1}, coarse.view());
    return *coarse.data();
  };
  EXPECT_EQ(mode(1, 2, 3, 4), 4U);  // none is frequent: the last
  EXPECT_EQ(mode(1, 1, 2, 2), 1U);  // a tie: the first
  EXPECT_EQ(mode(1, 2, 2, 1), 2U);  // but b and c before a and d
  EXPECT_EQ(mode(0, 1, 2, 0), 0U);  // background counts as any label
  EXPECT_EQ(mode(3, 1, 3, 1), 3U);
}

TEST(DownsampleTest, EightVoxelsGiveTheFirstOfTheMostFrequent) {
  Array3<uint64_t> fine({2, 2, 2});
  std::ranges::copy(std::vector<uint64_t>{5, 6, 7, 6, 7, 5, 9, 8}, fine.data());
  Array3<uint64_t> coarse({1, 1, 1});
  DownsampleLabels(std::as_const(fine).view(), {-2, 0, 4}, {2, 2, 2}, coarse.view());
  EXPECT_EQ(*coarse.data(), 5U);
}

TEST(DownsampleTest, EqualsThePlainRuleOnRandomBlocks) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 600; ++round) {
    const Extent3 factor{Between(random, 1, 2), Between(random, 1, 2), Between(random, 1, 2)};
    const Extent3 extent{Between(random, 1, 37), Between(random, 1, 9), Between(random, 1, 7)};
    const VoxelPoint lo{Between(random, -9, 9), Between(random, -9, 9), Between(random, -9, 9)};
    const Array3<uint64_t> fine = TiedLabels(random, extent);
    const Array3<uint64_t> expected = PlainDownsample(fine, lo, factor);
    // Both inside larger arrays, so that strides are not extents.
    Array3<uint64_t> around_fine(extent + Extent3{3, 2, 1}, 77);
    CopyArray(fine.view(), around_fine.view().Crop(BoxAt({1, 1, 0}, extent)));
    Array3<uint64_t> around_coarse(expected.extent() + Extent3{2, 1, 1}, 99);
    const Box target = BoxAt({1, 0, 1}, expected.extent());
    DownsampleLabels(std::as_const(around_fine).view().Crop(BoxAt({1, 1, 0}, extent)), lo, factor,
                     around_coarse.view().Crop(target));
    for (int64_t z = 0; z < around_coarse.extent().z; ++z) {
      for (int64_t y = 0; y < around_coarse.extent().y; ++y) {
        for (int64_t x = 0; x < around_coarse.extent().x; ++x) {
          const VoxelPoint p{x, y, z};
          const uint64_t wanted = target.Contains(p) ? expected[p - target.lo] : 99;
          ASSERT_EQ(around_coarse[p], wanted) << "round " << round << " at " << p << " of " << ToString(extent)
                                              << " from " << lo << " by " << ToString(factor);
        }
      }
    }
  }
}

// Of more than a mebibyte, which goes past the caches, at every place within 32 bytes; rows short and long.
TEST(DownsampleTest, LargeResultsEqualThePlainRule) {
  std::mt19937_64 random(TestSeed());
  for (const Extent3 extent : {Extent3{251, 250, 15}, Extent3{1031, 131, 5}}) {
    for (const Extent3 factor : {Extent3{2, 2, 1}, Extent3{2, 2, 2}, Extent3{2, 1, 2}}) {
      const VoxelPoint lo{Between(random, -3, 3), Between(random, -3, 3), Between(random, -3, 3)};
      const Array3<uint64_t> fine = TiedLabels(random, extent);
      const Array3<uint64_t> expected = PlainDownsample(fine, lo, factor);
      for (int64_t shift = 0; shift < 4; ++shift) {
        Array3<uint64_t> around(expected.extent() + Extent3{shift, 0, 0}, 99);
        const Box target = BoxAt({shift, 0, 0}, expected.extent());
        DownsampleLabels(fine.view(), lo, factor, around.view().Crop(target));
        int64_t wrong = 0;
        for (int64_t z = 0; z < expected.extent().z; ++z) {
          for (int64_t y = 0; y < expected.extent().y; ++y) {
            const uint64_t* row = &expected[{0, y, z}];
            wrong += std::equal(row, row + expected.extent().x, &around[{shift, y, z}]) ? 0 : 1;
          }
        }
        EXPECT_EQ(wrong, 0) << "rows of " << ToString(extent) << " by " << ToString(factor) << ", shift " << shift;
      }
    }
  }
}

TEST(DownsampleTest, PartsOfAnAlignedBlockAreThoseOfTheWhole) {
  std::mt19937_64 random(TestSeed());
  const Array3<uint64_t> fine = TiedLabels(random, {32, 32, 16});
  for (const Extent3 factor : {Extent3{2, 2, 1}, Extent3{2, 2, 2}}) {
    const Array3<uint64_t> whole = PlainDownsample(fine, {0, 0, 0}, factor);
    const Box part{{8, 4, 2}, {30, 20, 12}};
    const Box coarse = CoarserBox(part, factor);
    EXPECT_EQ(FinerBox(coarse, factor), part);
    Array3<uint64_t> out(coarse.extent());
    DownsampleLabels(fine.view().Crop(part), part.lo, factor, out.view());
    for (int64_t i = 0; i < out.size(); ++i) {
      const Extent3 e = out.extent();
      const VoxelPoint p{i % e.x, i / e.x % e.y, i / e.x / e.y};
      ASSERT_EQ(out[p], whole[p + coarse.lo]);
    }
  }
}

}  // namespace
}  // namespace cleave::volume
