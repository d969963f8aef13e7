// Islands may be large and lie far off, so nothing here walks over background voxel by voxel.
//
// 1. The grid is covered with blocks. A block with a voxel of some side belongs to it, at distance 0.
// 2. Blocks spread over all others, cheapest first, so each block knows its nearest side and how far that is.
// 3. Each island is flooded; the nearest of the blocks that it lies in decides.
#include "cut/islands.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "cut/radix_heap.h"

namespace cleave::cut {
namespace {

class BlockMap {
 public:
  explicit BlockMap(const MaskGrid& grid) : lo_(grid.box().lo) {
    const VoxelSizeNm size = grid.voxel_size_nm();
    const double edge_nm = 8 * std::min({size.x, size.y, size.z});
    const std::array<double, 3> nm = {size.x, size.y, size.z};
    for (int axis = 0; axis < 3; ++axis) {
      edge_[axis] = std::max<int64_t>(1, std::llround(edge_nm / nm[axis]));
      edge_nm_[axis] = static_cast<double>(edge_[axis]) * nm[axis];
      count_[axis] = CeilDivide(grid.box().extent()[axis], edge_[axis]);
    }
    side_.assign(static_cast<size_t>(Count(count_)), 0);
    distance_nm_.assign(side_.size(), std::numeric_limits<float>::infinity());
  }

  [[nodiscard]] size_t Block(VoxelPoint p) const {
    return static_cast<size_t>((p.x - lo_.x) / edge_.x +
                               count_.x * ((p.y - lo_.y) / edge_.y + count_.y * ((p.z - lo_.z) / edge_.z)));
  }
  [[nodiscard]] uint8_t side(size_t block) const { return side_[block]; }
  [[nodiscard]] float distance_nm(size_t block) const { return distance_nm_[block]; }

  // Step 1, for a run of voxels that starts at `first`: in each block the first voxel with a side decides.
  void Claim(VoxelPoint first, const uint8_t* sides, int64_t count) {
    size_t block = Block(first);
    int64_t left_in_block = edge_.x - (first.x - lo_.x) % edge_.x;
    for (const uint8_t* end = sides + count; sides != end; ++sides) {
      if (left_in_block == 0) {
        ++block;
        left_in_block = edge_.x;
      }
      --left_in_block;
      if (*sides != 0 && side_[block] == 0) {
        side_[block] = *sides;
        distance_nm_[block] = 0;
      }
    }
  }

  // Step 2.
  void Spread() {
    RadixHeap open;
    for (size_t block = 0; block < side_.size(); ++block) {
      if (side_[block] != 0) {
        open.Push(0, static_cast<uint32_t>(block));
      }
    }
    while (!open.empty()) {
      const auto [distance, block] = open.Pop();
      if (distance > distance_nm_[block]) {
        continue;
      }
      const VoxelPoint at{block % count_.x, block / count_.x % count_.y, block / (count_.x * count_.y)};
      for (int64_t step = 0; step < 27; ++step) {
        const VoxelPoint move{step % 3 - 1, step / 3 % 3 - 1, step / 9 - 1};
        const VoxelPoint to = at + move;
        if (!Box{{}, VoxelPoint{} + count_}.Contains(to)) {
          continue;
        }
        const auto next = static_cast<size_t>(to.x + count_.x * (to.y + count_.y * to.z));
        const float through = distance + static_cast<float>(std::hypot(static_cast<double>(move.x) * edge_nm_[0],
                                                                       static_cast<double>(move.y) * edge_nm_[1],
                                                                       static_cast<double>(move.z) * edge_nm_[2]));
        if (through < distance_nm_[next]) {
          distance_nm_[next] = through;
          side_[next] = side_[block];
          open.Push(through, static_cast<uint32_t>(next));
        }
      }
    }
  }

 private:
  VoxelPoint lo_;
  Extent3 edge_;  // voxels
  std::array<double, 3> edge_nm_{};
  Extent3 count_;  // blocks
  std::vector<uint8_t> side_;
  std::vector<float> distance_nm_;
};

// Step 3. Gives the island of `first` away and returns its size.
int64_t Settle(const MaskGrid& grid, const LazyArray<float>& depth_nm, const BlockMap& blocks, uint32_t first,
               Sides& sides) {
  constexpr uint8_t kSeen = std::numeric_limits<uint8_t>::max();  // never a side: there are at most 200
  std::vector<uint32_t> island = {first};
  sides[first] = kSeen;
  size_t nearest = blocks.Block(grid.Point(first));
  for (size_t i = 0; i < island.size(); ++i) {
    const size_t block = blocks.Block(grid.Point(island[i]));
    if (blocks.distance_nm(block) < blocks.distance_nm(nearest)) {
      nearest = block;
    }
    for (const MaskGrid::Step& step : grid.steps()) {
      const uint32_t next = static_cast<uint32_t>(island[i] + step.offset);
      if (depth_nm[next] != 0 && sides[next] == 0) {
        sides[next] = kSeen;
        island.push_back(next);
      }
    }
  }
  for (const uint32_t voxel : island) {
    sides[voxel] = blocks.side(nearest);
  }
  return static_cast<int64_t>(island.size());
}

}  // namespace

int64_t GiveIslandsToNearest(const MaskGrid& grid, const LazyArray<float>& depth_nm, Sides& sides) {
  std::vector<uint32_t> unreached;
  grid.ForEachRun([&](int64_t begin, int64_t end, int64_t y, int64_t z) {
    const uint32_t first = grid.Index({begin, y, z});
    for (uint32_t voxel = first; voxel < first + (end - begin); ++voxel) {
      if (sides[voxel] == 0) {
        unreached.push_back(voxel);
      }
    }
  });
  if (unreached.empty()) {
    return 0;
  }
  BlockMap blocks(grid);
  grid.ForEachRun([&](int64_t begin, int64_t end, int64_t y, int64_t z) {
    const VoxelPoint first{begin, y, z};
    blocks.Claim(first, &sides[grid.Index(first)], end - begin);
  });
  blocks.Spread();
  int64_t given = 0;
  for (const uint32_t voxel : unreached) {
    if (sides[voxel] == 0) {
      given += Settle(grid, depth_nm, blocks, voxel, sides);
    }
  }
  return given;
}

}  // namespace cleave::cut
