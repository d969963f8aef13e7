// Goal: pieces are exactly the connected parts of the object within each cell, and arcs join exactly the pieces that
// touch, with the summed area of their contact.
// Method: random objects and cells against definitions worked out voxel by voxel.
#include "cut/piece_graph.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "cut/components.h"
#include "cut/depth.h"
#include "cut/points_testing.h"

namespace cleave::cut {
namespace {

Array3<uint8_t> RandomMask(std::mt19937_64& random) {
  const Extent3 extent{1 + static_cast<int64_t>(random() % 12), 1 + static_cast<int64_t>(random() % 12),
                       1 + static_cast<int64_t>(random() % 12)};
  Array3<uint8_t> mask(extent);
  const uint64_t density = 1 + random() % 100;
  for (int64_t i = 0; i < mask.size(); ++i) {
    mask.data()[i] = random() % 100 < density;
  }
  mask.data()[random() % static_cast<uint64_t>(mask.size())] = 1;
  return mask;
}

TEST(PieceGraph, MatchesItsDefinition) {
  const char* text = std::getenv("CLEAVE_TEST_SEED");
  const uint64_t seed = text != nullptr ? std::strtoull(text, nullptr, 10) : std::random_device{}();
  std::cout << "CLEAVE_TEST_SEED=" << seed << '\n';
  std::mt19937_64 random(seed);
  for (int round = 0; round < 200; ++round) {
    const Array3<uint8_t> mask = RandomMask(random);
    const Extent3 cell{1 + static_cast<int64_t>(random() % 5), 1 + static_cast<int64_t>(random() % 5),
                       1 + static_cast<int64_t>(random() % 5)};
    const auto grid = MaskGrid::Make(mask.view(), {8, 6, 40});
    ASSERT_TRUE(grid.ok()) << grid.status();
    const LazyArray<float> depth_nm = DepthNm(*grid);
    const PieceGraph pieces(*grid, depth_nm, cell);

    // The parts of each cell, by labelling voxels with their cell's number.
    const Box box = grid->box();
    Array3<uint32_t> cells(mask.extent());
    ForEachPoint(mask.extent(), [&](VoxelPoint p) {
      const VoxelPoint at = p - box.lo + VoxelPoint{};
      cells[p] =
          mask[p] == 0 ? 0 : static_cast<uint32_t>(1 + at.x / cell.x + 100 * (at.y / cell.y) + 10000 * (at.z / cell.z));
    });
    Array3<uint32_t> parts(mask.extent());
    const uint32_t part_count = LabelComponents<uint32_t>(cells.view(), parts.view());
    ASSERT_EQ(pieces.size(), part_count);

    std::map<std::pair<uint32_t, uint32_t>, double> area;
    std::vector<float> depth(part_count, 0);
    ForEachPoint(mask.extent(), [&](VoxelPoint p) {
      if (mask[p] == 0) {
        return;
      }
      const uint32_t index = grid->Index(p);
      ASSERT_EQ(grid->Point(index), p);
      const uint32_t piece = pieces.PieceOf(index);
      ASSERT_EQ(piece, parts[p] - 1);
      depth[piece] = std::max(depth[piece], depth_nm[index]);
      for (size_t i = 0; i < 26; ++i) {
        const uint32_t next = static_cast<uint32_t>(index + grid->steps()[i].offset);
        if (depth_nm[next] != 0 && pieces.PieceOf(next) != piece) {
          area[{piece, pieces.PieceOf(next)}] += grid->StepAreas()[i];
        }
      }
    });
    size_t arcs = 0;
    for (uint32_t piece = 0; piece < pieces.size(); ++piece) {
      EXPECT_EQ(pieces.depth_nm(piece), depth[piece]);
      EXPECT_EQ(pieces.PieceOf(pieces.FirstVoxel(piece)), piece);
      for (const PieceGraph::Arc& arc : pieces.arcs(piece)) {
        ++arcs;
        ASSERT_TRUE(area.contains({piece, arc.to}));
        EXPECT_NEAR(arc.area, (area[{piece, arc.to}]), 1e-3);
        EXPECT_GT(arc.length_nm, 0);
      }
    }
    EXPECT_EQ(arcs, area.size());
  }
}

}  // namespace
}  // namespace cleave::cut
