// What clients put into queries and bodies, read strictly: anything malformed is INVALID_ARGUMENT that says what it is.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "base/geometry.h"
#include "graph/ids.h"
#include "server/http_message.h"

namespace cleave::server {

// Marked points of an edit, in voxels of scale 0.
struct MarkedSides {
  std::vector<VoxelPoint> sources;
  std::vector<VoxelPoint> sinks;
};

// ?timestamp in seconds since 1970; InfiniteFuture() without one.
[[nodiscard]] absl::StatusOr<absl::Time> TimestampOf(const Request& request);
// ?stop_layer, or `otherwise`.
[[nodiscard]] absl::StatusOr<int> StopLayerOf(const Request& request, int otherwise);
// ?chebyshev_distance: how many chunks the points of a merge may lie apart on any axis; 3, as the field has it.
[[nodiscard]] absl::StatusOr<int64_t> ChebyshevDistanceOf(const Request& request);
// ?bounds, "x0-x1_y0-y1_z0-z1" in voxels of scale 0.
[[nodiscard]] absl::StatusOr<std::optional<Box>> BoundsOf(const Request& request);
// A boolean of the query in any spelling clients use; what cannot be parsed counts as `otherwise`.
[[nodiscard]] bool FlagOf(const Request& request, const std::string& name, bool otherwise);

[[nodiscard]] absl::StatusOr<graph::NodeId> ParseNodeId(absl::string_view text);
// {"node_ids": [...]}, numbers or decimal strings.
[[nodiscard]] absl::StatusOr<std::vector<graph::NodeId>> NodeIdsOf(const Request& request);
// A bare run of little-endian uint64.
[[nodiscard]] absl::StatusOr<std::vector<graph::NodeId>> BinaryNodeIdsOf(const Request& request);

// [[id, x, y, z], [id, x, y, z]], in nm: the two points of a merge, as one source and one sink.
[[nodiscard]] absl::StatusOr<MarkedSides> MergePointsOf(const Request& request, VoxelSizeNm voxel_size_nm);
// {"sources": [[id, x, y, z], ...], "sinks": [...]}, in nm.
[[nodiscard]] absl::StatusOr<MarkedSides> SplitPointsOf(const Request& request, VoxelSizeNm voxel_size_nm);

}  // namespace cleave::server
