// What holds objects together, and what they touch: edges, the L2 graph, paths, contacts.
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "graph/contact_sites.h"
#include "graph/l2_graph.h"
#include "graph/node_points.h"
#include "graph/subgraph.h"
#include "server/marked_points.h"
#include "server/service.h"

namespace cleave::server {
namespace {

using graph::NodeId;
using nlohmann::json;

// A node, the part of it that is asked about, and the graph in which to look.
struct PartOfNode {
  NodeId id{};
  std::optional<Box> box;
  graph::GraphView view;
};

// INVALID_ARGUMENT for a part of more L2 nodes than one answer may hold.
absl::StatusOr<PartOfNode> PartOf(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const NodeId id, NodeOf(service, call.parts[0]));
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<Box> box, CheckedBoundsOf(service, call.request));
  CLEAVE_ASSIGN_OR_RETURN(const graph::GraphView view, ViewFor(service, call.request, id));
  CLEAVE_RETURN_IF_ERROR(CheckL2Nodes(service, view, id, box));
  return PartOfNode{id, box, view};
}

// JSON has no infinity, but a number too large for a double, which is read as one.
std::string AffinityText(float affinity) {
  return affinity == graph::kInfiniteAffinity ? std::string("1e999") : json(affinity).dump();
}

absl::StatusOr<Response> AnswerSubgraph(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const PartOfNode part, PartOf(service, call));
  const bool internal_only = FlagOf(call.request, "only_internal_edges", true);
  const NodeId one[] = {part.id};
  CLEAVE_ASSIGN_OR_RETURN(const auto edges,
                          graph::EdgesBelow(part.view, service.dataset.edges(), one, part.box,
                                            internal_only ? graph::EdgeExtent::kInternal : graph::EdgeExtent::kAll));
  CLEAVE_RETURN_IF_ERROR(CheckAnswerIds(service.limits, 2 * edges.size()));
  json nodes = json::array();
  json areas = json::array();
  std::string affinities;
  for (const graph::SubgraphEdge& edge : edges) {
    nodes.push_back(
        {IdJson(edge.edge.node1, WantsText(call.request)), IdJson(edge.edge.node2, WantsText(call.request))});
    areas.push_back(edge.edge.area);
    absl::StrAppend(&affinities, affinities.empty() ? "" : ",", AffinityText(edge.edge.affinity));
  }
  Response response;
  response.body =
      absl::StrCat("{\"nodes\":", nodes.dump(), ",\"affinities\":[", affinities, "],\"areas\":", areas.dump(), "}");
  return response;
}

absl::StatusOr<Response> AnswerL2Graph(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const PartOfNode part, PartOf(service, call));
  CLEAVE_ASSIGN_OR_RETURN(const auto edges, graph::L2Graph(part.view, part.id, part.box));
  CLEAVE_RETURN_IF_ERROR(CheckAnswerIds(service.limits, 2 * edges.size()));
  json list = json::array();
  for (const graph::EdgeEnds& edge : edges) {
    list.push_back({IdJson(edge.node1, WantsText(call.request)), IdJson(edge.node2, WantsText(call.request))});
  }
  Response response = JsonResponse({{"edge_graph", list}});
  response.headers.emplace_back("Used-Bounds", part.box.has_value() ? "True" : "False");
  return response;
}

json PointJson(const graph::PointNm& point) { return {point.x, point.y, point.z}; }

// Precise points are voxels of the L2 nodes; else the middles of their chunks stand for them.
absl::StatusOr<json> PathJson(Service& service, const Request& request, const graph::GraphView& view,
                              const std::vector<NodeId>& path) {
  const VoxelSizeNm size = service.dataset.meta().voxel_size_nm;
  json centroids = json::array();
  std::vector<NodeId> failed;
  if (FlagOf(request, "precision_mode", true)) {
    CLEAVE_ASSIGN_OR_RETURN(const auto segmentation, service.past_volumes.At(view.at()));
    CLEAVE_ASSIGN_OR_RETURN(const auto points, graph::NodePoints(view, *segmentation, size, path));
    for (size_t i = 0; i < points.size(); ++i) {
      centroids.push_back(PointJson(points[i].point));
      if (!points[i].voxel.has_value()) {
        failed.push_back(path[i]);
      }
    }
  } else {
    CLEAVE_ASSIGN_OR_RETURN(const auto points, graph::ChunkMiddles(view.layout(), size, path));
    for (const graph::PointNm& point : points) {
      centroids.push_back(PointJson(point));
    }
  }
  return json{{"centroids_list", centroids},
              {"failed_l2_ids", IdsJson(failed, WantsText(request))},
              {"l2_path", IdsJson(path, WantsText(request))}};
}

absl::StatusOr<Response> AnswerPath(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const MarkedSides sides,
                          TwoPointsOf(call.request, service.dataset.meta().voxel_size_nm, service.limits));
  CLEAVE_ASSIGN_OR_RETURN(const graph::GraphView view, ViewOf(service, call.request));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> ends,
                          SupervoxelsAt(service, view.at(), {sides.sources[0], sides.sinks[0]}));
  CLEAVE_ASSIGN_OR_RETURN(const auto path, graph::ShortestL2Path(view, ends[0], ends[1]));
  CLEAVE_ASSIGN_OR_RETURN(const json body, PathJson(service, call.request, view, path));
  return JsonResponse(body);
}

absl::StatusOr<Response> AnswerSupervoxels(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<MarkedPoint> points,
                          PointsOf(call.request, service.dataset.meta().voxel_size_nm, service.limits));
  CLEAVE_ASSIGN_OR_RETURN(const graph::GraphView view, ViewOf(service, call.request));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> supervoxels, SupervoxelsAt(service, view.at(), points));
  return JsonResponse(IdsJson(supervoxels, WantsText(call.request)));
}

size_t CountIds(const std::map<NodeId, std::vector<graph::ContactSite>>& contacts) {
  size_t count = contacts.size();
  for (const auto& [partner, sites] : contacts) {
    for (const graph::ContactSite& site : sites) {
      count += site.partner_supervoxels.size() + site.own_supervoxels.size();
    }
  }
  return count;
}

// {"PARTNER": [{"area", "partner_supervoxels", "own_supervoxels"}, ...]}: keys that are ids, as CAVEclient needs them.
absl::StatusOr<Response> ContactAnswer(Service& service, const Call& call, graph::ContactQuery query) {
  CLEAVE_ASSIGN_OR_RETURN(const NodeId root, NodeOf(service, call.parts[0]));
  CLEAVE_ASSIGN_OR_RETURN(query.box, CheckedBoundsOf(service, call.request));
  CLEAVE_ASSIGN_OR_RETURN(const graph::GraphView view, ViewOf(service, call.request));
  CLEAVE_RETURN_IF_ERROR(CheckL2Nodes(service, view, root, query.box));
  CLEAVE_ASSIGN_OR_RETURN(const auto contacts, graph::ContactSites(view, service.dataset.edges(), root, query));
  CLEAVE_RETURN_IF_ERROR(CheckAnswerIds(service.limits, CountIds(contacts)));
  const bool as_text = WantsText(call.request);
  json body = json::object();
  for (const auto& [partner, sites] : contacts) {
    json list = json::array();
    for (const graph::ContactSite& site : sites) {
      list.push_back({{"area", site.area},
                      {"partner_supervoxels", IdsJson(site.partner_supervoxels, as_text)},
                      {"own_supervoxels", IdsJson(site.own_supervoxels, as_text)}});
    }
    body[graph::ToString(partner)] = std::move(list);
  }
  return JsonResponse(body);
}

absl::StatusOr<Response> AnswerContacts(Service& service, const Call& call) { return ContactAnswer(service, call, {}); }

absl::StatusOr<Response> AnswerContactPair(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const NodeId partner, NodeOf(service, call.parts[1]));
  return ContactAnswer(service, call, {.box = std::nullopt, .partners = {partner}});
}

}  // namespace

std::vector<Route> NeighbourRoutes() {
  const std::string base = kSegmentation;
  return {{"GET", base + "node/{}/subgraph", Right::kView, AnswerSubgraph},
          {"GET", base + "node/{}/lvl2_graph", Right::kView, AnswerL2Graph},
          {"POST", base + "graph/find_path", Right::kView, AnswerPath},
          {"POST", base + "supervoxel_lookup", Right::kView, AnswerSupervoxels},
          {"GET", base + "node/{}/contact_sites", Right::kView, AnswerContacts},
          {"GET", base + "node/contact_sites_pair/{}/{}", Right::kView, AnswerContactPair},
          {"GET", base + "contact_sites_pair/{}/{}", Right::kView, AnswerContactPair}};
}

}  // namespace cleave::server
