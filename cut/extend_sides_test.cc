// Goal: sides that are known in part are extended over the object: what is known stays, the rest goes where the fewest
// steps lead, islands to the nearest side, nothing outside of the object. Method: bars whose answer is plain, then
// random objects against a flood that goes over the whole array once for each step. The seed is printed and taken from
// CLEAVE_TEST_SEED.
#include "cut/extend_sides.h"

#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/test_seed.h"
#include "cut/points_testing.h"

namespace cleave::cut {
namespace {

using Mask = Array3<uint8_t>;

constexpr VoxelSizeNm kCube{1, 1, 1};

TEST(ExtendSidesTest, ABarIsSharedAtItsMiddle) {
  const Mask bar({9, 1, 1}, 1);
  Mask known({9, 1, 1});
  known[{0, 0, 0}] = 2;
  known[{7, 0, 0}] = 1;
  const auto sides = ExtendSides(bar.view(), kCube, known.view());
  ASSERT_TRUE(sides.ok()) << sides.status();
  EXPECT_THAT(std::vector<uint8_t>(sides->data(), sides->data() + 9), testing::ElementsAre(2, 2, 2, 2, 1, 1, 1, 1, 1));
}

TEST(ExtendSidesTest, AnIslandGoesToTheNearestSideAsAWhole) {
  Mask mask({60, 1, 1}, 1);
  mask[{20, 0, 0}] = 0;
  mask[{50, 0, 0}] = 0;
  Mask known(mask.extent());
  known[{0, 0, 0}] = 1;
  known[{59, 0, 0}] = 3;
  const auto sides = ExtendSides(mask.view(), kCube, known.view());
  ASSERT_TRUE(sides.ok()) << sides.status();
  for (int64_t x = 0; x < 60; ++x) {
    const int found = (*sides)[{x, 0, 0}];
    if (x < 20) {
      EXPECT_EQ(found, 1);
    } else if (x == 20 || x == 50) {
      EXPECT_EQ(found, 0);
    } else if (x > 50) {
      EXPECT_EQ(found, 3);
    } else {
      EXPECT_EQ(found, sides->data()[21]) << "an island is one piece";
    }
  }
}

TEST(ExtendSidesTest, WithoutAnyKnownVoxelItSaysSo) {
  Mask mask({4, 4, 4}, 1);
  Mask known({4, 4, 4});
  EXPECT_EQ(ExtendSides(mask.view(), kCube, known.view()).status().code(), absl::StatusCode::kInvalidArgument);
  mask[{1, 1, 1}] = 0;
  known[{1, 1, 1}] = 1;  // not of the object
  EXPECT_EQ(ExtendSides(mask.view(), kCube, known.view()).status().code(), absl::StatusCode::kInvalidArgument);
}

// The sides that a voxel may get, as bits, when each step goes over the whole array.
Array3<uint32_t> PossibleSides(const Mask& mask, const Mask& known) {
  Array3<uint32_t> sides(mask.extent());
  ForEachPoint(mask.extent(), [&](VoxelPoint p) { sides[p] = mask[p] != 0 && known[p] != 0 ? 1U << known[p] : 0; });
  for (bool more = true; more;) {
    more = false;
    const Array3<uint32_t> before = sides;
    ForEachPoint(mask.extent(), [&](VoxelPoint p) {
      if (mask[p] == 0 || before[p] != 0) {
        return;
      }
      for (int64_t step = 0; step < 27; ++step) {
        const VoxelPoint q = p + VoxelPoint{step % 3 - 1, step / 3 % 3 - 1, step / 9 - 1};
        if (BoxAt({}, mask.extent()).Contains(q)) {
          sides[p] |= before[q];
          more = more || before[q] != 0;
        }
      }
    });
  }
  return sides;
}

TEST(ExtendSidesTest, RandomObjectsAreFloodedStepByStep) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 60; ++round) {
    const Extent3 extent{static_cast<int64_t>(1 + random() % 20), static_cast<int64_t>(1 + random() % 12),
                         static_cast<int64_t>(1 + random() % 8)};
    Mask mask(extent);
    Mask known(extent);
    bool has_any = false;
    ForEachPoint(extent, [&](VoxelPoint p) {
      mask[p] = random() % 3 != 0 ? 1 : 0;
      known[p] = random() % 30 == 0 ? static_cast<uint8_t>(1 + random() % 3) : 0;
      has_any = has_any || (mask[p] != 0 && known[p] != 0);
    });
    if (!has_any) {
      continue;
    }
    const auto sides = ExtendSides(mask.view(), {8, 8, 40}, known.view());
    ASSERT_TRUE(sides.ok()) << sides.status();
    const Array3<uint32_t> possible = PossibleSides(mask, known);
    ForEachPoint(extent, [&](VoxelPoint p) {
      const uint8_t side = (*sides)[p];
      if (mask[p] == 0) {
        ASSERT_EQ(side, 0);
      } else if (possible[p] != 0) {
        ASSERT_NE(possible[p] >> side & 1U, 0U) << ToString(p);
      } else {
        ASSERT_NE(side, 0) << "of an island: " << ToString(p);
      }
    });
  }
}

}  // namespace
}  // namespace cleave::cut
