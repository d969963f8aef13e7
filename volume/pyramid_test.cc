// Goal: the scales that a volume declares are those that Neuroglancer lays over each other. Method: by hand for an
// anisotropic volume at an odd, partly negative offset; by the rule itself for many volumes at random places.
#include "volume/pyramid.h"

#include <random>

#include <gtest/gtest.h>

namespace cleave::volume {
namespace {

Scale Finest(const Box& bounds, const VoxelSizeNm& resolution) {
  Scale scale;
  scale.key = DefaultScaleKey(resolution);
  scale.resolution = resolution;
  scale.size = bounds.extent();
  scale.voxel_offset = bounds.lo;
  scale.encoding = Encoding::kCompressedSegmentation;
  return scale;
}

TEST(PyramidTest, HalvesTheFineAxesUntilVoxelsAreNearlyCubes) {
  EXPECT_EQ(NextScaleFactor({8, 8, 40}), (Extent3{2, 2, 1}));
  EXPECT_EQ(NextScaleFactor({32, 32, 40}), (Extent3{2, 2, 2}));
  EXPECT_EQ(NextScaleFactor({10, 10, 10}), (Extent3{2, 2, 2}));
  EXPECT_EQ(NextScaleFactor({4, 8, 40}), (Extent3{2, 1, 1}));
}

TEST(PyramidTest, ScalesOfAnAnisotropicVolumeAtAnOddOffset) {
  const std::vector<Scale> scales = ScalePyramid(Finest({{-3, 101, 7}, {509, 613, 134}}, {8, 8, 40}));
  ASSERT_EQ(scales.size(), 5u);
  EXPECT_EQ(scales[1].key, "16_16_40");
  EXPECT_EQ(scales[1].bounds(), (Box{{-2, 50, 7}, {255, 307, 134}}));
  EXPECT_EQ(scales[2].key, "32_32_40");
  EXPECT_EQ(scales[3].key, "64_64_80");
  EXPECT_EQ(scales[3].bounds(), (Box{{-1, 12, 3}, {64, 77, 67}}));
  EXPECT_EQ(scales[4].bounds().extent(), (Extent3{33, 33, 33}));
  EXPECT_EQ(scales[4].encoding, Encoding::kCompressedSegmentation);
}

TEST(PyramidTest, AVolumeOfOneChunkHasOneScale) {
  EXPECT_EQ(ScalePyramid(Finest({{0, 0, 0}, {64, 64, 64}}, {8, 8, 40})).size(), 1u);
}

TEST(PyramidTest, EveryScaleCoversTheOneBelowAndNoMore) {
  const unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  const auto pick = [&](int64_t lo, int64_t hi) { return std::uniform_int_distribution<int64_t>(lo, hi)(random); };
  for (int round = 0; round < 100; ++round) {
    const VoxelPoint lo = {pick(-5000, 5000), pick(-5000, 5000), pick(-5000, 5000)};
    const Extent3 size = {pick(1, 3000), pick(1, 3000), pick(1, 3000)};
    const std::vector<Scale> scales = ScalePyramid(Finest(BoxAt(lo, size), {4, 4, 33}));
    Info info;
    info.scales = scales;
    ASSERT_TRUE(ValidateInfo(info).ok()) << ValidateInfo(info);
    for (size_t i = 1; i < scales.size(); ++i) {
      const Extent3 factor = NextScaleFactor(scales[i - 1].resolution);
      for (int axis = 0; axis < 3; ++axis) {
        const auto below = scales[i - 1].bounds();
        const auto here = scales[i].bounds();
        EXPECT_LE(here.lo[axis] * factor[axis], below.lo[axis]);
        EXPECT_GT((here.lo[axis] + 1) * factor[axis], below.lo[axis]);
        EXPECT_GE(here.hi[axis] * factor[axis], below.hi[axis]);
        EXPECT_LT((here.hi[axis] - 1) * factor[axis], below.hi[axis]);
      }
    }
  }
}

}  // namespace
}  // namespace cleave::volume
