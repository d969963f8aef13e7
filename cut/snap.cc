// 1. Search boxes around the point that double in size until one holds a voxel of the object, at distance d.
// 2. A nearer voxel may lie outside that box, but not outside the box of half-size d: search that once more.
#include "cut/snap.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

namespace cleave::cut {
namespace {

struct Nearest {
  VoxelPoint point;
  double square_nm = std::numeric_limits<double>::infinity();
};

double Square(double value) { return value * value; }

Nearest SearchBox(const MaskGrid& grid, VoxelPoint point, const Box& box) {
  const VoxelSizeNm size = grid.voxel_size_nm();
  Nearest nearest;
  for (int64_t z = box.lo.z; z < box.hi.z; ++z) {
    const double z_square = Square(static_cast<double>(z - point.z) * size.z);
    for (int64_t y = box.lo.y; y < box.hi.y; ++y) {
      const double zy_square = z_square + Square(static_cast<double>(y - point.y) * size.y);
      if (zy_square >= nearest.square_nm) {
        continue;
      }
      const uint8_t* row = grid.mask().Row(y, z);
      for (int64_t x = box.lo.x; x < box.hi.x; ++x) {
        const double square = zy_square + Square(static_cast<double>(x - point.x) * size.x);
        if (row[x] != 0 && square < nearest.square_nm) {
          nearest = {{x, y, z}, square};
        }
      }
    }
  }
  return nearest;
}

// The part of the object's box that lies within `radius_nm` of the point on every axis.
Box BoxAround(const MaskGrid& grid, VoxelPoint point, double radius_nm) {
  const VoxelSizeNm size = grid.voxel_size_nm();
  const auto voxels = [&](double size_nm) {
    return static_cast<int64_t>(std::min(1e15, std::ceil(radius_nm / size_nm)));
  };
  const Extent3 reach{voxels(size.x), voxels(size.y), voxels(size.z)};
  return Intersect(grid.box(), Grow({point, point + Extent3{1, 1, 1}}, reach));
}

}  // namespace

VoxelPoint SnapToMask(const MaskGrid& grid, VoxelPoint point) {
  if (grid.box().Contains(point) && grid.mask()[point] != 0) {
    return point;
  }
  const VoxelSizeNm size = grid.voxel_size_nm();
  for (double radius_nm = std::max({size.x, size.y, size.z});; radius_nm *= 2) {
    const Box box = BoxAround(grid, point, radius_nm);
    const Nearest hit = SearchBox(grid, point, box);
    if (std::isfinite(hit.square_nm)) {
      return SearchBox(grid, point, BoxAround(grid, point, std::sqrt(hit.square_nm))).point;
    }
    assert(box != grid.box());  // the object has a voxel
  }
}

}  // namespace cleave::cut
