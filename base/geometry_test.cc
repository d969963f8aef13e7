// Goal: the arithmetic that every lattice rests on holds for negative coordinates and empty boxes too.
#include "base/geometry.h"

#include "gtest/gtest.h"

namespace cleave {
namespace {

TEST(Geometry, FloorAndCeilDivideRoundTowardsTheirSide) {
  for (int64_t value = -20; value <= 20; ++value) {
    for (int64_t divisor = 1; divisor <= 7; ++divisor) {
      const int64_t floor = FloorDivide(value, divisor);
      EXPECT_LE(floor * divisor, value);
      EXPECT_GT((floor + 1) * divisor, value);
      const int64_t ceil = CeilDivide(value, divisor);
      EXPECT_GE(ceil * divisor, value);
      EXPECT_LT((ceil - 1) * divisor, value);
    }
  }
}

TEST(Geometry, BoxesAreHalfOpen) {
  const Box box{{-1, 0, 5}, {2, 3, 6}};
  EXPECT_TRUE(box.Contains(VoxelPoint{-1, 0, 5}));
  EXPECT_FALSE(box.Contains(VoxelPoint{2, 0, 5}));
  EXPECT_EQ(Count(box.extent()), 9);
  EXPECT_TRUE(Intersect(box, Box{{2, 0, 0}, {4, 4, 9}}).empty());
  EXPECT_EQ(Envelope(box, Box{{2, 0, 0}, {4, 4, 9}}), (Box{{-1, 0, 0}, {4, 4, 9}}));
  EXPECT_EQ(Grow(box, {1, 2, 3}), (Box{{-2, -2, 2}, {3, 5, 9}}));
}

}  // namespace
}  // namespace cleave
