// Where a node is near a point. Viewers mark points on the surface of a mesh, which may lie just outside of the voxels
// that it was made from.
#pragma once

#include <optional>

#include "absl/status/statusor.h"

#include "base/geometry.h"
#include "graph/graph_view.h"
#include "graph/ids.h"

namespace cleave::volume {
class Volume;
}

namespace cleave::graph {

// How far from a marked point its node is looked for, in mean voxel sizes: the rule of PyChunkedGraph.
inline constexpr double kSurfaceReachVoxels = 28;

// The voxel of `node` nearest to `point`, measured in nm between the middles of voxels: the first of several in the
// order of the array. Nothing when there is none within kSurfaceReachVoxels. `view` decides which supervoxels are the
// node's; `point` may lie outside of the volume. Boxes of growing size are read, each once.
[[nodiscard]] absl::StatusOr<std::optional<VoxelPoint>> NearestVoxel(const GraphView& view,
                                                                     const volume::Volume& segmentation,
                                                                     const VoxelSizeNm& size, NodeId node,
                                                                     VoxelPoint point);

}  // namespace cleave::graph
