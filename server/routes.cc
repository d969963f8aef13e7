#include "server/routes.h"

#include <cstring>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "server/request_values.h"
#include "store/store.h"
#include "volume/volume.h"

namespace cleave::server {
namespace {

using graph::NodeId;
using nlohmann::json;

constexpr absl::string_view kApi = "/segmentation/api/v1/table/";
constexpr absl::string_view kContractVersion = "3.1.7";  // of the field's server whose answers these are

Response Json(const json& body) { return {200, "application/json", body.dump()}; }
Response Text(std::string body) { return {200, "text/plain", std::move(body)}; }

json Ids(const std::vector<NodeId>& ids, bool as_text) {
  json list = json::array();
  for (const NodeId id : ids) {
    list.push_back(as_text ? json(graph::ToString(id)) : json(Value(id)));
  }
  return list;
}

bool AsText(const Request& request) { return FlagOf(request, "int64_as_str", false); }

Response EditResponse(const Request& request, const edit::EditReport& report) {
  json body;
  body["operation_id"] = AsText(request) ? json(graph::ToString(report.operation)) : json(Value(report.operation));
  body["new_root_ids"] = Ids(report.new_roots, AsText(request));
  return Json(body);
}

absl::Status RequireMethod(const Request& request, absl::string_view method) {
  return request.method == method
             ? absl::OkStatus()
             : absl::InvalidArgumentError(absl::StrCat(request.path, " takes ", method, ", not ", request.method));
}

absl::Status UnknownRoute(const Request& request) {
  return absl::NotFoundError(absl::StrCat("there is nothing at ", request.path));
}

}  // namespace

Response Routes::Answer(const Request& request) {
  const absl::Time start = absl::Now();
  absl::StatusOr<Response> response = Dispatch(request);
  if (response.ok()) {
    return *std::move(response);
  }
  return ErrorResponse(response.status(), absl::ToDoubleMilliseconds(absl::Now() - start));
}

absl::StatusOr<Response> Routes::Dispatch(const Request& request) {
  const std::string& graph_id = dataset_.meta().graph_id;
  absl::string_view path = request.path;
  if (path == "/healthz") {
    return Text("ok\n");
  }
  if (path == "/segmentation/api/versions") {
    return Json(json::array({0, 1}));
  }
  if (path == "/segmentation/api/version") {
    return Json(std::string(kContractVersion));
  }
  if (path == absl::StrCat("/segmentation/table/", graph_id, "/info")) {
    return Info(request);
  }
  if (absl::ConsumePrefix(&path, absl::StrCat("/data/", graph_id, "/"))) {
    return Data(path);
  }
  if (!absl::ConsumePrefix(&path, absl::StrCat(kApi, graph_id, "/"))) {
    return UnknownRoute(request);
  }
  const std::vector<std::string> parts = absl::StrSplit(path, '/');
  if (parts.size() == 3 && parts[0] == "node") {
    return AnswerNode(request, parts[1], parts[2]);
  }
  return AnswerTable(request, path);
}

absl::StatusOr<Response> Routes::AnswerNode(const Request& request, absl::string_view id_text, absl::string_view verb) {
  CLEAVE_RETURN_IF_ERROR(RequireMethod(request, "GET"));
  CLEAVE_ASSIGN_OR_RETURN(const NodeId id, ParseNodeId(id_text));
  CLEAVE_RETURN_IF_ERROR(dataset_.layout().Validate(id));
  CLEAVE_ASSIGN_OR_RETURN(const absl::Time time, TimestampOf(request));
  const graph::GraphView view = dataset_.View(time);
  const NodeId one[] = {id};
  json body;
  if (verb == "root") {
    CLEAVE_ASSIGN_OR_RETURN(const int layer, StopLayerOf(request, dataset_.layout().layer_count()));
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> roots, view.Ancestors(one, layer));
    body["root_id"] = AsText(request) ? json(graph::ToString(roots[0])) : json(Value(roots[0]));
  } else if (verb == "children") {
    CLEAVE_ASSIGN_OR_RETURN(const auto children, view.Children(one));
    body["children_ids"] = Ids(children[0], AsText(request));
  } else if (verb == "leaves") {
    CLEAVE_ASSIGN_OR_RETURN(const std::optional<Box> bounds, BoundsOf(request));
    CLEAVE_ASSIGN_OR_RETURN(const int layer, StopLayerOf(request, graph::kSupervoxelLayer));
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> leaves,
                            layer == graph::kL2Layer ? view.L2Nodes(id, bounds) : view.Leaves(id, bounds));
    body["leaf_ids"] = Ids(leaves, AsText(request));
  } else {
    return UnknownRoute(request);
  }
  return Json(body);
}

absl::StatusOr<Response> Routes::AnswerTable(const Request& request, absl::string_view verb) {
  using Handler = absl::StatusOr<Response> (Routes::*)(const Request&);
  static const std::map<std::string, Handler> handlers = {{"roots", &Routes::Roots},
                                                          {"roots_binary", &Routes::RootsBinary},
                                                          {"is_latest_roots", &Routes::IsLatestRoots},
                                                          {"merge", &Routes::Merge},
                                                          {"split", &Routes::Split},
                                                          {"graph/split_preview", &Routes::SplitPreview}};
  const auto handler = handlers.find(std::string(verb));
  if (handler == handlers.end()) {
    return UnknownRoute(request);
  }
  CLEAVE_RETURN_IF_ERROR(RequireMethod(request, "POST"));
  return (this->*handler->second)(request);
}

absl::StatusOr<Response> Routes::Info(const Request& request) const {
  json info = json::parse(volume::FormatInfo(dataset_.segmentation().info()));
  const graph::IdLayout& layout = dataset_.layout();
  json bit_masks;
  for (int layer = 1; layer <= layout.layer_count(); ++layer) {
    bit_masks[absl::StrCat(layer)] = layout.SpatialBits(layer);
  }
  const Extent3 chunk = layout.chunk_size();
  const Extent3 size = layout.volume().extent();
  info["app"] = {{"supported_api_versions", {0, 1}}};
  const std::string url = options_.public_url.empty() ? absl::StrCat("http://", request.host) : options_.public_url;
  info["data_dir"] = absl::StrCat(url, "/data/", dataset_.meta().graph_id, "/");
  info["chunks_start_at_voxel_offset"] = true;
  const std::string kvstore = dataset_.KvStoreSpec();
  info["graph"] = {{"chunk_size", {chunk.x, chunk.y, chunk.z}},
                   {"n_layers", layout.layer_count()},
                   {"n_bits_for_layer_id", 8},
                   {"spatial_bit_masks", bit_masks},
                   {"cv_mip", 0},
                   {"bounding_box", {size.x, size.y, size.z}},
                   {"ocdbt_seg", true},
                   {"kvstore", kvstore.empty() ? json() : json::parse(kvstore, nullptr, false)}};
  return Json(info);
}

absl::StatusOr<Response> Routes::Data(absl::string_view key) {
  const volume::Volume& segmentation = dataset_.segmentation();
  const std::string name = absl::StrCat(segmentation.prefix(), key);
  CLEAVE_RETURN_IF_ERROR(store::ValidateKey(name));
  CLEAVE_ASSIGN_OR_RETURN(store::ReadResult read, segmentation.store().Read(name));
  if (!read.value.has_value()) {
    return absl::NotFoundError(absl::StrCat("there is no ", key));
  }
  return Response{200, key == "info" ? "application/json" : "application/octet-stream", *std::move(read.value)};
}

absl::StatusOr<Response> Routes::Roots(const Request& request) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> ids, NodeIdsOf(request));
  CLEAVE_ASSIGN_OR_RETURN(const absl::Time time, TimestampOf(request));
  CLEAVE_ASSIGN_OR_RETURN(const int layer, StopLayerOf(request, dataset_.layout().layer_count()));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> roots, dataset_.View(time).Ancestors(ids, layer));
  return Json({{"root_ids", Ids(roots, AsText(request))}});
}

absl::StatusOr<Response> Routes::RootsBinary(const Request& request) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> ids, BinaryNodeIdsOf(request));
  CLEAVE_ASSIGN_OR_RETURN(const absl::Time time, TimestampOf(request));
  CLEAVE_ASSIGN_OR_RETURN(const int layer, StopLayerOf(request, dataset_.layout().layer_count()));
  const graph::GraphView view = dataset_.View(time);
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> roots,
                          layer == dataset_.layout().layer_count() ? view.Roots(ids) : view.Ancestors(ids, layer));
  std::string body(roots.size() * sizeof(NodeId), '\0');
  if (!roots.empty()) {
    std::memcpy(body.data(), roots.data(), body.size());
  }
  return Response{200, "application/octet-stream", std::move(body)};
}

absl::StatusOr<Response> Routes::IsLatestRoots(const Request& request) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> ids, NodeIdsOf(request));
  CLEAVE_ASSIGN_OR_RETURN(const absl::Time time, TimestampOf(request));
  const graph::GraphView view = dataset_.View(time);
  CLEAVE_ASSIGN_OR_RETURN(const auto children, view.Children(ids));
  CLEAVE_ASSIGN_OR_RETURN(const auto successors, view.Successors(ids));
  json latest = json::array();
  for (size_t i = 0; i < ids.size(); ++i) {
    const bool is_root = dataset_.layout().LayerOf(ids[i]) == dataset_.layout().layer_count();
    latest.push_back(is_root && !children[i].empty() && successors[i].empty());
  }
  return Json({{"is_latest", latest}});
}

absl::StatusOr<Response> Routes::Merge(const Request& request) {
  CLEAVE_ASSIGN_OR_RETURN(const MarkedSides sides, MergePointsOf(request, dataset_.meta().voxel_size_nm));
  edit::MergeRequest merge{.source = sides.sources[0], .sink = sides.sinks[0], .user = "anonymous"};
  CLEAVE_ASSIGN_OR_RETURN(merge.chebyshev_distance_max_chunks, ChebyshevDistanceOf(request));
  CLEAVE_ASSIGN_OR_RETURN(const edit::EditReport report, editor_.Merge(merge));
  return EditResponse(request, report);
}

absl::StatusOr<Response> Routes::Split(const Request& request) {
  CLEAVE_ASSIGN_OR_RETURN(MarkedSides sides, SplitPointsOf(request, dataset_.meta().voxel_size_nm));
  CLEAVE_ASSIGN_OR_RETURN(
      const edit::EditReport report,
      editor_.Split({.sources = std::move(sides.sources), .sinks = std::move(sides.sinks), .user = "anonymous"}));
  return EditResponse(request, report);
}

absl::StatusOr<Response> Routes::SplitPreview(const Request& request) {
  CLEAVE_ASSIGN_OR_RETURN(MarkedSides sides, SplitPointsOf(request, dataset_.meta().voxel_size_nm));
  const absl::StatusOr<edit::EditReport> report = editor_.Preview(
      edit::SplitRequest{.sources = std::move(sides.sources), .sinks = std::move(sides.sinks), .user = {}});
  if (absl::IsFailedPrecondition(report.status())) {
    return Json({{"supervoxel_connected_components", json::array()},
                 {"illegal_split", true},
                 {"reason", std::string(report.status().message())}});
  }
  CLEAVE_RETURN_IF_ERROR(report.status());
  json components = json::array();
  for (const std::vector<NodeId>& component : report->supervoxel_components) {
    components.push_back(Ids(component, AsText(request)));
  }
  return Json({{"supervoxel_connected_components", components}, {"illegal_split", false}});
}

}  // namespace cleave::server
