// Connected components of labelled voxels.
#pragma once

#include <cstdint>

#include "base/array.h"

namespace cleave::cut {

// Numbers the 26-connected components of equal nonzero labels: writes 1, 2, ... into `components` (same extent; 0 where
// the label is 0), numbered by first appearance in memory order (x fastest), and returns their count.
// Both views may have any strides; they must not overlap. Two passes over the voxels with a union-find; memory: four
// bytes per run of equal labels along x, plus the runs of two slices. REQUIRES: equal extents, x shorter than 2^31.
template <typename Label>
[[nodiscard]] uint32_t LabelComponents(ArrayView3<const Label> labels, ArrayView3<uint32_t> components);

extern template uint32_t LabelComponents(ArrayView3<const uint8_t>, ArrayView3<uint32_t>);
extern template uint32_t LabelComponents(ArrayView3<const uint32_t>, ArrayView3<uint32_t>);
extern template uint32_t LabelComponents(ArrayView3<const uint64_t>, ArrayView3<uint32_t>);

}  // namespace cleave::cut
