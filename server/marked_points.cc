#include "server/marked_points.h"

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "graph/nearest_voxel.h"

namespace cleave::server {
namespace {

using graph::NodeId;

absl::StatusOr<VoxelPoint> VoxelNear(Service& service, absl::Time time, NodeId node, VoxelPoint point) {
  CLEAVE_RETURN_IF_ERROR(service.dataset.layout().Validate(node));
  CLEAVE_ASSIGN_OR_RETURN(const graph::GraphView view, ViewWith(service, time, node));
  CLEAVE_ASSIGN_OR_RETURN(const auto segmentation, service.past_volumes.At(time));
  CLEAVE_ASSIGN_OR_RETURN(const auto nearest,
                          graph::NearestVoxel(view, *segmentation, service.dataset.meta().voxel_size_nm, node, point));
  if (!nearest.has_value()) {
    return absl::FailedPreconditionError(
        absl::StrCat("node ", Value(node), " is not near the point ", cleave::ToString(point)));
  }
  return *nearest;
}

}  // namespace

absl::StatusOr<std::vector<VoxelPoint>> VoxelsAt(Service& service, absl::Time time,
                                                 const std::vector<MarkedPoint>& points) {
  std::vector<VoxelPoint> voxels;
  for (const MarkedPoint& point : points) {
    VoxelPoint voxel = point.voxel;
    if (point.node.has_value() && service.dataset.layout().LayerOf(*point.node) > graph::kSupervoxelLayer) {
      CLEAVE_ASSIGN_OR_RETURN(voxel, VoxelNear(service, time, *point.node, point.voxel));
    }
    voxels.push_back(voxel);
  }
  return voxels;
}

absl::StatusOr<std::vector<NodeId>> SupervoxelsAt(Service& service, absl::Time time,
                                                  const std::vector<MarkedPoint>& points) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<VoxelPoint> voxels, VoxelsAt(service, time, points));
  CLEAVE_ASSIGN_OR_RETURN(const auto segmentation, service.past_volumes.At(time));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<uint64_t> labels, segmentation->ReadVoxels(volume::kFinestScale, voxels));
  return graph::ToNodeIds(labels);
}

}  // namespace cleave::server
