// Where nodes are, in nanometres.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

#include "base/geometry.h"
#include "graph/graph_view.h"
#include "graph/ids.h"

namespace cleave::volume {
class Volume;
}

namespace cleave::graph {

// A place in nm: the voxel (x, y, z) of scale 0 has its middle at ((x + 0.5) * size, ...).
struct PointNm {
  double x = 0;
  double y = 0;
  double z = 0;
  friend bool operator==(const PointNm&, const PointNm&) = default;
};
[[nodiscard]] PointNm MiddleOf(VoxelPoint voxel, const VoxelSizeNm& size);

// The middle of the chunk (clipped to the volume) that each node's id names: rough, and read from nowhere.
// INVALID_ARGUMENT for an id that names no chunk.
[[nodiscard]] absl::StatusOr<std::vector<PointNm>> ChunkMiddles(const IdLayout& layout, const VoxelSizeNm& size,
                                                                std::span<const NodeId> nodes);

struct NodePoint {
  PointNm point;
  // The voxel whose middle `point` is; nullopt where the segmentation holds none of the node, and `point` is the middle
  // of its chunk.
  std::optional<VoxelPoint> voxel;
};

// One voxel of each node: of a supervoxel, its voxel nearest to the middle of all its voxels; of an L2 node, the same
// over all its supervoxels; of a higher node, that of the L2 node of its first supervoxel (graph/descend.h). Of several
// at one distance, the first in the order of the array. `segmentation` is of the view's time. Each chunk is read once,
// several at a time. NOT_FOUND for a node that does not exist.
[[nodiscard]] absl::StatusOr<std::vector<NodePoint>> NodePoints(const GraphView& view,
                                                                const volume::Volume& segmentation,
                                                                const VoxelSizeNm& size, std::span<const NodeId> nodes);

}  // namespace cleave::graph
