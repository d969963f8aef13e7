#include "cut/mask_grid.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cleave::cut {
namespace {

// The first set element of row[x .. length), eight at a time; length when there is none.
int64_t FindSet(const uint8_t* row, int64_t x, int64_t length) {
  for (; x + 8 <= length; x += 8) {
    uint64_t word = 0;
    std::memcpy(&word, row + x, 8);
    if (word != 0) {
      break;
    }
  }
  while (x < length && row[x] == 0) {
    ++x;
  }
  return x;
}

std::vector<MaskGrid::Run> FindRuns(ArrayView3<const uint8_t> mask) {
  const Extent3 extent = mask.extent();
  std::vector<MaskGrid::Run> runs;
  for (int64_t z = 0; z < extent.z; ++z) {
    for (int64_t y = 0; y < extent.y; ++y) {
      const uint8_t* row = mask.Row(y, z);
      for (int64_t x = FindSet(row, 0, extent.x); x < extent.x;) {
        const void* after = std::memchr(row + x, 0, static_cast<size_t>(extent.x - x));
        const int64_t end = after == nullptr ? extent.x : static_cast<const uint8_t*>(after) - row;
        runs.push_back(
            {static_cast<int32_t>(x), static_cast<int32_t>(end), static_cast<int32_t>(y), static_cast<int32_t>(z)});
        x = FindSet(row, end, extent.x);
      }
    }
  }
  return runs;
}

Box TightBox(std::span<const MaskGrid::Run> runs) {
  Box box = BoxAt({runs.front().begin, runs.front().y, runs.front().z}, {1, 1, 1});
  for (const MaskGrid::Run& run : runs) {
    box = Envelope(box, {{run.begin, run.y, run.z}, {run.end, run.y + 1, run.z + 1}});
  }
  return box;
}

}  // namespace

MaskGrid::MaskGrid(ArrayView3<const uint8_t> mask, VoxelSizeNm voxel_size_nm, std::vector<Run> runs)
    : mask_(mask),
      voxel_size_nm_(voxel_size_nm),
      runs_(std::move(runs)),
      box_(TightBox(runs_)),
      y_stride_(box_.extent().x + 2),
      z_stride_(y_stride_ * (box_.extent().y + 2)),
      size_(static_cast<uint64_t>(z_stride_ * (box_.extent().z + 2))) {
  slice_.push_back(0);
  for (size_t run = 0; run < runs_.size(); ++run) {
    voxel_count_ += runs_[run].end - runs_[run].begin;
    while (box_.lo.z + std::ssize(slice_) <= runs_[run].z) {
      slice_.push_back(run);
    }
  }
  slice_.push_back(runs_.size());
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
  const Extent3 extent = mask.extent();
  if (std::max({extent.x, extent.y, extent.z}) > std::numeric_limits<int32_t>::max()) {
    return absl::InvalidArgumentError(absl::StrCat("the mask has ", ToString(extent), " voxels; less than 2^31 fit"));
  }
  std::vector<Run> runs = FindRuns(mask);
  if (runs.empty()) {
    return absl::InvalidArgumentError("the mask is empty: there is nothing to cut");
  }
  MaskGrid grid(mask, voxel_size_nm, std::move(runs));
  if (grid.size() > std::numeric_limits<uint32_t>::max()) {
    return absl::InvalidArgumentError(absl::StrCat("the object fills a box of ", ToString(grid.box().extent()),
                                                   " voxels; fewer than 2^32 can be cut at once"));
  }
  return grid;
}

}  // namespace cleave::cut
