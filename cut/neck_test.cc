// Goal: the neck is the cross-section that is narrow beside its surroundings, and borders move there.
// Method: rows of cross-sections with a known answer; a chain of pieces whose best neck is not in its middle.
#include "cut/neck.h"

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

#include "cut/depth.h"

namespace cleave::cut {
namespace {

TEST(FindNeck, NothingToChooseFromIsTheMiddle) { EXPECT_EQ(FindNeck({}), 0); }

TEST(FindNeck, WithoutANeckTheMiddle) {
  const std::vector<CrossSection> tube = {{-0.8f, 5, 0.5}, {-0.3f, 5, 0.5}, {0.1f, 5, 0.5}, {0.6f, 5, 0.5}};
  EXPECT_EQ(FindNeck(tube), 0.1f);
}

TEST(FindNeck, ATwigIsNotANeckHoweverThin) {
  const std::vector<CrossSection> sections = {{-0.9f, 1, 0.5}, {-0.8f, 1, 0.5}, {-0.2f, 50, 0.5},
                                              {0.5f, 4, 0.5},  {0.7f, 50, 0.5}, {0.9f, 10, 0.5}};
  EXPECT_EQ(FindNeck(sections), 0.5f);
}

TEST(FindNeck, AFurrowDecidesBetweenEqualAreas) {
  const std::vector<CrossSection> sections = {
      {-0.4f, 9, 0.4}, {-0.2f, 9, 0.4}, {0.1f, 9, 0.4}, {0.3f, 9, 0.7}, {0.5f, 9, 0.4}};
  EXPECT_EQ(FindNeck(sections), 0.3f);
}

TEST(FindNeck, PlacesAtThePointsAreNeverFree) {
  const std::vector<CrossSection> sections = {{-1, 1, 0.5}, {0, 5, 0.5}, {1, 1, 0.5}};
  EXPECT_EQ(FindNeck(sections), 0);
}

// A bar with a notch off its middle.
TEST(MoveToNecks, BorderMovesToTheNotch) {
  Array3<uint8_t> mask(Extent3{60, 9, 9}, 1);
  for (int64_t z = 0; z < 9; ++z) {
    for (int64_t y = 0; y < 9; ++y) {
      mask[{18, y, z}] = y >= 3 && y < 6 && z >= 3 && z < 6 ? 1 : 0;
    }
  }
  const auto grid = MaskGrid::Make(mask.view(), {8, 8, 8});
  ASSERT_TRUE(grid.ok()) << grid.status();
  const PieceGraph pieces(*grid, DepthNm(*grid), {1, 1, 1});
  const TravelCost cost(pieces.size(), 1);
  PieceSides sides(pieces.size(), 0);
  const std::vector<uint32_t> owned = {pieces.PieceOf(grid->Index({2, 4, 4})), pieces.PieceOf(grid->Index({57, 4, 4}))};
  sides[owned[0]] = 1;
  sides[owned[1]] = 2;
  Grow(pieces, cost, owned, sides);
  EXPECT_EQ(sides[pieces.PieceOf(grid->Index({27, 4, 4}))], 1) << "growth alone meets half-way";
  MoveToNecks(pieces, Rim(*grid, pieces), cost, owned, sides);
  for (int64_t x = 0; x < 60; ++x) {
    if (x != 18) {
      EXPECT_EQ(sides[pieces.PieceOf(grid->Index({x, 4, 4}))], x < 18 ? 1 : 2) << x;
    }
  }
}

}  // namespace
}  // namespace cleave::cut
