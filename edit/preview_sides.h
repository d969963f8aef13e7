// Where the sides of a previewed split lie, as voxels.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

#include "base/array.h"
#include "base/geometry.h"
#include "edit/plan.h"
#include "edit/requests.h"
#include "graph/dataset.h"

namespace cleave::edit {

inline constexpr uint8_t kNoSide = 0;
inline constexpr uint8_t kSourceSide = 1;
inline constexpr uint8_t kSinkSide = 2;

// How many voxels of a chunk are given to each side by a voxel cut.
struct ChunkSides {
  ChunkPoint chunk;
  std::vector<int64_t> voxels;  // of the sources' side, the sinks', and further ones
};

// By chunk, ascending; only chunks in which a supervoxel is cut.
[[nodiscard]] std::vector<ChunkSides> SidesByChunk(const graph::IdLayout& layout,
                                                   const std::vector<Fragment>& fragments, int side_count);

// The side of each voxel of `box` after `plan`: of supervoxels that hang together with a side's points in the region
// that was cut (the first of `components`, as in EditReport), else kNoSide. Shape (x, y, z), x fastest. OUT_OF_RANGE
// when the box leaves the volume.
[[nodiscard]] absl::StatusOr<Array3<uint8_t>> SidesInBox(graph::Dataset& dataset, const Plan& plan, int side_count,
                                                         const std::vector<std::vector<graph::NodeId>>& components,
                                                         const Box& box);

}  // namespace cleave::edit
