// The voxels of an object as a grid with a rim: the working space of the voxel cut.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

#include "base/array.h"
#include "base/geometry.h"

namespace cleave::cut {

// `size` elements that start as zero and take memory only where they are touched (whole pages of background never are).
template <typename T>
class LazyArray {
 public:
  explicit LazyArray(uint64_t size) : elements_(static_cast<T*>(std::calloc(size, sizeof(T)))) {}
  [[nodiscard]] T& operator[](uint64_t i) { return elements_.get()[i]; }
  [[nodiscard]] const T& operator[](uint64_t i) const { return elements_.get()[i]; }
  [[nodiscard]] bool IsAllocated() const { return elements_ != nullptr; }

 private:
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  std::unique_ptr<T[], Free> elements_;
};

// The bounding box of an object's voxels with a rim of one background voxel all around, so that each of the 26
// neighbours of a voxel is found by adding a constant to its index. Voxels are named by that index (x fastest).
class MaskGrid {
 public:
  struct Step {
    int64_t offset;    // to add to an index
    double length_nm;  // between the two centres
  };

  // A run of set voxels along x, in indices of the mask.
  struct Run {
    int32_t begin;
    int32_t end;
    int32_t y;
    int32_t z;
  };

  // Errors: INVALID_ARGUMENT when no voxel is set, or the box has 2^32 voxels or more. Borrows `mask`.
  [[nodiscard]] static absl::StatusOr<MaskGrid> Make(ArrayView3<const uint8_t> mask, VoxelSizeNm voxel_size_nm);

  [[nodiscard]] ArrayView3<const uint8_t> mask() const { return mask_; }
  [[nodiscard]] VoxelSizeNm voxel_size_nm() const { return voxel_size_nm_; }
  // The tight box around the voxels that are set, in indices of the mask.
  [[nodiscard]] const Box& box() const { return box_; }
  [[nodiscard]] int64_t voxel_count() const { return voxel_count_; }
  // Number of indices, the rim among them.
  [[nodiscard]] uint64_t size() const { return size_; }
  [[nodiscard]] int64_t y_stride() const { return y_stride_; }
  [[nodiscard]] int64_t z_stride() const { return z_stride_; }
  // The 26 neighbours; the first 13 come before a voxel in memory order.
  [[nodiscard]] const std::array<Step, 26>& steps() const { return steps_; }

  // The area of surface, in units of the largest, that passes between a voxel and each neighbour: such that the sum
  // over the neighbours a surface parts is about its area (Y. Boykov, V. Kolmogorov: Computing geodesics and minimal
  // surfaces via graph cuts, 2003, with weights simplified to 1 / (length * moved axes ^ 2)).
  [[nodiscard]] std::array<double, 26> StepAreas() const;

  // REQUIRES: p lies in the box grown by one.
  [[nodiscard]] uint32_t Index(VoxelPoint p) const {
    return static_cast<uint32_t>((p.x - box_.lo.x + 1) + (p.y - box_.lo.y + 1) * y_stride_ +
                                 (p.z - box_.lo.z + 1) * z_stride_);
  }
  [[nodiscard]] VoxelPoint Point(uint32_t index) const {
    return {index % y_stride_ - 1 + box_.lo.x, index / y_stride_ % (z_stride_ / y_stride_) - 1 + box_.lo.y,
            index / z_stride_ - 1 + box_.lo.z};
  }

  // Calls function(x_begin, x_end, y, z) for every run of set voxels along x, in memory order.
  template <typename Function>
  void ForEachRun(Function function) const {
    for (const Run& run : runs_) {
      function(int64_t{run.begin}, int64_t{run.end}, int64_t{run.y}, int64_t{run.z});
    }
  }
  // The runs of one slice, in memory order. REQUIRES: z lies in the box.
  [[nodiscard]] std::span<const Run> RunsOfSlice(int64_t z) const {
    const size_t slice = static_cast<size_t>(z - box_.lo.z);
    return {runs_.data() + slice_[slice], runs_.data() + slice_[slice + 1]};
  }

 private:
  MaskGrid(ArrayView3<const uint8_t> mask, VoxelSizeNm voxel_size_nm, std::vector<Run> runs);

  ArrayView3<const uint8_t> mask_;
  VoxelSizeNm voxel_size_nm_;
  std::vector<Run> runs_;      // all of the object; the mask is read once
  std::vector<size_t> slice_;  // where the runs of each slice of the box begin, and the end
  int64_t voxel_count_ = 0;
  Box box_;
  int64_t y_stride_;
  int64_t z_stride_;
  uint64_t size_;
  std::array<Step, 26> steps_;
};

}  // namespace cleave::cut
