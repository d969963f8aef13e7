#include "cut/rim.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdint>

#include "base/parallel.h"

namespace cleave::cut {
namespace {

// In units of the smallest edge of a voxel. Smaller boxes see the steps between voxels, larger ones other twigs.
constexpr double kBoxReach = 7;
constexpr float kDeepest = 3;

constexpr uint32_t kPiecesAtOnce = 2000;  // that one thread takes

int64_t CountIn(const MaskGrid& grid, const Box& box) {
  int64_t count = 0;
  for (int64_t z = box.lo.z; z < box.hi.z; ++z) {
    for (int64_t y = box.lo.y; y < box.hi.y; ++y) {
      const uint8_t* row = grid.mask().Row(y, z);
      count += std::count_if(row + box.lo.x, row + box.hi.x, [](uint8_t voxel) { return voxel != 0; });
    }
  }
  return count;
}

}  // namespace

Rim::Rim(const MaskGrid& grid, const PieceGraph& pieces) : pieces_(pieces), fill_(pieces.size(), 0) {
  const VoxelSizeNm nm = grid.voxel_size_nm();
  const double unit_nm = std::min({nm.x, nm.y, nm.z});
  deepest_nm_ = kDeepest * static_cast<float>(unit_nm);
  const auto reach = [&](double size_nm) { return std::max<int64_t>(1, std::llround(kBoxReach * unit_nm / size_nm)); };
  const Extent3 margin{reach(nm.x), reach(nm.y), reach(nm.z)};
  const double whole = static_cast<double>(Count({2 * margin.x + 1, 2 * margin.y + 1, 2 * margin.z + 1}));
  const absl::Status done = ParallelFor(CeilDivide(pieces.size(), kPiecesAtOnce), DefaultThreadCount(), [&](int64_t i) {
    const uint32_t first = static_cast<uint32_t>(i) * kPiecesAtOnce;
    for (uint32_t piece = first; piece < std::min(first + kPiecesAtOnce, pieces.size()); ++piece) {
      if (pieces.depth_nm(piece) < 2 * deepest_nm_) {
        const Box box = Grow(BoxAt(pieces.Centre(piece), {1, 1, 1}), margin);
        fill_[piece] = static_cast<float>(static_cast<double>(CountIn(grid, Intersect(box, grid.box()))) / whole);
      }
    }
    return absl::OkStatus();
  });
  assert(done.ok());
}

}  // namespace cleave::cut
