// The part of request_values.h that reads JSON.
#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "cut/graph_cut.h"
#include "server/request_values.h"
#include "server/shallow_json.h"

namespace cleave::server {
namespace {

using graph::NodeId;
using Body = nlohmann::json;

constexpr size_t kShownBytes = 100;
constexpr double kVoxelMax = 1e15;
constexpr absl::string_view kBatchRoutes[] = {"merge", "split", "undo", "redo"};

absl::StatusOr<Body> ParseBody(const Request& request) { return ParseShallowJson(request.body, "the request's body"); }

// A value as a message shows it: cut, whatever bytes it holds.
std::string Shown(const Body& value) {
  return value.dump(-1, ' ', false, Body::error_handler_t::replace).substr(0, kShownBytes);
}

absl::StatusOr<uint64_t> NumberOf(const Body& value, absl::string_view what) {
  if (value.is_number_unsigned()) {
    return value.get<uint64_t>();
  }
  if (value.is_string()) {
    const absl::StatusOr<NodeId> id = ParseNodeId(value.get_ref<const std::string&>());
    if (id.ok()) {
      return Value(*id);
    }
  }
  return absl::InvalidArgumentError(absl::StrCat("not ", what, ": ", Shown(value)));
}

absl::Status CheckIds(size_t count, const RequestLimits& limits, absl::string_view what) {
  return count <= static_cast<size_t>(limits.ids_max)
             ? absl::OkStatus()
             : LimitError(absl::StrCat(count, " ", what, " in one request"), limits.ids_max, "ids-max");
}

absl::StatusOr<VoxelPoint> VoxelOf(const Body& row, VoxelSizeNm voxel_size_nm) {
  const double size[] = {voxel_size_nm.x, voxel_size_nm.y, voxel_size_nm.z};
  VoxelPoint point;
  for (int axis = 0; axis < 3; ++axis) {
    const double voxel = std::floor(row[static_cast<size_t>(axis) + 1].get<double>() / size[axis]);
    if (!(std::abs(voxel) < kVoxelMax)) {
      return absl::InvalidArgumentError(absl::StrCat("a coordinate is out of any volume: ", Shown(row)));
    }
    point[axis] = static_cast<int64_t>(voxel);
  }
  return point;
}

absl::StatusOr<MarkedPoint> PointOf(const Body& row, VoxelSizeNm voxel_size_nm) {
  if (!row.is_array() || row.size() != 4 || !row[1].is_number() || !row[2].is_number() || !row[3].is_number()) {
    return absl::InvalidArgumentError(absl::StrCat("a point is [id, x, y, z] with x, y, z in nm, not ", Shown(row)));
  }
  MarkedPoint point;
  CLEAVE_ASSIGN_OR_RETURN(point.voxel, VoxelOf(row, voxel_size_nm));
  if (!row[0].is_null()) {
    CLEAVE_ASSIGN_OR_RETURN(const uint64_t id, NumberOf(row[0], "a node id"));
    if (id != 0) {
      point.node = NodeId{id};
    }
  }
  return point;
}

absl::StatusOr<std::vector<MarkedPoint>> RowsOf(const Body& rows, VoxelSizeNm voxel_size_nm,
                                                const RequestLimits& limits) {
  if (!rows.is_array()) {
    return absl::InvalidArgumentError(absl::StrCat("points are a list of [id, x, y, z], not ", Shown(rows)));
  }
  if (rows.size() > static_cast<size_t>(limits.points_max)) {
    return LimitError(absl::StrCat(rows.size(), " points in one request"), limits.points_max, "points-max");
  }
  std::vector<MarkedPoint> points;
  for (const Body& row : rows) {
    CLEAVE_ASSIGN_OR_RETURN(const MarkedPoint point, PointOf(row, voxel_size_nm));
    points.push_back(point);
  }
  return points;
}

}  // namespace

absl::StatusOr<std::vector<NodeId>> IdsOf(const Request& request, const std::string& member,
                                          const RequestLimits& limits) {
  if (FlagOf(request, "is_binary", false)) {
    return BinaryIdsOf(request, limits);
  }
  CLEAVE_ASSIGN_OR_RETURN(const Body body, ParseBody(request));
  if (!body.is_object() || !body.contains(member) || !body[member].is_array()) {
    return absl::InvalidArgumentError(absl::StrCat("the body must be {\"", member, "\": [...]}"));
  }
  const Body& list = body[member];
  CLEAVE_RETURN_IF_ERROR(CheckIds(list.size(), limits, "ids"));
  std::vector<NodeId> ids;
  ids.reserve(list.size());
  for (const Body& value : list) {
    CLEAVE_ASSIGN_OR_RETURN(const uint64_t id, NumberOf(value, "a node id"));
    ids.push_back(NodeId{id});
  }
  return ids;
}

absl::StatusOr<graph::OperationId> OperationOf(const Request& request) {
  CLEAVE_ASSIGN_OR_RETURN(const Body body, ParseBody(request));
  if (!body.is_object() || !body.contains("operation_id")) {
    return absl::InvalidArgumentError("the body must be {\"operation_id\": NUMBER}");
  }
  CLEAVE_ASSIGN_OR_RETURN(const uint64_t id, NumberOf(body["operation_id"], "an operation's number"));
  return graph::OperationId{id};
}

absl::StatusOr<bool> VoxelsWished(const Request& request) {
  CLEAVE_ASSIGN_OR_RETURN(const Body body, ParseBody(request));
  if (!body.is_object() || !body.contains("voxels")) {
    return false;
  }
  return body["voxels"].is_boolean() ? absl::StatusOr<bool>(body["voxels"].get<bool>())
                                     : absl::InvalidArgumentError("voxels must be true or false");
}

absl::StatusOr<std::string> PreviewTokenOf(const Request& request) {
  CLEAVE_ASSIGN_OR_RETURN(const Body body, ParseBody(request));
  if (!body.is_object() || !body.contains("preview_token") || !body["preview_token"].is_string()) {
    return absl::InvalidArgumentError("the body must be {\"preview_token\": TEXT}, the text as the preview gave it");
  }
  return body["preview_token"].get<std::string>();
}

absl::StatusOr<BatchBody> BatchBodyOf(const Request& request) {
  CLEAVE_ASSIGN_OR_RETURN(const Body body, ParseBody(request));
  const bool fits = body.is_object() && body.contains("items") && body["items"].is_array() && !body["items"].empty() &&
                    (!body.contains("whole") || body["whole"].is_boolean());
  if (!fits) {
    return absl::InvalidArgumentError("the body must be {\"items\": [{ROUTE: BODY}, ...], \"whole\": false}");
  }
  if (body["items"].size() > kBatchItemsMax) {
    return absl::InvalidArgumentError(absl::StrCat(body["items"].size(), " items in one batch; at most ",
                                                   kBatchItemsMax, " are taken, send several"));
  }
  BatchBody batch{.items = {}, .whole = body.value("whole", false)};
  for (const Body& item : body["items"]) {
    const bool is_known = item.is_object() && item.size() == 1 &&
                          std::ranges::count(kBatchRoutes, absl::string_view(item.begin().key())) == 1;
    if (!is_known) {
      return absl::InvalidArgumentError(
          absl::StrCat("item ", batch.items.size(),
                       " is not {ROUTE: BODY} with merge, split, undo or redo as ROUTE: ", Shown(item)));
    }
    batch.items.push_back({item.begin().key(), item.begin()->dump(-1, ' ', false, Body::error_handler_t::replace)});
  }
  return batch;
}

absl::StatusOr<std::string> TextOf(const Request& request, const std::string& member) {
  CLEAVE_ASSIGN_OR_RETURN(const Body body, ParseBody(request));
  if (!body.is_object() || !body.contains(member) || !body[member].is_string()) {
    return absl::InvalidArgumentError(absl::StrCat("the body must be {\"", member, "\": TEXT, ...}"));
  }
  return body[member].get<std::string>();
}

absl::StatusOr<std::vector<graph::OperationId>> OperationsOf(const Request& request, const std::string& name,
                                                             const RequestLimits& limits) {
  const std::string* text = QueryOf(request, name);
  if (text == nullptr) {
    return std::vector<graph::OperationId>{};
  }
  CLEAVE_ASSIGN_OR_RETURN(const Body list, ParseShallowJson(*text, name));
  if (!list.is_array()) {
    return absl::InvalidArgumentError(absl::StrCat(name, " must be a list such as [1, 2], not ", Shown(list)));
  }
  CLEAVE_RETURN_IF_ERROR(CheckIds(list.size(), limits, "operations"));
  std::vector<graph::OperationId> ids;
  for (const Body& value : list) {
    CLEAVE_ASSIGN_OR_RETURN(const uint64_t id, NumberOf(value, "an operation's number"));
    ids.push_back(graph::OperationId{id});
  }
  return ids;
}

absl::StatusOr<std::vector<MarkedPoint>> PointsOf(const Request& request, VoxelSizeNm voxel_size_nm,
                                                  const RequestLimits& limits) {
  CLEAVE_ASSIGN_OR_RETURN(const Body body, ParseBody(request));
  return RowsOf(body, voxel_size_nm, limits);
}

absl::StatusOr<MarkedSides> TwoPointsOf(const Request& request, VoxelSizeNm voxel_size_nm,
                                        const RequestLimits& limits) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<MarkedPoint> points, PointsOf(request, voxel_size_nm, limits));
  if (points.size() != 2) {
    return absl::InvalidArgumentError(absl::StrCat("expected two points, not ", points.size()));
  }
  return MarkedSides{{points[0]}, {points[1]}, {}};
}

absl::StatusOr<MarkedSides> SplitPointsOf(const Request& request, VoxelSizeNm voxel_size_nm,
                                          const RequestLimits& limits) {
  CLEAVE_ASSIGN_OR_RETURN(const Body body, ParseBody(request));
  if (!body.is_object() || !body.contains("sources") || !body.contains("sinks")) {
    return absl::InvalidArgumentError("the body must be {\"sources\": [...], \"sinks\": [...]}");
  }
  MarkedSides sides;
  CLEAVE_ASSIGN_OR_RETURN(sides.sources, RowsOf(body["sources"], voxel_size_nm, limits));
  CLEAVE_ASSIGN_OR_RETURN(sides.sinks, RowsOf(body["sinks"], voxel_size_nm, limits));
  if (!body.contains("more_sides")) {
    return sides;
  }
  constexpr size_t kMoreSidesMax = cut::kTeamsMax - 2;
  if (!body["more_sides"].is_array() || body["more_sides"].size() > kMoreSidesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"more_sides\" must be a list of at most ", kMoreSidesMax, " lists like \"sources\""));
  }
  for (const Body& side : body["more_sides"]) {
    CLEAVE_ASSIGN_OR_RETURN(std::vector<MarkedPoint> points, RowsOf(side, voxel_size_nm, limits));
    sides.more.push_back(std::move(points));
  }
  return sides;
}

}  // namespace cleave::server
