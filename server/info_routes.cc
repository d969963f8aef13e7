// What a client asks first: which server this is, and what the graph is.
#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/status.h"
#include "edit/operation_log.h"
#include "server/figures.h"
#include "server/service.h"
#include "volume/volume.h"

namespace cleave::server {
namespace {

using nlohmann::json;

constexpr char kContractVersion[] = "3.1.7";  // of the field's server whose answers these are

absl::StatusOr<Response> AnswerBanner(Service& service, const Call& /*call*/) {
  const auto append_name = [](std::string* text, const ServedDataset& served) { absl::StrAppend(text, served.name); };
  return TextResponse(
      absl::StrCat(service.datasets.size() == 1 ? "Cleave serves the graph " : "Cleave serves the graphs ",
                   absl::StrJoin(service.datasets, ", ", append_name), "\n"));
}

absl::StatusOr<Response> AnswerVersions(Service& /*service*/, const Call& /*call*/) {
  return JsonResponse(json::array({0, 1}));
}

absl::StatusOr<Response> AnswerVersion(Service& /*service*/, const Call& /*call*/) {
  return JsonResponse(kContractVersion);
}

// TensorStore's specification of the versioned store, with which it reads every voxel; null for an overlay, whose
// unedited voxels lie in another volume.
json KvStoreJson(const Service& service, const Request& request) {
  if (service.dataset.meta().original.has_value()) {
    return {};
  }
  const std::string base = absl::StrCat(UrlOf(service, request), "/ocdbt/", service.name, "/");
  json spec = {{"driver", "ocdbt"}, {"base", {{"driver", "http"}, {"base_url", base}}}};
  if (!service.dataset.segmentation().prefix().empty()) {
    spec["path"] = service.dataset.segmentation().prefix();
  }
  return spec;
}

json GraphJson(const Service& service, const Request& request) {
  const graph::IdLayout& layout = service.dataset.layout();
  json bit_masks;
  for (int layer = 1; layer <= layout.layer_count(); ++layer) {
    bit_masks[absl::StrCat(layer)] = layout.SpatialBits(layer);
  }
  const Extent3 chunk = layout.chunk_size();
  const Extent3 size = layout.volume().extent();
  return {{"chunk_size", {chunk.x, chunk.y, chunk.z}},
          {"n_layers", layout.layer_count()},
          {"n_bits_for_layer_id", 8},
          {"spatial_bit_masks", bit_masks},
          {"cv_mip", 0},
          {"bounding_box", {size.x, size.y, size.z}},
          {"ocdbt_seg", !service.dataset.meta().original.has_value()},
          {"kvstore", KvStoreJson(service, request)}};
}

// Meshes that others make are published under names that unchanged clients know, wherever they lie. dynamic_mesh_dir is
// the folder's real name, and served as well.
void AddStoredMeshes(const mesh::MeshMeta& meta, json& info) {
  info["mesh"] = kMeshFolder;
  info["mesh_dir"] = kMeshFolder;
  info["mesh_metadata"] = {{"uniform_draco_grid_size", meta.draco_grid_size_nm},
                           {"unsharded_mesh_dir", "dynamic"},
                           {"max_meshed_layer", meta.max_layer},
                           {"mip", meta.mip},
                           {"max_error", meta.max_error_nm},
                           {"initial_ts", SecondsJson(meta.initial_time)}};
  info["dynamic_mesh_dir"] = meta.dynamic_dir;
  info["sharded_mesh"] = true;
  info["verify_mesh"] = true;
}

// Meshes of L2 nodes, made when they are asked for (mesh_routes.cc). Positions lie on a lattice of half a voxel's
// smallest side (mesh/draco_mesh.h). A record of meshes that cannot be read is said by the routes of meshes: viewers
// show no voxels where an info names meshes that are not there.
void AddMeshes(const Service& service, json& info) {
  if (!service.manifests.ok()) {
    return;
  }
  if (*service.manifests != nullptr) {
    AddStoredMeshes((*service.manifests)->meta(), info);
    return;
  }
  const VoxelSizeNm voxel_size_nm = service.dataset.meta().voxel_size_nm;
  info["mesh"] = kMeshFolder;
  info["mesh_dir"] = kMeshFolder;
  info["mesh_metadata"] = {
      {"uniform_draco_grid_size", std::min({voxel_size_nm.x, voxel_size_nm.y, voxel_size_nm.z}) / 2},
      {"unsharded_mesh_dir", "dynamic"},
      {"max_meshed_layer", graph::kL2Layer}};
  info["dynamic_mesh_dir"] = "dynamic";
  info["sharded_mesh"] = true;
  info["verify_mesh"] = true;
}

// With ?timestamp, the voxels that it leads to are those of that time.
absl::StatusOr<Response> AnswerInfo(Service& service, const Call& call) {
  CLEAVE_RETURN_IF_ERROR(ViewOf(service, call.request).status());
  json info = json::parse(volume::FormatInfo(service.dataset.segmentation().info()));
  std::string data = absl::StrCat(UrlOf(service, call.request), "/data/", service.name, "/");
  if (const std::string* time = QueryOf(call.request, "timestamp"); time != nullptr && !time->empty()) {
    absl::StrAppend(&data, "at/", *time, "/");
  }
  info["app"] = {{"supported_api_versions", {0, 1}}};
  info["data_dir"] = data;
  info["chunks_start_at_voxel_offset"] = true;
  info["graph"] = GraphJson(service, call.request);
  AddMeshes(service, info);
  return JsonResponse(info);
}

// Where Neuroglancer (middleauth+https://) sends a user for a token: to {login_url}/api/v1/authorize.
absl::StatusOr<Response> AnswerAuthInfo(Service& service, const Call& /*call*/) {
  if (!service.login_url.has_value()) {
    return absl::NotFoundError("this server asks no auth server; give graphene:// without middleauth+");
  }
  return JsonResponse({{"login_url", *service.login_url}});
}

absl::StatusOr<Response> AnswerHealth(Service& /*service*/, const Call& /*call*/) { return TextResponse("ok\n"); }

// What nearly every answer needs: rows can be read, and voxels. Returns how many edits are in flight.
absl::StatusOr<size_t> TryToRead(graph::Dataset& dataset) {
  CLEAVE_ASSIGN_OR_RETURN(const auto in_flight, edit::OperationLog::ListInFlight(dataset.table()));
  const VoxelPoint corner[] = {dataset.layout().volume().lo};
  CLEAVE_RETURN_IF_ERROR(dataset.segmentation().ReadVoxels(volume::kFinestScale, corner).status());
  return in_flight.size();
}

absl::StatusOr<Response> AnswerReady(Service& service, const Call& /*call*/) {
  size_t in_flight_count = 0;
  for (const ServedDataset& served : service.datasets) {
    const absl::StatusOr<size_t> in_flight = TryToRead(*served.dataset);
    if (!in_flight.ok()) {
      return Annotate(in_flight.status(), absl::StrCat("the graph ", served.name));
    }
    in_flight_count += *in_flight;
  }
  return TextResponse(absl::StrCat("ready, with ", in_flight_count, " edits in flight\n"));
}

absl::StatusOr<Response> AnswerMetrics(Service& service, const Call& /*call*/) {
  if (service.visible.size() < service.datasets.size()) {
    return absl::PermissionDeniedError("metrics are about all graphs here; this needs the right 'view' for each");
  }
  CLEAVE_ASSIGN_OR_RETURN(std::vector<Figure> figures, ReadFigures(service.datasets, service.clock.Now()));
  if (service.more_figures) {
    std::ranges::move(service.more_figures(), std::back_inserter(figures));
  }
  Response response = TextResponse(service.metrics.Text(figures));
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  return response;
}

}  // namespace

std::vector<Route> HealthRoutes() {
  return {{"GET", "/healthz", Right::kNone, AnswerHealth},
          {"GET", "/readyz", Right::kNone, AnswerReady},
          {"GET", "/metrics", Right::kView, AnswerMetrics},
          {"GET", "/auth_info", Right::kNone, AnswerAuthInfo}};
}

std::vector<Route> InfoRoutes() {
  std::vector<Route> routes = {{"GET", "/segmentation/table/{graph}/info", Right::kView, AnswerInfo},
                               {"GET", "/segmentation/1.0/{graph}/info", Right::kView, AnswerInfo},
                               {"GET", "/segmentation/api/versions", Right::kNone, AnswerVersions},
                               {"GET", "/segmentation/api/version", Right::kNone, AnswerVersion}};
  for (const absl::string_view base : {"/segmentation/", "/meshing/"}) {
    for (const absl::string_view folder : {"", "api/v1/"}) {
      for (const absl::string_view page : {"", "index"}) {
        routes.push_back({"GET", absl::StrCat(base, folder, page), Right::kNone, AnswerBanner});
      }
    }
  }
  return routes;
}

}  // namespace cleave::server
