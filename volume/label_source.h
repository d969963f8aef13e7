// Where the labels of a new project come from: a NumPy file or an existing precomputed volume, behind one interface.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/array.h"
#include "base/geometry.h"

namespace cleave::volume {

// A box of labels that can be read piece by piece, in any order. Thread-safe.
class LabelSource {
 public:
  virtual ~LabelSource() = default;

  // All voxels of the source; its first voxel is not always zero.
  [[nodiscard]] virtual Box bounds() const = 0;
  // The size of a voxel, where the source knows it (a NumPy file does not).
  [[nodiscard]] virtual std::optional<VoxelSizeNm> voxel_size_nm() const = 0;
  // The labels of `box`. OUT_OF_RANGE unless it lies inside of bounds(); other errors name the object that is damaged.
  [[nodiscard]] virtual absl::StatusOr<Array3<uint64_t>> ReadBox(const Box& box) const = 0;
  // What the source is, for messages and records.
  [[nodiscard]] virtual std::string Describe() const = 0;
};

// Opens "PATH.npy", "PATH.npy.zst" (also as file:// URLs) or the URL of a precomputed volume's folder
// ("file:///data/seg/", "precomputed://file:///data/seg"), of which it reads the finest scale. A NumPy file is read
// into memory whole, in its own type, and starts at voxel 0,0,0; a volume is read chunk by chunk on demand. Unsigned
// labels only reach uint64; a negative label is INVALID_ARGUMENT.
[[nodiscard]] absl::StatusOr<std::unique_ptr<LabelSource>> OpenLabelSource(absl::string_view path_or_url);

// Labels that are in memory already, their first voxel at `voxel_offset`.
[[nodiscard]] std::unique_ptr<LabelSource> MakeArraySource(Array3<uint64_t> labels, VoxelPoint voxel_offset,
                                                           std::optional<VoxelSizeNm> voxel_size_nm);

}  // namespace cleave::volume
