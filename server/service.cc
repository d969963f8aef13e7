#include "server/service.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "graph/descend.h"
#include "graph/node_times.h"

namespace cleave::server {

using graph::NodeId;

std::string UrlOf(const Service& service, const Request& request) {
  return service.public_url.empty() ? absl::StrCat("http://", request.host) : service.public_url;
}

graph::GraphView ViewAt(const Service& service, absl::Time time) {
  return {service.dataset.layout(), service.rows, time};
}

absl::StatusOr<std::optional<Box>> CheckedBoundsOf(const Service& service, const Request& request) {
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<Box> box, BoundsOf(request));
  CLEAVE_RETURN_IF_ERROR(CheckBounds(service.limits, service.dataset.layout().volume(), box));
  return box;
}

absl::Status CheckL2Nodes(const Service& service, const graph::GraphView& view, NodeId node,
                          const std::optional<Box>& box) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> l2_nodes, view.L2Nodes(node, box));
  return std::ssize(l2_nodes) <= service.limits.l2_nodes_max
             ? absl::OkStatus()
             : LimitError(absl::StrCat("the node has ", l2_nodes.size(), " L2 nodes within the bounds"),
                          service.limits.l2_nodes_max, "l2-nodes-max", "ask with (smaller) bounds");
}

absl::StatusOr<graph::GraphView> ViewOf(Service& service, const Request& request) {
  CLEAVE_ASSIGN_OR_RETURN(const absl::Time time, TimestampOf(request));
  const absl::Time ingested = service.dataset.meta().ingested;
  if (time < ingested) {
    return absl::OutOfRangeError(
        absl::StrCat("the graph was made at ", IsoText(ingested), "; there is no state at ", IsoText(time)));
  }
  return ViewAt(service, time);
}

absl::StatusOr<graph::GraphView> ViewFor(Service& service, const Request& request, NodeId node) {
  CLEAVE_ASSIGN_OR_RETURN(const graph::GraphView view, ViewOf(service, request));
  return ViewWith(service, view.at(), node);
}

absl::StatusOr<graph::GraphView> ViewWith(Service& service, absl::Time time, NodeId node) {
  const graph::GraphView view = ViewAt(service, time);
  const NodeId one[] = {node};
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<bool> current, graph::AreCurrent(view, one));
  if (current[0]) {
    return view;
  }
  CLEAVE_ASSIGN_OR_RETURN(const auto created, graph::CreationTimes(view, one));
  if (!created[0].has_value()) {
    return absl::NotFoundError(absl::StrCat("there is no node ", Value(node), " at this time"));
  }
  return ViewAt(service, *created[0]);
}

absl::StatusOr<NodeId> NodeOf(const Service& service, absl::string_view text) {
  CLEAVE_ASSIGN_OR_RETURN(const NodeId id, ParseNodeId(text));
  CLEAVE_RETURN_IF_ERROR(service.dataset.layout().Validate(id));
  return id;
}

absl::Status RequireNode(const graph::GraphView& view, NodeId node) {
  const NodeId one[] = {node};
  CLEAVE_ASSIGN_OR_RETURN(const auto created, graph::CreationTimes(view, one));
  return created[0].has_value() ? absl::OkStatus()
                                : absl::NotFoundError(absl::StrCat("there is no node ", Value(node), " at this time"));
}

Response JsonResponse(const nlohmann::json& body) {
  Response response;
  response.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return response;
}

Response BinaryResponse(const std::vector<NodeId>& ids) {
  Response response;
  response.content_type = "application/octet-stream";
  response.body.resize(ids.size() * sizeof(NodeId));
  if (!ids.empty()) {
    std::memcpy(response.body.data(), ids.data(), response.body.size());
  }
  return response;
}

Response TextResponse(std::string body) {
  Response response;
  response.content_type = "text/plain";
  response.body = std::move(body);
  return response;
}

bool WantsText(const Request& request) { return FlagOf(request, "int64_as_str", false); }

nlohmann::json IdJson(NodeId id, bool as_text) {
  return as_text ? nlohmann::json(graph::ToString(id)) : nlohmann::json(Value(id));
}

nlohmann::json IdJson(graph::OperationId id, bool as_text) {
  return as_text ? nlohmann::json(graph::ToString(id)) : nlohmann::json(Value(id));
}

nlohmann::json IdsJson(const std::vector<NodeId>& ids, bool as_text) {
  nlohmann::json list = nlohmann::json::array();
  for (const NodeId id : ids) {
    list.push_back(IdJson(id, as_text));
  }
  return list;
}

nlohmann::json VoxelsJson(const std::vector<VoxelPoint>& voxels) {
  nlohmann::json list = nlohmann::json::array();
  for (const VoxelPoint& voxel : voxels) {
    list.push_back({voxel.x, voxel.y, voxel.z});
  }
  return list;
}

double SecondsJson(absl::Time time) { return static_cast<double>(absl::ToUnixMillis(time)) / 1000.0; }

std::string IsoText(absl::Time time, absl::string_view delimiter) {
  return absl::StrCat(absl::FormatTime("%Y-%m-%d", time, absl::UTCTimeZone()), delimiter,
                      absl::FormatTime("%H:%M:%E6S+00:00", time, absl::UTCTimeZone()));
}

}  // namespace cleave::server
