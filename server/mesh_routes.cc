// Meshes of nodes. None are made yet: a manifest lists only fragments that exist, so it is empty, and a request to make
// some is refused rather than forgotten.
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "server/service.h"

namespace cleave::server {
namespace {

using nlohmann::json;

// "ID:0": the level of detail is always 0.
absl::StatusOr<Response> AnswerManifest(Service& service, const Call& call) {
  const std::vector<std::string> words = absl::StrSplit(call.parts[0], ':');
  CLEAVE_ASSIGN_OR_RETURN(const graph::NodeId id, NodeOf(service, words[0]));
  CLEAVE_RETURN_IF_ERROR(BoundsOf(call.request).status());
  if (service.dataset.layout().LayerOf(id) < graph::kL2Layer) {
    return absl::InvalidArgumentError(absl::StrCat("supervoxel ", Value(id), " has no mesh; ask for its L2 node"));
  }
  CLEAVE_RETURN_IF_ERROR(RequireNode(service.dataset.Now(), id));
  return JsonResponse({{"fragments", json::array()},
                       {"seg_ids", json::array()},
                       {"seg_id_layers", json::array()},
                       {"seg_chunk_coordinates", json::array()}});
}

absl::StatusOr<Response> AnswerRemeshing(Service& service, const Call& call) {
  CLEAVE_RETURN_IF_ERROR(IdsOf(call.request, "new_lvl2_ids", service.limits).status());
  return absl::UnimplementedError("no meshes are made by this server");
}

// There is no cache of manifests: the next answer is always a new one.
absl::StatusOr<Response> AnswerClearCache(Service& /*service*/, const Call& /*call*/) {
  return JsonResponse(json::object());
}

}  // namespace

std::vector<Route> MeshRoutes() {
  const std::string base = kMeshing;
  return {{"GET", base + "manifest/{}", Right::kView, AnswerManifest},
          {"POST", base + "remeshing", Right::kEdit, AnswerRemeshing},
          {"POST", base + "clear_manifest_cache/{}", Right::kAdmin, AnswerClearCache},
          {"POST", base + "clear_manifest_cache", Right::kAdmin, AnswerClearCache}};
}

}  // namespace cleave::server
