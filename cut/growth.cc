#include "cut/growth.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "cut/radix_heap.h"

namespace cleave::cut {
namespace {

// Half the length of each step, as the kernels use it.
std::array<float, 26> HalfLengths(const MaskGrid& grid) {
  std::array<float, 26> half{};
  for (size_t i = 0; i < half.size(); ++i) {
    half[i] = static_cast<float>(grid.steps()[i].length_nm / 2);
  }
  return half;
}

}  // namespace

TravelCost CostFromDepth(const MaskGrid& grid, const LazyArray<float>& depth_nm, float exponent) {
  const float least =
      static_cast<float>(std::min({grid.voxel_size_nm().x, grid.voxel_size_nm().y, grid.voxel_size_nm().z}));
  TravelCost cost(grid.size());
  grid.ForEachRun([&](int64_t begin, int64_t end, int64_t y, int64_t z) {
    const uint32_t first = grid.Index({begin, y, z});
    for (uint32_t voxel = first; voxel < first + (end - begin); ++voxel) {
      const float ratio = least / depth_nm[voxel];
      // The two exponents in use have cheap forms; pow costs more than all the rest of this loop.
      cost[voxel] = exponent == 1 ? ratio : exponent == 1.5f ? ratio * std::sqrt(ratio) : std::pow(ratio, exponent);
    }
  });
  return cost;
}

void Growth::GrowAll(std::span<const uint32_t> owned, Sides& sides) {
  const std::array<float, 26> half = HalfLengths(grid_);
  RadixHeap open;
  std::vector<uint32_t> reached(owned.begin(), owned.end());
  for (const uint32_t voxel : owned) {
    time_[voxel] = 1;
    open.Push(1, voxel);
  }
  while (!open.empty()) {
    const auto [time, voxel] = open.Pop();
    if (time > time_[voxel]) {
      continue;
    }
    for (size_t i = 0; i < half.size(); ++i) {
      const uint32_t next = static_cast<uint32_t>(voxel + grid_.steps()[i].offset);
      if (cost_[next] == 0 || (time_[next] == 0 && sides[next] != 0)) {
        continue;
      }
      const float next_time = time + half[i] * (cost_[voxel] + cost_[next]);
      if (time_[next] == 0) {
        reached.push_back(next);
      } else if (next_time >= time_[next]) {
        continue;
      }
      time_[next] = next_time;
      sides[next] = sides[voxel];
      open.Push(next_time, next);
    }
  }
  for (const uint32_t voxel : reached) {
    time_[voxel] = 0;
  }
}

Growth::Ways Growth::FindWays(uint32_t start, std::span<const uint32_t> targets, uint8_t owner, const Sides& sides) {
  const std::array<float, 26> half = HalfLengths(grid_);
  RadixHeap open;
  std::vector<uint32_t> reached = {start};
  std::vector<uint32_t> missing(targets.begin(), targets.end());
  time_[start] = 1;
  open.Push(1, start);
  while (!open.empty() && !missing.empty()) {
    const auto [time, voxel] = open.Pop();
    if (time > time_[voxel]) {
      continue;
    }
    std::erase(missing, voxel);
    for (size_t i = 0; i < half.size(); ++i) {
      const uint32_t next = static_cast<uint32_t>(voxel + grid_.steps()[i].offset);
      if (cost_[next] == 0 || (sides[next] != 0 && sides[next] != owner)) {
        continue;
      }
      const float next_time = time + half[i] * (cost_[voxel] + cost_[next]);
      if (time_[next] == 0) {
        reached.push_back(next);
      } else if (next_time >= time_[next]) {
        continue;
      }
      time_[next] = next_time;
      step_[next] = static_cast<uint8_t>(i);
      open.Push(next_time, next);
    }
  }
  for (const uint32_t voxel : reached) {
    time_[voxel] = 0;
  }
  Ways ways;
  if (!missing.empty()) {
    ways.unreachable = missing.front();
    return ways;
  }
  for (uint32_t voxel : targets) {
    while (voxel != start) {
      ways.voxels.push_back(voxel);
      voxel = static_cast<uint32_t>(voxel - grid_.steps()[step_[voxel]].offset);
    }
  }
  ways.voxels.push_back(start);
  std::sort(ways.voxels.begin(), ways.voxels.end());
  ways.voxels.erase(std::unique(ways.voxels.begin(), ways.voxels.end()), ways.voxels.end());
  return ways;
}

}  // namespace cleave::cut
