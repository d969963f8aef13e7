// For each island, found by its first voxel in memory order:
// 1. flood it;
// 2. walk outwards from all its voxels at once, through background too, cheapest first, until a voxel with a side is
//    met; that side gets the island.
// An island that has been given away counts as part of its side for those that follow. The order is fixed, so the
// result is too.
#include "cut/islands.h"

#include <cassert>
#include <unordered_map>
#include <vector>

#include "cut/radix_heap.h"

namespace cleave::cut {
namespace {

bool IsInBox(const MaskGrid& grid, uint32_t voxel) { return grid.box().Contains(grid.Point(voxel)); }

class IslandFinder {
 public:
  IslandFinder(const MaskGrid& grid, Sides& sides) : grid_(grid), sides_(sides), seen_(grid.size()) {}

  // Floods the island of `first` and gives it away. Returns its size.
  int64_t Settle(uint32_t first) {
    const std::vector<uint32_t> island = Flood(first);
    const uint8_t side = NearestSide(island);
    for (const uint32_t voxel : island) {
      sides_[voxel] = side;
    }
    return static_cast<int64_t>(island.size());
  }

 private:
  [[nodiscard]] bool IsSet(uint32_t voxel) const {
    return IsInBox(grid_, voxel) && grid_.mask()[grid_.Point(voxel)] != 0;
  }

  std::vector<uint32_t> Flood(uint32_t first) {
    std::vector<uint32_t> island = {first};
    seen_[first] = 1;
    for (size_t i = 0; i < island.size(); ++i) {
      for (const MaskGrid::Step& step : grid_.steps()) {
        const uint32_t next = static_cast<uint32_t>(island[i] + step.offset);
        if (seen_[next] == 0 && IsSet(next)) {
          seen_[next] = 1;
          island.push_back(next);
        }
      }
    }
    return island;
  }

  [[nodiscard]] uint8_t NearestSide(const std::vector<uint32_t>& island) const {
    std::unordered_map<uint32_t, float> distance;
    RadixHeap open;
    for (const uint32_t voxel : island) {
      distance[voxel] = 0;
      open.Push(0, voxel);
    }
    while (!open.empty()) {
      const auto [reached, voxel] = open.Pop();
      if (sides_[voxel] != 0) {
        return sides_[voxel];
      }
      if (reached > distance[voxel]) {
        continue;
      }
      for (const MaskGrid::Step& step : grid_.steps()) {
        const uint32_t next = static_cast<uint32_t>(voxel + step.offset);
        if (!IsInBox(grid_, next)) {
          continue;
        }
        const float through = reached + static_cast<float>(step.length_nm);
        const auto [place, is_new] = distance.try_emplace(next, through);
        if (is_new || through < place->second) {
          place->second = through;
          open.Push(through, next);
        }
      }
    }
    assert(false && "some voxel has a side");
    return 0;
  }

  const MaskGrid& grid_;
  Sides& sides_;
  LazyArray<uint8_t> seen_;
};

}  // namespace

int64_t GiveIslandsToNearest(const MaskGrid& grid, Sides& sides) {
  IslandFinder finder(grid, sides);
  int64_t given = 0;
  grid.ForEachRun([&](int64_t begin, int64_t end, int64_t y, int64_t z) {
    const uint32_t first = grid.Index({begin, y, z});
    for (int64_t x = 0; x < end - begin; ++x) {
      if (sides[first + x] == 0) {
        given += finder.Settle(static_cast<uint32_t>(first + x));
      }
    }
  });
  return given;
}

}  // namespace cleave::cut
