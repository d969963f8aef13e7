// The surface of an object as triangles (Lorensen and Cline, "Marching cubes", 1987), for a mask of voxels.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/array.h"
#include "base/geometry.h"

namespace cleave::mesh {

// Vertices in nanometres; triangles as indices, counter-clockwise seen from outside.
struct Mesh {
  std::vector<std::array<float, 3>> vertices_nm;
  std::vector<std::array<uint32_t, 3>> triangles;
};

// Surfaces of the nonzero voxels of `mask`; what lies beyond the array counts as empty, so the surface is closed: every
// edge belongs to as many triangles in one direction as in the other. A vertex stands halfway between a voxel inside
// and one outside. `origin` is the position of voxel 0,0,0 of the array. One pass over the voxels; memory for two
// planes and the result. REQUIRES: fewer than 2^32 vertices.
[[nodiscard]] Mesh MarchingCubes(ArrayView3<const uint8_t> mask, VoxelPoint origin, VoxelSizeNm voxel_size_nm);

}  // namespace cleave::mesh
