// What clients put into queries and bodies, read strictly: anything malformed is INVALID_ARGUMENT that says what it is.
//
// Bodies are read by content, whatever Content-Type says. A body is refused before it is built when its JSON is nested
// deeper than any request's, and lists are refused when they are longer than the limits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "base/geometry.h"
#include "graph/ids.h"
#include "server/http_message.h"
#include "server/request_limits.h"

namespace cleave::server {

// A marked point of an edit.
struct MarkedPoint {
  std::optional<graph::NodeId> node;  // what the client believes to be there; nullopt: it does not say
  VoxelPoint voxel;                   // of scale 0
};
struct MarkedSides {
  std::vector<MarkedPoint> sources;
  std::vector<MarkedPoint> sinks;
  std::vector<std::vector<MarkedPoint>> more;  // of a split: its third side and further ones
};

// A time in seconds since 1970, to the microsecond; nullopt without one.
[[nodiscard]] absl::StatusOr<std::optional<absl::Time>> TimeOf(const Request& request, const std::string& name);
// ?timestamp; InfiniteFuture() without one.
[[nodiscard]] absl::StatusOr<absl::Time> TimestampOf(const Request& request);
// "1763.25", or RFC 3339.
[[nodiscard]] absl::StatusOr<absl::Time> ParseMoment(absl::string_view text);
// ?stop_layer, or `otherwise`. INVALID_ARGUMENT outside of [1, layer_count].
[[nodiscard]] absl::StatusOr<int> StopLayerOf(const Request& request, int otherwise, int layer_count);
// ?chebyshev_distance: how many chunks the points of a merge may lie apart on any axis; 3, as the field has it.
[[nodiscard]] absl::StatusOr<int64_t> ChebyshevDistanceOf(const Request& request);
// ?bounds, "x0-x1_y0-y1_z0-z1" in voxels of scale 0. INVALID_ARGUMENT for a box without voxels.
[[nodiscard]] absl::StatusOr<std::optional<Box>> BoundsOf(const Request& request);
// A boolean of the query in any spelling clients use; what cannot be parsed counts as `otherwise`.
[[nodiscard]] bool FlagOf(const Request& request, const std::string& name, bool otherwise);

[[nodiscard]] absl::StatusOr<graph::NodeId> ParseNodeId(absl::string_view text);
// {"MEMBER": [...]}, numbers or decimal strings; with ?is_binary, a bare run of little-endian uint64.
[[nodiscard]] absl::StatusOr<std::vector<graph::NodeId>> IdsOf(const Request& request, const std::string& member,
                                                               const RequestLimits& limits);
[[nodiscard]] absl::StatusOr<std::vector<graph::NodeId>> BinaryIdsOf(const Request& request,
                                                                     const RequestLimits& limits);
// {"operation_id": 7}.
[[nodiscard]] absl::StatusOr<graph::OperationId> OperationOf(const Request& request);
// {"voxels": true} in the same body: whether an undo gives voxels their old ids back, too.
[[nodiscard]] absl::StatusOr<bool> VoxelsWished(const Request& request);
// {"preview_token": TEXT}.
[[nodiscard]] absl::StatusOr<std::string> PreviewTokenOf(const Request& request);
// {"items": [{ROUTE: BODY}, ...], "whole": false}, ROUTE being merge, split, undo or redo; bodies as JSON text, unread.
// At least one item, and at most kBatchItemsMax.
inline constexpr size_t kBatchItemsMax = 1'000;
struct BatchBody {
  struct Item {
    std::string route;
    std::string body;
  };
  std::vector<Item> items;
  bool whole = false;
};
[[nodiscard]] absl::StatusOr<BatchBody> BatchBodyOf(const Request& request);
// {"MEMBER": TEXT, ...}.
[[nodiscard]] absl::StatusOr<std::string> TextOf(const Request& request, const std::string& member);
// A JSON list in the query, [1, 2]; empty without one.
[[nodiscard]] absl::StatusOr<std::vector<graph::OperationId>> OperationsOf(const Request& request,
                                                                           const std::string& name,
                                                                           const RequestLimits& limits);

// [[id, x, y, z], ...], in nm.
[[nodiscard]] absl::StatusOr<std::vector<MarkedPoint>> PointsOf(const Request& request, VoxelSizeNm voxel_size_nm,
                                                                const RequestLimits& limits);
// The two points of a merge or a path, as one source and one sink.
[[nodiscard]] absl::StatusOr<MarkedSides> TwoPointsOf(const Request& request, VoxelSizeNm voxel_size_nm,
                                                      const RequestLimits& limits);
// {"sources": [[id, x, y, z], ...], "sinks": [...]}, in nm.
[[nodiscard]] absl::StatusOr<MarkedSides> SplitPointsOf(const Request& request, VoxelSizeNm voxel_size_nm,
                                                        const RequestLimits& limits);

}  // namespace cleave::server
