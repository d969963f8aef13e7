// Cheapest ways through an object.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "cut/mask_grid.h"

namespace cleave::cut {

// What it costs to travel through a voxel, per nm; above 0 in the object, 0 outside. Indexed like the grid.
using TravelCost = LazyArray<float>;

// The cost that keeps ways in the middle of the object and makes necks dear: (least depth / depth) ^ exponent.
[[nodiscard]] TravelCost CostFromDepth(const MaskGrid& grid, const LazyArray<float>& depth_nm, float exponent);

// The side that owns a voxel, 1, 2, ...; 0 while nobody does.
using Sides = LazyArray<uint8_t>;

// Finds ways by the cheapest-first rule over the 26 neighbours: a step costs its length times the mean cost of its two
// ends. Keeps its working memory from call to call. Not thread-safe. Borrows grid and cost.
class Growth {
 public:
  Growth(const MaskGrid& grid, const TravelCost& cost)
      : grid_(grid), cost_(cost), time_(grid.size()), step_(grid.size()) {}

  // Gives every voxel of nobody that can be reached from `owned`, through voxels of nobody, to the owner that reaches
  // it at the least cost. Each owner's voxels stay as connected as they were.
  void GrowAll(std::span<const uint32_t> owned, Sides& sides);

  // The voxels of the cheapest ways from `start` to each target (both ends among them, each voxel once), through voxels
  // of nobody or of `owner`. A target that cannot be reached is returned in `unreachable` instead.
  struct Ways {
    std::vector<uint32_t> voxels;
    std::optional<uint32_t> unreachable;
  };
  [[nodiscard]] Ways FindWays(uint32_t start, std::span<const uint32_t> targets, uint8_t owner, const Sides& sides);

 private:
  const MaskGrid& grid_;
  const TravelCost& cost_;
  LazyArray<float> time_;    // cost so far plus 1, so that 0 is "not yet"; all 0 between calls
  LazyArray<uint8_t> step_;  // the step by which FindWays came
};

}  // namespace cleave::cut
