// The coarser scales of a volume: which there are, and which voxels of the scale below make one voxel of each.
#pragma once

#include <vector>

#include "base/geometry.h"
#include "volume/info.h"

namespace cleave::volume {

// How many voxels of a scale make one of the next along each axis: 1 or 2. The axes of the finest resolution are
// halved, and those whose voxels are less than sqrt(2) times as long: voxels become as near to cubes as halving makes
// them, and stay so. 8 x 8 x 40 nm goes to 16 x 16 x 40, 32 x 32 x 40, then 64 x 64 x 80.
[[nodiscard]] Extent3 NextScaleFactor(const VoxelSizeNm& resolution);

// The scale made of `finer` by `factor`. Each of its voxels covers whole voxels of the lattice that begins at voxel
// zero, as Neuroglancer places scales; so at the border of a volume a voxel may cover less than `factor`.
[[nodiscard]] Scale CoarserScale(const Scale& finer, Extent3 factor);

// How many scales a volume has, the finest among them.
struct ScaleCount {
  int value = 0;  // 0: up to the first scale that fits in one chunk along every axis
};
// `finest` and its coarser scales.
[[nodiscard]] std::vector<Scale> ScalePyramid(const Scale& finest, ScaleCount count = {});

}  // namespace cleave::volume
