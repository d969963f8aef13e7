// Meshes in Draco's encoding (Google's library of that name), as Neuroglancer's and CloudVolume's graphene sources want
// them: positions alone, in nanometres of the whole volume, each position once.
#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "base/geometry.h"
#include "mesh/marching_cubes.h"

namespace cleave::mesh {

// Positions are kept on a lattice of half the smallest side of a voxel that begins at the origin of the volume, so that
// the same point gets the same position in every mesh; where voxels are whole multiples of their smallest side, as
// 8 x 8 x 40 nm, positions are exact. INVALID_ARGUMENT for a mesh without triangles; INTERNAL with Draco's words.
[[nodiscard]] absl::StatusOr<std::string> EncodeDraco(const Mesh& mesh, VoxelSizeNm voxel_size_nm);

}  // namespace cleave::mesh
