// An object whose sides are known in part.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"

#include "base/array.h"
#include "base/geometry.h"

namespace cleave::cut {

// The side, 1, 2, ..., of every voxel of `mask` (not 0 in the object), and 0 elsewhere; both arrays of one extent. What
// is known (not 0 in `known`) keeps its side; what is known outside of the object is left out. Every other voxel goes
// to the side from which the fewest steps to one of 26 neighbours lead to it inside the object, parts of the object
// that none leads to as a whole to the nearest side. Errors: INVALID_ARGUMENT when no voxel of the object is known.
[[nodiscard]] absl::StatusOr<Array3<uint8_t>> ExtendSides(ArrayView3<const uint8_t> mask, VoxelSizeNm voxel_size_nm,
                                                          ArrayView3<const uint8_t> known);

}  // namespace cleave::cut
