#include "cut/mask_grid.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"

namespace cleave::cut {
namespace {

// First and one past the last set element of a row; begin == end when there is none.
struct Span {
  int64_t begin = 0;
  int64_t end = 0;
};

bool IsZero(const uint8_t* bytes, int64_t count) {
  for (; count >= 8; bytes += 8, count -= 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes, 8);
    if (word != 0) {
      return false;
    }
  }
  return std::all_of(bytes, bytes + count, [](uint8_t byte) { return byte == 0; });
}

Span FindSpan(const uint8_t* row, int64_t length) {
  if (IsZero(row, length)) {
    return {};
  }
  Span span{0, length};
  while (row[span.begin] == 0) {
    ++span.begin;
  }
  while (row[span.end - 1] == 0) {
    --span.end;
  }
  return span;
}

Box TightBox(ArrayView3<const uint8_t> mask) {
  const Extent3 extent = mask.extent();
  Box box{VoxelPoint{} + extent, {}};
  for (int64_t z = 0; z < extent.z; ++z) {
    for (int64_t y = 0; y < extent.y; ++y) {
      const Span span = FindSpan(mask.Row(y, z), extent.x);
      if (span.begin < span.end) {
        box.lo = {std::min(box.lo.x, span.begin), std::min(box.lo.y, y), std::min(box.lo.z, z)};
        box.hi = {std::max(box.hi.x, span.end), std::max(box.hi.y, y + 1), std::max(box.hi.z, z + 1)};
      }
    }
  }
  return box;
}

}  // namespace

MaskGrid::MaskGrid(ArrayView3<const uint8_t> mask, VoxelSizeNm voxel_size_nm, const Box& box)
    : mask_(mask),
      voxel_size_nm_(voxel_size_nm),
      box_(box),
      y_stride_(box.extent().x + 2),
      z_stride_(y_stride_ * (box.extent().y + 2)),
      size_(static_cast<uint64_t>(z_stride_ * (box.extent().z + 2))) {
  size_t i = 0;
  for (int64_t z = -1; z <= 1; ++z) {
    for (int64_t y = -1; y <= 1; ++y) {
      for (int64_t x = -1; x <= 1; ++x) {
        if (x != 0 || y != 0 || z != 0) {
          steps_[i++] = {x + y * y_stride_ + z * z_stride_,
                         std::hypot(static_cast<double>(x) * voxel_size_nm.x, static_cast<double>(y) * voxel_size_nm.y,
                                    static_cast<double>(z) * voxel_size_nm.z)};
        }
      }
    }
  }
}

std::array<double, 26> MaskGrid::StepAreas() const {
  std::array<double, 26> area{};
  for (size_t i = 0; i < area.size(); ++i) {
    const size_t code = i < 13 ? i : i + 1;
    const int moved_axes = (code % 3 != 1) + (code / 3 % 3 != 1) + (code / 9 != 1);
    area[i] = 1 / (steps_[i].length_nm * moved_axes * moved_axes);
  }
  const double largest = *std::max_element(area.begin(), area.end());
  for (double& a : area) {
    a /= largest;
  }
  return area;
}

absl::StatusOr<MaskGrid> MaskGrid::Make(ArrayView3<const uint8_t> mask, VoxelSizeNm voxel_size_nm) {
  const Box box = TightBox(mask);
  if (box.empty()) {
    return absl::InvalidArgumentError("the mask is empty: there is nothing to cut");
  }
  MaskGrid grid(mask, voxel_size_nm, box);
  if (grid.size() > std::numeric_limits<uint32_t>::max()) {
    return absl::InvalidArgumentError(absl::StrCat("the object fills a box of ", ToString(box.extent()),
                                                   " voxels; fewer than 2^32 can be cut at once"));
  }
  return grid;
}

}  // namespace cleave::cut
