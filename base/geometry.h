// Points, extents and boxes of a volume. Everything is in (x, y, z) order.
//
// Two lattices occur and never mix, so each has a type of its own: voxels of scale 0 (`VoxelPoint`) and chunks of
// the graph or of a storage grid (`ChunkPoint`). `Extent3` counts elements along each axis.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <ostream>
#include <string>
#include <utility>

namespace cleave {

// Three signed integers named x, y, z. `Tag` keeps lattices apart. A plain value: copy it.
template <typename Tag>
struct Vector3 {
  int64_t x = 0;
  int64_t y = 0;
  int64_t z = 0;

  friend constexpr auto operator<=>(const Vector3&, const Vector3&) = default;
  friend constexpr Vector3 operator+(Vector3 a, Vector3 b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
  friend constexpr Vector3 operator-(Vector3 a, Vector3 b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
  // REQUIRES: 0 <= axis < 3.
  [[nodiscard]] constexpr int64_t operator[](int axis) const { return axis == 0 ? x : axis == 1 ? y : z; }
  [[nodiscard]] constexpr int64_t& operator[](int axis) { return axis == 0 ? x : axis == 1 ? y : z; }

  template <typename H>
  friend H AbslHashValue(H state, const Vector3& v) {
    return H::combine(std::move(state), v.x, v.y, v.z);
  }
  // Prints "x,y,z", the form the command line takes.
  friend std::ostream& operator<<(std::ostream& stream, const Vector3& v) {
    return stream << v.x << ',' << v.y << ',' << v.z;
  }
};

using VoxelPoint = Vector3<struct VoxelTag>;  // a voxel of scale 0, or an index into an array of voxels
using ChunkPoint = Vector3<struct ChunkTag>;  // a cell of a chunk lattice
using Extent3 = Vector3<struct ExtentTag>;    // a count of elements along each axis

// The size of one voxel in nanometres.
struct VoxelSizeNm {
  double x = 1;
  double y = 1;
  double z = 1;
  friend constexpr bool operator==(const VoxelSizeNm&, const VoxelSizeNm&) = default;
};

// The number of elements in an array of this extent.
[[nodiscard]] constexpr int64_t Count(Extent3 extent) { return extent.x * extent.y * extent.z; }

[[nodiscard]] constexpr VoxelPoint operator+(VoxelPoint p, Extent3 e) { return {p.x + e.x, p.y + e.y, p.z + e.z}; }
[[nodiscard]] constexpr VoxelPoint operator-(VoxelPoint p, Extent3 e) { return {p.x - e.x, p.y - e.y, p.z - e.z}; }

// Half-open: `lo` is inside, `hi` is not. Empty when hi <= lo on any axis.
struct Box {
  VoxelPoint lo;
  VoxelPoint hi;

  friend constexpr bool operator==(const Box&, const Box&) = default;
  [[nodiscard]] constexpr Extent3 extent() const { return {hi.x - lo.x, hi.y - lo.y, hi.z - lo.z}; }
  [[nodiscard]] constexpr bool empty() const { return hi.x <= lo.x || hi.y <= lo.y || hi.z <= lo.z; }
  [[nodiscard]] constexpr bool Contains(VoxelPoint p) const {
    return p.x >= lo.x && p.x < hi.x && p.y >= lo.y && p.y < hi.y && p.z >= lo.z && p.z < hi.z;
  }
  [[nodiscard]] constexpr bool Contains(const Box& other) const {
    return other.lo.x >= lo.x && other.lo.y >= lo.y && other.lo.z >= lo.z && other.hi.x <= hi.x && other.hi.y <= hi.y &&
           other.hi.z <= hi.z;
  }
  friend std::ostream& operator<<(std::ostream& stream, const Box& b) {
    return stream << '[' << b.lo << ")-[" << b.hi << ')';
  }
};

[[nodiscard]] constexpr Box BoxAt(VoxelPoint lo, Extent3 extent) { return {lo, lo + extent}; }

[[nodiscard]] constexpr Box Intersect(const Box& a, const Box& b) {
  return {{std::max(a.lo.x, b.lo.x), std::max(a.lo.y, b.lo.y), std::max(a.lo.z, b.lo.z)},
          {std::min(a.hi.x, b.hi.x), std::min(a.hi.y, b.hi.y), std::min(a.hi.z, b.hi.z)}};
}

// The smallest box that holds both. An empty box counts like any other.
[[nodiscard]] constexpr Box Envelope(const Box& a, const Box& b) {
  return {{std::min(a.lo.x, b.lo.x), std::min(a.lo.y, b.lo.y), std::min(a.lo.z, b.lo.z)},
          {std::max(a.hi.x, b.hi.x), std::max(a.hi.y, b.hi.y), std::max(a.hi.z, b.hi.z)}};
}

[[nodiscard]] constexpr Box Grow(const Box& b, Extent3 margin) { return {b.lo - margin, b.hi + margin}; }

// Division that rounds towards minus infinity. REQUIRES: divisor > 0.
[[nodiscard]] constexpr int64_t FloorDivide(int64_t value, int64_t divisor) {
  return value >= 0 ? value / divisor : -((-value + divisor - 1) / divisor);
}

// Division that rounds up. REQUIRES: divisor > 0.
[[nodiscard]] constexpr int64_t CeilDivide(int64_t value, int64_t divisor) { return -FloorDivide(-value, divisor); }

[[nodiscard]] std::string ToString(VoxelPoint point);
[[nodiscard]] std::string ToString(ChunkPoint point);
[[nodiscard]] std::string ToString(Extent3 extent);
[[nodiscard]] std::string ToString(const Box& box);

}  // namespace cleave
