// Cuts one object in voxels: given the voxels of an object and groups of points, each voxel gets a side.
//
// The contract (source: the project's design, and weak points 1 to 5 and 28 of the system this one succeeds):
//   - every voxel of the mask gets exactly one side, every other voxel gets 0;
//   - side g holds all seeds of group g and is one 26-connected piece;
//   - voxels of the mask that no seed can reach go, each piece as a whole, to the side they lie nearest to (right to
//   about eight voxels), which stays one connected piece
//     only where that is possible: see VoxelCut::unreached;
//   - distances are nanometres, whatever the voxel's shape.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

#include "base/array.h"
#include "base/geometry.h"

namespace cleave::cut {

struct VoxelCutRequest {
  // Nonzero where the object is. Shape (x, y, z), x fastest. Borrowed for the call.
  ArrayView3<const uint8_t> mask;
  VoxelSizeNm voxel_size_nm;
  // Two to 200 groups of points, as indices into `mask`. A point off the mask is moved to the nearest voxel of the mask
  // (exactly nearest, in nm; ties to the smaller z, then y, then x). Borrowed for the call.
  std::span<const std::vector<VoxelPoint>> groups;
  // An object of more voxels than this is thought of in cells of several voxels, except near the cut: fewer cells are
  // faster, more are finer. REQUIRES: at least 1.
  int64_t most_cells = 20000;
};

struct VoxelCut {
  // The side of each voxel: 0 outside the mask, else 1 + index of its group. Same extent as the mask.
  Array3<uint8_t> side;
  // The seeds as used, after moving to the mask; same shape as the request's groups.
  std::vector<std::vector<VoxelPoint>> seeds;
  // How many voxels of the mask no seed could reach through the mask (islands).
  int64_t unreached = 0;
};

// Errors: INVALID_ARGUMENT when the mask is empty, there are fewer than two groups, a group is empty, two groups have a
// seed in the same voxel, or the mask's bounding box has 2^32 voxels or more. FAILED_PRECONDITION when the points of
// one group lie in different pieces of the mask, or cannot be joined without passing through another group's; the
// message names the group and a point. Memory: at most ten bytes per voxel of the mask's bounding box, and less
// where background fills whole pages; no copy of the mask. Uses several threads for large objects; deterministic, and
// the same on any number of threads.
[[nodiscard]] absl::StatusOr<VoxelCut> CutVoxels(const VoxelCutRequest& request);

}  // namespace cleave::cut
