// How a cube of eight voxels is cut, without a printed table:
//
//   1. Corner i of a cube has x = bit 0, y = bit 1, z = bit 2 of i. A configuration is the set of corners inside.
//   2. Each face lists its corners counter-clockwise, seen from outside the cube. Going round, every run of inside
//   corners
//      is entered over one edge of the cube and left over another; the surface crosses the face from the edge where the
//      run is left to the edge where it was entered. Two opposite inside corners are two runs: they stay apart.
//   3. An edge of the cube belongs to two faces, which go along it in opposite directions: it is left in one and
//   entered
//      in the other. So the crossings of all faces chain into closed loops.
//   4. Each loop is a polygon of the surface, cut into a fan of triangles.
//
// Both cubes at a face cross it alike, since step 2 looks at the face's corners only; so the whole surface is closed.
#include "mesh/marching_cubes.h"

#include <algorithm>
#include <cassert>
#include <limits>

namespace cleave::mesh {
namespace {

constexpr int kConfigurations = 256;
constexpr int kEdges = 12;

// An edge of the cube: its lower corner and the axis it runs along.
struct CubeEdge {
  int corner;
  int axis;
};

constexpr std::array<CubeEdge, kEdges> kCubeEdges = {
    {{0, 0}, {2, 0}, {4, 0}, {6, 0}, {0, 1}, {1, 1}, {4, 1}, {5, 1}, {0, 2}, {1, 2}, {2, 2}, {3, 2}}};

// Corners of each face, counter-clockwise seen from outside.
constexpr std::array<std::array<int, 4>, 6> kFaces = {
    {{0, 4, 6, 2}, {1, 3, 7, 5}, {0, 1, 5, 4}, {2, 6, 7, 3}, {0, 2, 3, 1}, {4, 5, 7, 6}}};

constexpr int EdgeBetween(int a, int b) {
  for (int edge = 0; edge < kEdges; ++edge) {
    const int other = kCubeEdges[edge].corner | 1 << kCubeEdges[edge].axis;
    if (kCubeEdges[edge].corner == std::min(a, b) && other == std::max(a, b)) {
      return edge;
    }
  }
  return -1;
}

// The triangles of one configuration as edges of the cube, three by three.
std::vector<std::array<int, 3>> TrianglesOf(int inside) {
  std::array<int, kEdges> next;
  next.fill(-1);
  const auto is_inside = [inside](int corner) { return (inside >> corner & 1) != 0; };
  for (const auto& face : kFaces) {
    for (int k = 0; k < 4; ++k) {
      if (is_inside(face[k]) || !is_inside(face[(k + 1) % 4])) {
        continue;
      }
      int last = (k + 1) % 4;  // of the run that begins here
      while (is_inside(face[(last + 1) % 4])) {
        last = (last + 1) % 4;
      }
      next[EdgeBetween(face[last], face[(last + 1) % 4])] = EdgeBetween(face[k], face[(k + 1) % 4]);
    }
  }
  std::vector<std::array<int, 3>> triangles;
  std::array<bool, kEdges> seen{};
  for (int first = 0; first < kEdges; ++first) {
    if (next[first] < 0 || seen[first]) {
      continue;
    }
    seen[first] = true;
    for (int a = next[first]; next[a] != first && a != first; a = next[a]) {
      seen[a] = true;
      seen[next[a]] = true;
      triangles.push_back({first, next[a], a});  // against the loop: counter-clockwise from outside
    }
  }
  return triangles;
}

const std::array<std::vector<std::array<int, 3>>, kConfigurations>& Table() {
  static const auto table = [] {
    std::array<std::vector<std::array<int, 3>>, kConfigurations> all;
    for (int inside = 0; inside < kConfigurations; ++inside) {
      all[inside] = TrianglesOf(inside);
    }
    return all;
  }();
  return table;
}

// Vertices on the edges that begin in one plane of cubes' lower corners: index + 1 by corner and axis, 0 where none is.
using Plane = std::vector<std::array<uint32_t, 3>>;

class Marcher {
 public:
  Marcher(ArrayView3<const uint8_t> mask, VoxelPoint origin, VoxelSizeNm size)
      : mask_(mask), origin_(origin), size_{size.x, size.y, size.z} {}

  Mesh Run() {
    const Extent3 extent = mask_.extent();
    stride_ = extent.x + 2;  // corners run from -1 to extent
    const size_t plane_size = static_cast<size_t>(stride_ * (extent.y + 2));
    planes_[0].assign(plane_size, {});
    planes_[1].assign(plane_size, {});
    for (int64_t z = -1; z < extent.z; ++z) {
      for (int64_t y = -1; y < extent.y; ++y) {
        MarchRow(y, z);
      }
      std::swap(planes_[0], planes_[1]);
      std::ranges::fill(planes_[1], std::array<uint32_t, 3>{});
    }
    return std::move(mesh_);
  }

 private:
  // Whether a voxel, perhaps beyond the array, is inside.
  bool At(int64_t x, int64_t y, int64_t z) const {
    const Extent3 extent = mask_.extent();
    return x >= 0 && y >= 0 && z >= 0 && x < extent.x && y < extent.y && z < extent.z && mask_.Row(y, z)[x] != 0;
  }

  void MarchRow(int64_t y, int64_t z) {
    // Corners with even numbers are the odd ones of the cube before.
    int previous = 0;
    for (int64_t x = -1; x < mask_.extent().x; ++x) {
      int inside = previous >> 1 & 0x55;
      for (int corner = 1; corner < 8; corner += 2) {
        inside |= At(x + 1, y + (corner >> 1 & 1), z + (corner >> 2)) ? 1 << corner : 0;
      }
      previous = inside;
      if (inside != 0 && inside != kConfigurations - 1) {
        for (const auto& [a, b, c] : Table()[inside]) {
          mesh_.triangles.push_back({VertexOn(a, {x, y, z}), VertexOn(b, {x, y, z}), VertexOn(c, {x, y, z})});
        }
      }
    }
  }

  uint32_t VertexOn(int edge, VoxelPoint cube) {
    const auto [corner, axis] = kCubeEdges[edge];
    const VoxelPoint at = cube + VoxelPoint{corner & 1, corner >> 1 & 1, corner >> 2};
    uint32_t& slot = planes_[at.z - cube.z][static_cast<size_t>((at.y + 1) * stride_ + at.x + 1)][axis];
    if (slot == 0) {
      std::array<float, 3> position{};
      for (int i = 0; i < 3; ++i) {
        position[i] =
            static_cast<float>((static_cast<double>(origin_[i] + at[i]) + 0.5 + (i == axis ? 0.5 : 0)) * size_[i]);
      }
      assert(mesh_.vertices_nm.size() < std::numeric_limits<uint32_t>::max() - 1);
      mesh_.vertices_nm.push_back(position);
      slot = static_cast<uint32_t>(mesh_.vertices_nm.size());
    }
    return slot - 1;
  }

  ArrayView3<const uint8_t> mask_;
  VoxelPoint origin_;
  std::array<double, 3> size_;
  int64_t stride_ = 0;
  std::array<Plane, 2> planes_;
  Mesh mesh_;
};

}  // namespace

Mesh MarchingCubes(ArrayView3<const uint8_t> mask, VoxelPoint origin, VoxelSizeNm voxel_size_nm) {
  return Marcher(mask, origin, voxel_size_nm).Run();
}

}  // namespace cleave::mesh
