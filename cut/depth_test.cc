// Goal: DepthNm is the exact distance to the nearest voxel outside the object.
// Method: random objects with random voxel shapes against a search over all voxels.
#include "cut/depth.h"

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <random>

#include "gtest/gtest.h"

namespace cleave::cut {
namespace {

// Everything outside the mask counts as outside; one voxel of margin holds the nearest of it.
double DepthByBruteForce(const Array3<uint8_t>& mask, VoxelPoint from, VoxelSizeNm size) {
  const Extent3 extent = mask.extent();
  double least = std::numeric_limits<double>::infinity();
  for (int64_t z = -1; z <= extent.z; ++z) {
    for (int64_t y = -1; y <= extent.y; ++y) {
      for (int64_t x = -1; x <= extent.x; ++x) {
        const VoxelPoint p{x, y, z};
        if (!BoxAt({}, extent).Contains(p) || mask[p] == 0) {
          least = std::min(
              least, std::hypot(static_cast<double>(x - from.x) * size.x, static_cast<double>(y - from.y) * size.y,
                                static_cast<double>(z - from.z) * size.z));
        }
      }
    }
  }
  return least;
}

TEST(Depth, MatchesASearchOverAllVoxels) {
  const char* text = std::getenv("CLEAVE_TEST_SEED");
  const uint64_t seed = text != nullptr ? std::strtoull(text, nullptr, 10) : std::random_device{}();
  std::cout << "CLEAVE_TEST_SEED=" << seed << '\n';
  std::mt19937_64 random(seed);
  for (int round = 0; round < 60; ++round) {
    Array3<uint8_t> mask(Extent3{1 + static_cast<int64_t>(random() % 14), 1 + static_cast<int64_t>(random() % 14),
                                 1 + static_cast<int64_t>(random() % 14)});
    const uint64_t density = 50 + random() % 51;
    for (int64_t i = 0; i < mask.size(); ++i) {
      mask.data()[i] = random() % 100 < density;
    }
    const VoxelSizeNm size{1 + static_cast<double>(random() % 100) / 10, 1 + static_cast<double>(random() % 100) / 10,
                           1 + static_cast<double>(random() % 400) / 10};
    const auto grid = MaskGrid::Make(mask.view(), size);
    if (!grid.ok()) {
      continue;  // no voxel
    }
    const LazyArray<float> depth_nm = DepthNm(*grid);
    for (int64_t z = 0; z < mask.extent().z; ++z) {
      for (int64_t y = 0; y < mask.extent().y; ++y) {
        for (int64_t x = 0; x < mask.extent().x; ++x) {
          if (mask[{x, y, z}] != 0) {
            const double expected = DepthByBruteForce(mask, {x, y, z}, size);
            ASSERT_NEAR(depth_nm[grid->Index({x, y, z})], expected, 1e-4 * expected);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace cleave::cut
