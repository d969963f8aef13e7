#include "cut/rim.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <vector>

#include "base/parallel.h"

namespace cleave::cut {
namespace {

// In units of the smallest edge of a voxel. Smaller boxes see the steps between voxels, larger ones other twigs.
constexpr double kBoxReach = 7;
constexpr float kDeepest = 3;

constexpr uint32_t kPiecesAtOnce = 2000;  // that one thread takes

constexpr int64_t kCellsPerQuestion = 256;  // so many cells of the sums cost about what counting in one box does

// The voxels of the object in boxes. Where many boxes of a small grid are asked for, from sums over all boxes that
// begin at the grid's low corner; else by looking at them. Borrows the grid.
class BoxCounter {
 public:
  BoxCounter(const MaskGrid& grid, int64_t questions) : grid_(grid), extent_(grid.box().extent() + Extent3{1, 1, 1}) {
    if (Count(extent_) <= questions * kCellsPerQuestion) {
      Add();
    }
  }

  // REQUIRES: the box lies in the grid's.
  [[nodiscard]] int64_t CountIn(const Box& box) const {
    if (sums_.empty()) {
      return LookAt(box);
    }
    const VoxelPoint lo = box.lo - grid_.box().lo;
    const VoxelPoint hi = box.hi - grid_.box().lo;
    const auto slab = [&](int64_t z) {
      return int64_t{At(hi.x, hi.y, z)} - At(lo.x, hi.y, z) - At(hi.x, lo.y, z) + At(lo.x, lo.y, z);
    };
    return slab(hi.z) - slab(lo.z);
  }

 private:
  // Over the box from the low corner of the grid's box up to, and without, a corner relative to it.
  [[nodiscard]] uint32_t At(int64_t x, int64_t y, int64_t z) const {
    return sums_[static_cast<size_t>(x + extent_.x * (y + extent_.y * z))];
  }

  void Add() {
    sums_.assign(static_cast<size_t>(Count(extent_)), 0);
    const Box box = grid_.box();
    for (int64_t z = 0; z < box.extent().z; ++z) {
      for (int64_t y = 0; y < box.extent().y; ++y) {
        const uint8_t* row = grid_.mask().Row(box.lo.y + y, box.lo.z + z) + box.lo.x;
        uint32_t* sum = &sums_[static_cast<size_t>(1 + extent_.x * (y + 1 + extent_.y * (z + 1)))];
        uint32_t in_row = 0;
        for (int64_t x = 0; x < box.extent().x; ++x) {
          in_row += row[x] != 0 ? 1 : 0;
          sum[x] = in_row + At(x + 1, y, z + 1) + At(x + 1, y + 1, z) - At(x + 1, y, z);
        }
      }
    }
  }

  [[nodiscard]] int64_t LookAt(const Box& box) const {
    int64_t count = 0;
    for (int64_t z = box.lo.z; z < box.hi.z; ++z) {
      for (int64_t y = box.lo.y; y < box.hi.y; ++y) {
        const uint8_t* row = grid_.mask().Row(y, z);
        count += std::count_if(row + box.lo.x, row + box.hi.x, [](uint8_t voxel) { return voxel != 0; });
      }
    }
    return count;
  }

  const MaskGrid& grid_;
  Extent3 extent_;              // of the sums: one more than the box along each axis
  std::vector<uint32_t> sums_;  // x fastest; empty: not made
};

}  // namespace

Rim::Rim(const MaskGrid& grid, const PieceGraph& pieces) : pieces_(pieces), fill_(pieces.size(), 0) {
  const VoxelSizeNm nm = grid.voxel_size_nm();
  const double unit_nm = std::min({nm.x, nm.y, nm.z});
  deepest_nm_ = kDeepest * static_cast<float>(unit_nm);
  const auto reach = [&](double size_nm) { return std::max<int64_t>(1, std::llround(kBoxReach * unit_nm / size_nm)); };
  const Extent3 margin{reach(nm.x), reach(nm.y), reach(nm.z)};
  const double whole = static_cast<double>(Count({2 * margin.x + 1, 2 * margin.y + 1, 2 * margin.z + 1}));
  const BoxCounter counter(grid, pieces.size());
  const absl::Status done = ParallelFor(CeilDivide(pieces.size(), kPiecesAtOnce), DefaultThreadCount(), [&](int64_t i) {
    const uint32_t first = static_cast<uint32_t>(i) * kPiecesAtOnce;
    for (uint32_t piece = first; piece < std::min(first + kPiecesAtOnce, pieces.size()); ++piece) {
      if (pieces.depth_nm(piece) < 2 * deepest_nm_) {
        const Box box = Grow(BoxAt(pieces.Centre(piece), {1, 1, 1}), margin);
        fill_[piece] = static_cast<float>(static_cast<double>(counter.CountIn(Intersect(box, grid.box()))) / whole);
      }
    }
    return absl::OkStatus();
  });
  assert(done.ok());
}

}  // namespace cleave::cut
