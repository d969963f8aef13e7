// Which supervoxel a marked point means.
//
// What a client believes to be at a point may be out of date: viewers keep voxels, and in three dimensions they send
// the root and a point on the surface of its mesh. So the voxel at the point decides, whatever supervoxel the client
// names; where it names a node of a higher layer, the voxel of that node nearest to the point does
// (graph/nearest_voxel.h).
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/geometry.h"
#include "graph/ids.h"
#include "server/request_values.h"
#include "server/service.h"

namespace cleave::server {

// The voxel that each point means, at a time: InfiniteFuture() for now. FAILED_PRECONDITION naming a node that is not
// near its point, NOT_FOUND for one that does not exist.
[[nodiscard]] absl::StatusOr<std::vector<VoxelPoint>> VoxelsAt(Service& service, absl::Time time,
                                                               const std::vector<MarkedPoint>& points);
// The supervoxels there; 0 on background. OUT_OF_RANGE names a point outside of the volume.
[[nodiscard]] absl::StatusOr<std::vector<graph::NodeId>> SupervoxelsAt(Service& service, absl::Time time,
                                                                       const std::vector<MarkedPoint>& points);

}  // namespace cleave::server
