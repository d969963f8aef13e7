#include "server/request_values.h"

#include <cmath>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"

#include "base/status.h"

namespace cleave::server {
namespace {

using graph::NodeId;
using nlohmann::json;

absl::StatusOr<json> ParseBody(const Request& request) {
  json body = json::parse(request.body, nullptr, false);
  if (body.is_discarded()) {
    return absl::InvalidArgumentError("the request's body is not JSON");
  }
  return body;
}

absl::StatusOr<NodeId> NodeIdOf(const json& value) {
  if (value.is_number_unsigned()) {
    return NodeId{value.get<uint64_t>()};
  }
  if (value.is_string()) {
    return ParseNodeId(value.get_ref<const std::string&>());
  }
  return absl::InvalidArgumentError(absl::StrCat("not a node id: ", value.dump()));
}

absl::StatusOr<VoxelPoint> PointOf(const json& row, VoxelSizeNm voxel_size_nm) {
  if (!row.is_array() || row.size() != 4 || !row[1].is_number() || !row[2].is_number() || !row[3].is_number()) {
    return absl::InvalidArgumentError(absl::StrCat("a point is [id, x, y, z] with x, y, z in nm, not ", row.dump()));
  }
  const double size[] = {voxel_size_nm.x, voxel_size_nm.y, voxel_size_nm.z};
  VoxelPoint point;
  for (int axis = 0; axis < 3; ++axis) {
    const double voxel = std::floor(row[static_cast<size_t>(axis) + 1].get<double>() / size[axis]);
    if (!(std::abs(voxel) < 1e15)) {
      return absl::InvalidArgumentError(absl::StrCat("a coordinate is out of any volume: ", row.dump()));
    }
    point[axis] = static_cast<int64_t>(voxel);
  }
  return point;
}

absl::StatusOr<std::vector<VoxelPoint>> PointsOf(const json& rows, VoxelSizeNm voxel_size_nm) {
  if (!rows.is_array()) {
    return absl::InvalidArgumentError("points are a list of [id, x, y, z]");
  }
  std::vector<VoxelPoint> points;
  for (const json& row : rows) {
    CLEAVE_ASSIGN_OR_RETURN(const VoxelPoint point, PointOf(row, voxel_size_nm));
    points.push_back(point);
  }
  return points;
}

const std::string* Find(const Request& request, const std::string& name) {
  const auto found = request.query.find(name);
  return found == request.query.end() ? nullptr : &found->second;
}

}  // namespace

absl::StatusOr<absl::Time> TimestampOf(const Request& request) {
  const std::string* text = Find(request, "timestamp");
  if (text == nullptr) {
    return absl::InfiniteFuture();
  }
  double seconds = 0;
  if (!absl::SimpleAtod(*text, &seconds) || !std::isfinite(seconds)) {
    return absl::InvalidArgumentError(absl::StrCat("timestamp is not a number of seconds: ", *text));
  }
  return absl::UnixEpoch() + absl::Seconds(seconds);
}

absl::StatusOr<int> StopLayerOf(const Request& request, int otherwise) {
  const std::string* text = Find(request, "stop_layer");
  int layer = otherwise;
  if (text != nullptr && !absl::SimpleAtoi(*text, &layer)) {
    return absl::InvalidArgumentError(absl::StrCat("stop_layer is not a number: ", *text));
  }
  return layer;
}

absl::StatusOr<int64_t> ChebyshevDistanceOf(const Request& request) {
  const std::string* text = Find(request, "chebyshev_distance");
  int64_t chunks = 3;
  if (text != nullptr && (!absl::SimpleAtoi(*text, &chunks) || chunks < 0)) {
    return absl::InvalidArgumentError(absl::StrCat("chebyshev_distance is not a number of chunks: ", *text));
  }
  return chunks;
}

absl::StatusOr<std::optional<Box>> BoundsOf(const Request& request) {
  const std::string* text = Find(request, "bounds");
  if (text == nullptr || text->empty()) {
    return std::nullopt;
  }
  const std::vector<std::string> axes = absl::StrSplit(*text, '_');
  Box box;
  for (int axis = 0; axis < 3; ++axis) {
    const std::vector<std::string> ends =
        axes.size() == 3 ? absl::StrSplit(axes[static_cast<size_t>(axis)], '-') : std::vector<std::string>();
    if (ends.size() != 2 || !absl::SimpleAtoi(ends[0], &box.lo[axis]) || !absl::SimpleAtoi(ends[1], &box.hi[axis])) {
      return absl::InvalidArgumentError(absl::StrCat("bounds are x0-x1_y0-y1_z0-z1 in voxels, not ", *text));
    }
  }
  return box;
}

bool FlagOf(const Request& request, const std::string& name, bool otherwise) {
  const std::string* text = Find(request, name);
  bool value = otherwise;
  return text != nullptr && absl::SimpleAtob(*text, &value) ? value : otherwise;
}

absl::StatusOr<NodeId> ParseNodeId(absl::string_view text) {
  uint64_t id = 0;
  if (!absl::SimpleAtoi(text, &id)) {
    return absl::InvalidArgumentError(absl::StrCat("not a node id: ", text));
  }
  return NodeId{id};
}

absl::StatusOr<std::vector<NodeId>> NodeIdsOf(const Request& request) {
  CLEAVE_ASSIGN_OR_RETURN(const json body, ParseBody(request));
  if (!body.is_object() || !body.contains("node_ids") || !body["node_ids"].is_array()) {
    return absl::InvalidArgumentError("the body must be {\"node_ids\": [...]}");
  }
  std::vector<NodeId> ids;
  for (const json& value : body["node_ids"]) {
    CLEAVE_ASSIGN_OR_RETURN(const NodeId id, NodeIdOf(value));
    ids.push_back(id);
  }
  return ids;
}

absl::StatusOr<std::vector<NodeId>> BinaryNodeIdsOf(const Request& request) {
  if (request.body.size() % sizeof(NodeId) != 0) {
    return absl::InvalidArgumentError("the body must be a run of little-endian uint64");
  }
  std::vector<NodeId> ids(request.body.size() / sizeof(NodeId));
  if (!ids.empty()) {
    std::memcpy(ids.data(), request.body.data(), request.body.size());
  }
  return ids;
}

absl::StatusOr<MarkedSides> MergePointsOf(const Request& request, VoxelSizeNm voxel_size_nm) {
  CLEAVE_ASSIGN_OR_RETURN(const json body, ParseBody(request));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<VoxelPoint> points, PointsOf(body, voxel_size_nm));
  if (points.size() != 2) {
    return absl::InvalidArgumentError(absl::StrCat("a merge takes two points, not ", points.size()));
  }
  return MarkedSides{{points[0]}, {points[1]}};
}

absl::StatusOr<MarkedSides> SplitPointsOf(const Request& request, VoxelSizeNm voxel_size_nm) {
  CLEAVE_ASSIGN_OR_RETURN(const json body, ParseBody(request));
  if (!body.is_object() || !body.contains("sources") || !body.contains("sinks")) {
    return absl::InvalidArgumentError("the body must be {\"sources\": [...], \"sinks\": [...]}");
  }
  MarkedSides sides;
  CLEAVE_ASSIGN_OR_RETURN(sides.sources, PointsOf(body["sources"], voxel_size_nm));
  CLEAVE_ASSIGN_OR_RETURN(sides.sinks, PointsOf(body["sinks"], voxel_size_nm));
  return sides;
}

}  // namespace cleave::server
