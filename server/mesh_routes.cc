// Meshes of nodes, as the field's viewers ask for them: a manifest names nodes below a node that have a mesh, and where
// it lies. Where a graph has a record of meshes that others make, their files are what is named and served
// (mesh/manifest.h). Else the L2 nodes are named, and their meshes made when they are asked for (node_meshes.h), so all
// that a manifest names exist.
#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "base/status.h"
#include "graph/descend.h"
#include "mesh/mesh_files.h"
#include "server/file_answer.h"
#include "server/node_meshes.h"
#include "server/service.h"
#include "server/shallow_json.h"
#include "server/store_file_answer.h"

namespace cleave::server {
namespace {

using graph::NodeId;
using nlohmann::json;

// A mesh of a node, by the name that clients find it under.
struct NamedMesh {
  NodeId node{};
  std::string name;
};

// Null without meshes of others.
absl::StatusOr<mesh::Manifests*> ManifestsOf(const Service& service) {
  CLEAVE_RETURN_IF_ERROR(service.manifests.status());
  return service.manifests->get();
}

// The members of a request's body that clients send with a GET; without a body, none.
absl::StatusOr<json> WishesOf(const Request& request) {
  if (request.body.empty()) {
    return json::object();
  }
  CLEAVE_ASSIGN_OR_RETURN(json body, ParseShallowJson(request.body, "the request's body"));
  return body.is_object() ? std::move(body) : json::object();
}

// A member of the body as text, else the parameter of the query; nullopt where neither says anything.
std::optional<std::string> WishOf(const Request& request, const json& wishes, const std::string& name) {
  if (const auto given = wishes.find(name); given != wishes.end()) {
    return given->is_string() ? given->get<std::string>() : given->dump();
  }
  const std::string* given = QueryOf(request, name);
  return given != nullptr && !given->empty() ? std::optional(*given) : std::nullopt;
}

bool IsWished(const Request& request, const json& wishes, const std::string& name) {
  bool wished = false;
  return absl::SimpleAtob(WishOf(request, wishes, name).value_or(""), &wished) && wished;
}

// seg_ids, and what else is asked for, are parallel to the fragments.
json ManifestJson(const Service& service, const Request& request, const json& wishes,
                  const std::vector<NamedMesh>& meshes) {
  const graph::IdLayout& layout = service.dataset.layout();
  const bool prepend = FlagOf(request, "prepend_seg_ids", false);
  json fragments = json::array();
  json layers = json::array();
  json chunks = json::array();
  std::vector<NodeId> nodes;
  for (const NamedMesh& mesh : meshes) {
    fragments.push_back(prepend ? absl::StrCat("~", Value(mesh.node), ":", mesh.name) : mesh.name);
    const graph::ChunkAddress chunk = layout.ChunkOf(mesh.node);
    layers.push_back(chunk.layer);
    chunks.push_back({chunk.position.x, chunk.position.y, chunk.position.z});
    nodes.push_back(mesh.node);
  }
  json manifest = {{"fragments", fragments}, {"seg_ids", IdsJson(nodes, WantsText(request))}};
  if (IsWished(request, wishes, "return_seg_id_layers")) {
    manifest["seg_id_layers"] = std::move(layers);
  }
  if (IsWished(request, wishes, "return_seg_chunk_coordinates")) {
    manifest["seg_chunk_coordinates"] = std::move(chunks);
  }
  return manifest;
}

// start_layer of the query, or of the body, which counts more; as a number or its text.
absl::StatusOr<int> StartLayerOf(const Service& service, const Request& request, const json& wishes, int otherwise) {
  const std::string text = WishOf(request, wishes, "start_layer").value_or(absl::StrCat(otherwise));
  int layer = 0;
  if (!absl::SimpleAtoi(text, &layer) || layer < graph::kL2Layer) {
    return absl::InvalidArgumentError(absl::StrCat("start_layer is a layer from 2 on, not ", text.substr(0, 100)));
  }
  return std::min(layer, service.dataset.layout().layer_count());
}

// What a client wants to know of a node's meshes.
struct ManifestCall {
  const Request& request;
  const json wishes;
  const std::optional<Box> box;
};

absl::StatusOr<std::vector<NamedMesh>> StoredMeshes(Service& service, mesh::Manifests& manifests,
                                                    const ManifestCall& call, const graph::GraphView& view,
                                                    NodeId node) {
  mesh::ManifestQuery query{.box = call.box};
  CLEAVE_ASSIGN_OR_RETURN(query.start_layer,
                          StartLayerOf(service, call.request, call.wishes, manifests.meta().max_layer));
  query.check = [&](size_t nodes) { return CheckAnswerIds(service.limits, nodes); };
  CLEAVE_ASSIGN_OR_RETURN(const mesh::Manifest manifest, manifests.Find(view, node, query));
  service.metrics.CountManifest(service.name, manifest.counts, manifests.cache_error_count());
  std::vector<NamedMesh> meshes;
  meshes.reserve(manifest.fragments.size());
  for (const mesh::ManifestFragment& fragment : manifest.fragments) {
    meshes.push_back({fragment.node, fragment.shard.has_value()
                                         ? absl::StrCat("~", fragment.shard->file, ":", fragment.shard->place.offset,
                                                        ":", fragment.shard->place.length)
                                         : mesh::DynamicFileName(service.dataset.layout(), fragment.node)});
  }
  return meshes;
}

absl::StatusOr<std::vector<NamedMesh>> MeshesOnDemand(const Service& service, const graph::GraphView& view, NodeId node,
                                                      const std::optional<Box>& box) {
  const NodeId one[] = {node};
  CLEAVE_ASSIGN_OR_RETURN(const auto l2_nodes,
                          graph::Descendants(view, one, {.stop_layer = graph::kL2Layer, .box = box}));
  CLEAVE_RETURN_IF_ERROR(CheckAnswerIds(service.limits, l2_nodes[0].size()));
  std::vector<NamedMesh> meshes;
  for (const NodeId l2_node : l2_nodes[0]) {
    meshes.push_back({l2_node, mesh::DynamicFileName(service.dataset.layout(), l2_node)});
  }
  return meshes;
}

// The node of ID or "ID:0" (the level of detail is always 0) in the path, which must have a mesh or nodes below it that
// have.
absl::StatusOr<NodeId> MeshedNodeOf(const Service& service, const graph::GraphView& view, absl::string_view text) {
  const std::vector<std::string> words = absl::StrSplit(text, ':');
  CLEAVE_ASSIGN_OR_RETURN(const NodeId id, NodeOf(service, words[0]));
  if (service.dataset.layout().LayerOf(id) < graph::kL2Layer) {
    return absl::InvalidArgumentError(absl::StrCat("supervoxel ", Value(id), " has no mesh; ask for its L2 node"));
  }
  CLEAVE_RETURN_IF_ERROR(RequireNode(view, id));
  return id;
}

// Nodes that an edit replaced keep their meshes: a page shows them until it is loaded again.
absl::StatusOr<Response> AnswerManifest(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<Box> box, CheckedBoundsOf(service, call.request));
  CLEAVE_ASSIGN_OR_RETURN(json wishes, WishesOf(call.request));
  const ManifestCall asked{call.request, std::move(wishes), box};
  const graph::GraphView view = ViewAt(service, absl::InfiniteFuture());
  CLEAVE_ASSIGN_OR_RETURN(const NodeId node, MeshedNodeOf(service, view, call.parts[0]));
  CLEAVE_ASSIGN_OR_RETURN(mesh::Manifests * manifests, ManifestsOf(service));
  const absl::StatusOr<std::vector<NamedMesh>> meshes = manifests != nullptr
                                                            ? StoredMeshes(service, *manifests, asked, view, node)
                                                            : MeshesOnDemand(service, view, node, asked.box);
  CLEAVE_RETURN_IF_ERROR(meshes.status());
  return JsonResponse(ManifestJson(service, asked.request, asked.wishes, *meshes));
}

// What is made when it is asked for need not be made anew. Of meshes that others make the cache forgets these nodes;
// where it cannot be asked, what it holds is as right as before.
absl::StatusOr<Response> AnswerRemeshing(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> nodes, IdsOf(call.request, "new_lvl2_ids", service.limits));
  CLEAVE_ASSIGN_OR_RETURN(mesh::Manifests * manifests, ManifestsOf(service));
  if (manifests != nullptr) {
    static_cast<void>(manifests->Forget(nodes));
  }
  Response response = TextResponse("");
  response.code = 202;
  return response;
}

absl::StatusOr<Response> AnswerClearCache(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(mesh::Manifests * manifests, ManifestsOf(service));
  if (call.parts.empty()) {
    CLEAVE_RETURN_IF_ERROR(manifests != nullptr ? manifests->Clear() : absl::OkStatus());
    return JsonResponse(json::object());
  }
  const graph::GraphView view = ViewAt(service, absl::InfiniteFuture());
  CLEAVE_ASSIGN_OR_RETURN(const NodeId node, MeshedNodeOf(service, view, call.parts[0]));
  int64_t node_count = 0;
  if (manifests != nullptr) {
    CLEAVE_ASSIGN_OR_RETURN(node_count, manifests->ForgetBelow(view, node));
  }
  return JsonResponse({{"nodes", node_count}});
}

// The shards are where files of meshes that were made beforehand would lie. There are none, but a viewer looks for
// single files only in a folder whose info speaks of shards.
json InfoOnDemand(const Service& service) {
  const Extent3 chunk = service.dataset.layout().chunk_size();
  return {{"@type", "neuroglancer_legacy_mesh"},
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
              {"data_encoding", "raw"}}}}}};
}

absl::StatusOr<Response> AnswerMeshInfo(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(mesh::Manifests * manifests, ManifestsOf(service));
  if (manifests == nullptr) {
    return JsonResponse(InfoOnDemand(service));
  }
  CLEAVE_ASSIGN_OR_RETURN(Response response, StoreFileAnswer(call.request, {manifests->store(), service.limits},
                                                             manifests->meta().dir + "/info"));
  response.content_type = "application/json";
  return response;
}

absl::Status NoMesh(absl::string_view name) { return absl::NotFoundError(absl::StrCat("there is no mesh ", name)); }

absl::StatusOr<NodeId> NodeOfFile(const Service& service, absl::string_view name) {
  const std::vector<std::string> words = absl::StrSplit(name, absl::MaxSplits(':', 1));
  CLEAVE_ASSIGN_OR_RETURN(const NodeId id, NodeOf(service, words[0]));
  return name == mesh::DynamicFileName(service.dataset.layout(), id) ? absl::StatusOr<NodeId>(id) : NoMesh(name);
}

// A node's mesh never changes, but ids do come again in another project at the same address: hence the time of ingest.
absl::StatusOr<Response> AnswerMesh(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const NodeId id, NodeOfFile(service, call.parts.back()));
  CLEAVE_ASSIGN_OR_RETURN(mesh::Manifests * manifests, ManifestsOf(service));
  if (manifests != nullptr) {
    CLEAVE_ASSIGN_OR_RETURN(const mesh::MeshFiles* files, manifests->Files());
    return StoreFileAnswer(call.request, {manifests->store(), service.limits}, files->DynamicKey(id));
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

// "LAYER/CHUNK-SHARD.shard".
bool IsShardName(absl::string_view name) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(name, absl::MaxSplits('/', 1));
  absl::string_view file = parts.second;
  int layer = 0;
  return absl::SimpleAtoi(parts.first, &layer) && absl::ConsumeSuffix(&file, ".shard") && !file.empty() &&
         std::ranges::all_of(file,
                             [](char c) { return c == '-' || absl::ascii_isxdigit(static_cast<unsigned char>(c)); });
}

// Shards, and the folder of single files by its own name. Nothing else that lies there is served.
absl::StatusOr<Response> AnswerMeshFile(Service& service, const Call& call) {
  const std::string name = WithoutDoubleSlashes(call.parts.back());
  CLEAVE_ASSIGN_OR_RETURN(mesh::Manifests * manifests, ManifestsOf(service));
  if (manifests == nullptr) {
    return NoMesh(name);
  }
  CLEAVE_ASSIGN_OR_RETURN(const mesh::MeshFiles* files, manifests->Files());
  const StoreFiles store{manifests->store(), service.limits};
  absl::string_view rest = name;
  if (absl::ConsumePrefix(&rest, "initial/")) {
    return IsShardName(rest) ? StoreFileAnswer(call.request, store, files->InitialKey(rest)) : NoMesh(name);
  }
  if (absl::ConsumePrefix(&rest, manifests->meta().dynamic_dir + "/")) {
    CLEAVE_ASSIGN_OR_RETURN(const NodeId id, NodeOfFile(service, rest));
    return StoreFileAnswer(call.request, store, files->DynamicKey(id));
  }
  return NoMesh(name);
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
    routes.push_back({"GET", absl::StrCat(folder, kMeshFolder, "/**"), Right::kView, AnswerMeshFile});
  }
  return routes;
}

}  // namespace cleave::server
