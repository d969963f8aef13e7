// Meshes of nodes, as the field's viewers ask for them: a manifest names the L2 nodes below a node, each one a file.
// The files are made when they are asked for (node_meshes.h), so all that a manifest names exist.
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "graph/descend.h"
#include "server/file_answer.h"
#include "server/node_meshes.h"
#include "server/service.h"

namespace cleave::server {
namespace {

using graph::NodeId;
using nlohmann::json;

// "NODE:0:x0-x1_y0-y1_z0-z1", the node's chunk in voxels, counted from the volume's corner: clients build that name
// too.
std::string FileName(const graph::IdLayout& layout, NodeId l2_node) {
  const ChunkPoint chunk = layout.ChunkOf(l2_node).position;
  const Extent3 size = layout.chunk_size();
  return absl::StrCat(Value(l2_node), ":0:", chunk.x * size.x, "-", (chunk.x + 1) * size.x, "_", chunk.y * size.y, "-",
                      (chunk.y + 1) * size.y, "_", chunk.z * size.z, "-", (chunk.z + 1) * size.z);
}

json ManifestJson(const Service& service, const Call& call, const std::vector<NodeId>& l2_nodes) {
  const graph::IdLayout& layout = service.dataset.layout();
  const bool prepend = FlagOf(call.request, "prepend_seg_ids", false);
  json fragments = json::array();
  json layers = json::array();
  json chunks = json::array();
  for (const NodeId l2_node : l2_nodes) {
    const std::string name = FileName(layout, l2_node);
    fragments.push_back(prepend ? absl::StrCat("~", Value(l2_node), ":", name) : name);
    layers.push_back(graph::kL2Layer);
    const ChunkPoint chunk = layout.ChunkOf(l2_node).position;
    chunks.push_back({chunk.x, chunk.y, chunk.z});
  }
  return {{"fragments", fragments},
          {"seg_ids", IdsJson(l2_nodes, WantsText(call.request))},
          {"seg_id_layers", layers},
          {"seg_chunk_coordinates", chunks}};
}

// "ID:0": the level of detail is always 0. Nodes that an edit replaced keep their meshes: a page shows them until it is
// loaded again.
absl::StatusOr<Response> AnswerManifest(Service& service, const Call& call) {
  const std::vector<std::string> words = absl::StrSplit(call.parts[0], ':');
  CLEAVE_ASSIGN_OR_RETURN(const NodeId id, NodeOf(service, words[0]));
  graph::Descent descent{.stop_layer = graph::kL2Layer};
  CLEAVE_ASSIGN_OR_RETURN(descent.box, CheckedBoundsOf(service, call.request));
  if (service.dataset.layout().LayerOf(id) < graph::kL2Layer) {
    return absl::InvalidArgumentError(absl::StrCat("supervoxel ", Value(id), " has no mesh; ask for its L2 node"));
  }
  const graph::GraphView view = ViewAt(service, absl::InfiniteFuture());
  CLEAVE_RETURN_IF_ERROR(RequireNode(view, id));
  const NodeId one[] = {id};
  CLEAVE_ASSIGN_OR_RETURN(const auto l2_nodes, graph::Descendants(view, one, descent));
  CLEAVE_RETURN_IF_ERROR(CheckAnswerIds(service.limits, l2_nodes[0].size()));
  return JsonResponse(ManifestJson(service, call, l2_nodes[0]));
}

// Nothing is made beforehand, so there is nothing to make anew.
absl::StatusOr<Response> AnswerRemeshing(Service& service, const Call& call) {
  CLEAVE_RETURN_IF_ERROR(IdsOf(call.request, "new_lvl2_ids", service.limits).status());
  Response response = TextResponse("");
  response.code = 202;
  return response;
}

// There is no cache of manifests: the next answer is always a new one.
absl::StatusOr<Response> AnswerClearCache(Service& /*service*/, const Call& /*call*/) {
  return JsonResponse(json::object());
}

// The shards are where files of meshes that were made beforehand would lie. There are none, but a viewer looks for
// single files only in a folder whose info speaks of shards.
absl::StatusOr<Response> AnswerMeshInfo(Service& service, const Call& /*call*/) {
  const Extent3 chunk = service.dataset.layout().chunk_size();
  return JsonResponse({{"@type", "neuroglancer_legacy_mesh"},
                       {"mip", 0},
                       {"chunk_size", {chunk.x, chunk.y, chunk.z}},
                       {"spatial_index", nullptr},
                       {"sharding",
                        {{absl::StrCat(graph::kL2Layer),
                          {{"@type", "neuroglancer_uint64_sharded_v1"},
                           {"hash", "murmurhash3_x86_128"},
                           {"preshift_bits", 0},
                           {"minishard_bits", 0},
                           {"shard_bits", 0},
                           {"minishard_index_encoding", "gzip"},
                           {"data_encoding", "raw"}}}}}});
}

// A node's mesh never changes, but ids do come again in another project at the same address: hence the time of ingest.
absl::StatusOr<Response> AnswerMesh(Service& service, const Call& call) {
  const std::string& name = call.parts.back();
  const std::vector<std::string> words = absl::StrSplit(name, absl::MaxSplits(':', 1));
  CLEAVE_ASSIGN_OR_RETURN(const NodeId id, NodeOf(service, words[0]));
  if (name != FileName(service.dataset.layout(), id)) {
    return absl::NotFoundError(absl::StrCat("there is no mesh ", name));
  }
  const std::string tag = absl::StrCat(absl::ToUnixMillis(service.dataset.meta().ingested), "-", Value(id));
  if (IsKnown(call.request, tag)) {
    return NotModified(tag);
  }
  CLEAVE_ASSIGN_OR_RETURN(const auto mesh, service.node_meshes.Get(id));
  Response response = FileResponse(call.request, *mesh, tag);
  response.may_compress = false;  // it is already
  return response;
}

}  // namespace

std::vector<Route> MeshRoutes() {
  const std::string base = kMeshing;
  return {{"GET", base + "manifest/{}", Right::kView, AnswerManifest},
          {"POST", base + "remeshing", Right::kEdit, AnswerRemeshing},
          {"POST", base + "clear_manifest_cache/{}", Right::kAdmin, AnswerClearCache},
          {"POST", base + "clear_manifest_cache", Right::kAdmin, AnswerClearCache}};
}

std::vector<Route> MeshFileRoutes() {
  std::vector<Route> routes;
  for (const absl::string_view folder : {"/data/{graph}/at/{}/", "/data/{graph}/"}) {
    routes.push_back({"GET", absl::StrCat(folder, kMeshFolder, "/info"), Right::kView, AnswerMeshInfo});
    routes.push_back({"GET", absl::StrCat(folder, kMeshFolder, "/dynamic/{}"), Right::kView, AnswerMesh});
  }
  return routes;
}

}  // namespace cleave::server
