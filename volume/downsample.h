// Labels of a scale from those of the scale below: of the voxels that one coarser voxel covers, the most frequent
// label.
//
//   const Box coarse = CoarserBox(fine, {2, 2, 1});
//   Array3<uint64_t> out(coarse.extent());
//   DownsampleLabels(labels.view(), fine.lo, {2, 2, 1}, out.view());
//
// Ties are decided as the field's programs do (tinybrain's mode pooling), so that both give the same volume:
//   eight voxels   the most frequent label; of several, the one that comes first, x fastest
//   four voxels    a, b, c, d, x fastest: a where it equals b or c; else b where it equals c; else d
//   two voxels     the first
// At the border of a volume a coarser voxel may cover less than that; then the voxels that are there stand for their
// neighbours that are not, along each axis.
#pragma once

#include <cstdint>

#include "base/array.h"
#include "base/geometry.h"

namespace cleave::volume {

// The voxels of the coarser scale that share a voxel with `fine`. Coarser voxel p covers [p * factor, (p + 1) *
// factor).
[[nodiscard]] Box CoarserBox(const Box& fine, Extent3 factor);
// The voxels that those of `coarse` cover.
[[nodiscard]] Box FinerBox(const Box& coarse, Extent3 factor);

// Writes every element of `coarse`, whose extent is that of CoarserBox(BoxAt(fine_lo, fine.extent()), factor). What
// lies outside of `fine` counts as outside of the volume. `factor` is 1 or 2 along each axis. One pass over the voxels,
// no memory of its own. The views may have any strides for y and z; they must not overlap.
void DownsampleLabels(ArrayView3<const uint64_t> fine, VoxelPoint fine_lo, Extent3 factor, ArrayView3<uint64_t> coarse);

}  // namespace cleave::volume
