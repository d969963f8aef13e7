// Up and down the hierarchy: roots, children, leaves.
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "graph/descend.h"
#include "server/service.h"

namespace cleave::server {
namespace {

using graph::NodeId;
using nlohmann::json;

int LayerCount(const Service& service) { return service.dataset.layout().layer_count(); }

// The ancestors in ?stop_layer, or above it where a chain skips that layer; 0 for ids that the graph does not know.
// An id of that layer or above stands for itself.
absl::StatusOr<std::vector<NodeId>> RootsOf(Service& service, const Request& request, const std::vector<NodeId>& ids) {
  CLEAVE_ASSIGN_OR_RETURN(const int layer, StopLayerOf(request, LayerCount(service), LayerCount(service)));
  CLEAVE_ASSIGN_OR_RETURN(const graph::GraphView view, ViewOf(service, request));
  CLEAVE_ASSIGN_OR_RETURN(std::vector<NodeId> roots, view.Ancestors(ids, layer, graph::SkippedLayer::kGoAbove));
  for (size_t i = 0; i < roots.size(); ++i) {
    if (view.layout().LayerOf(roots[i]) < layer) {
      roots[i] = NodeId{};
    }
    if (roots[i] == NodeId{} && FlagOf(request, "assert_roots", false)) {
      return absl::NotFoundError(absl::StrCat("there is no node ", Value(ids[i]), " at this time"));
    }
  }
  return roots;
}

absl::StatusOr<Response> AnswerRoots(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> ids, IdsOf(call.request, "node_ids", service.limits));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> roots, RootsOf(service, call.request, ids));
  // The field's value is the name of a member, "root_ids".
  if (QueryOf(call.request, "as_binary") != nullptr && FlagOf(call.request, "as_binary", true)) {
    return BinaryResponse(roots);
  }
  return JsonResponse({{"root_ids", IdsJson(roots, WantsText(call.request))}});
}

absl::StatusOr<Response> AnswerRootsBinary(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> ids, BinaryIdsOf(call.request, service.limits));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> roots, RootsOf(service, call.request, ids));
  return BinaryResponse(roots);
}

// A supervoxel that was cut has no root any more: which of its pieces is meant, only a point could say. Nor has a
// fragment whose cut was undone with its ids.
absl::Status RefuseIfCut(const graph::GraphView& view, NodeId id) {
  if (view.layout().LayerOf(id) != graph::kSupervoxelLayer) {
    return absl::OkStatus();
  }
  const NodeId one[] = {id};
  CLEAVE_ASSIGN_OR_RETURN(const auto pieces, view.Replacements(one));
  return pieces[0].empty() ? absl::OkStatus()
                           : absl::FailedPreconditionError(
                                 absl::StrCat(graph::DescribeReplacement(id, pieces[0]), "; reload the segmentation"));
}

absl::StatusOr<Response> AnswerRoot(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const NodeId id, NodeOf(service, call.parts[0]));
  CLEAVE_ASSIGN_OR_RETURN(const graph::GraphView view, ViewOf(service, call.request));
  CLEAVE_RETURN_IF_ERROR(RefuseIfCut(view, id));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> roots, RootsOf(service, call.request, {id}));
  if (roots[0] == NodeId{}) {
    return absl::NotFoundError(absl::StrCat("there is no node ", Value(id), " at this time"));
  }
  if (roots[0] == id && view.layout().LayerOf(id) > graph::kSupervoxelLayer) {
    CLEAVE_RETURN_IF_ERROR(RequireNode(view, id));
  }
  return JsonResponse({{"root_id", IdJson(roots[0], WantsText(call.request))}});
}

absl::StatusOr<Response> AnswerChildren(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const NodeId id, NodeOf(service, call.parts[0]));
  CLEAVE_ASSIGN_OR_RETURN(const graph::GraphView view, ViewOf(service, call.request));
  const NodeId one[] = {id};
  CLEAVE_ASSIGN_OR_RETURN(const auto children, view.Children(one));
  if (children[0].empty() && view.layout().LayerOf(id) > graph::kSupervoxelLayer) {
    CLEAVE_RETURN_IF_ERROR(RequireNode(view, id));
  }
  CLEAVE_RETURN_IF_ERROR(CheckAnswerIds(service.limits, children[0].size()));
  return JsonResponse({{"children_ids", IdsJson(children[0], WantsText(call.request))}});
}

absl::StatusOr<graph::Descent> DescentOf(const Service& service, const Request& request) {
  graph::Descent descent;
  CLEAVE_ASSIGN_OR_RETURN(descent.box, CheckedBoundsOf(service, request));
  CLEAVE_ASSIGN_OR_RETURN(descent.stop_layer, StopLayerOf(request, graph::kSupervoxelLayer, LayerCount(service)));
  return descent;
}

// Superseded nodes keep their leaves: a page shows old roots until it is loaded again.
absl::StatusOr<Response> AnswerLeaves(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const NodeId id, NodeOf(service, call.parts[0]));
  CLEAVE_ASSIGN_OR_RETURN(const graph::Descent descent, DescentOf(service, call.request));
  CLEAVE_ASSIGN_OR_RETURN(const graph::GraphView view, ViewOf(service, call.request));
  const NodeId one[] = {id};
  CLEAVE_ASSIGN_OR_RETURN(const auto leaves, graph::Descendants(view, one, descent));
  if (leaves[0].empty()) {
    CLEAVE_RETURN_IF_ERROR(RequireNode(view, id));
  }
  CLEAVE_RETURN_IF_ERROR(CheckAnswerIds(service.limits, leaves[0].size()));
  return JsonResponse({{"leaf_ids", IdsJson(leaves[0], WantsText(call.request))}});
}

// Every id that was asked for is a key: viewers take a missing one for an error and ask again and again.
absl::StatusOr<Response> AnswerLeavesMany(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> ids, IdsOf(call.request, "node_ids", service.limits));
  CLEAVE_ASSIGN_OR_RETURN(const graph::Descent descent, DescentOf(service, call.request));
  CLEAVE_ASSIGN_OR_RETURN(const graph::GraphView view, ViewOf(service, call.request));
  for (const NodeId id : ids) {
    CLEAVE_RETURN_IF_ERROR(view.layout().Validate(id));
  }
  CLEAVE_ASSIGN_OR_RETURN(const auto leaves, graph::Descendants(view, ids, descent));
  size_t id_count = 0;
  for (const std::vector<NodeId>& list : leaves) {
    id_count += list.size();
  }
  CLEAVE_RETURN_IF_ERROR(CheckAnswerIds(service.limits, id_count));
  json body = json::object();
  for (size_t i = 0; i < ids.size(); ++i) {
    body[graph::ToString(ids[i])] = IdsJson(leaves[i], WantsText(call.request));
  }
  return JsonResponse(body);
}

absl::StatusOr<Response> AnswerCoveringNodes(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> ids, IdsOf(call.request, "node_ids", service.limits));
  CLEAVE_ASSIGN_OR_RETURN(const graph::GraphView view, ViewOf(service, call.request));
  for (const NodeId id : ids) {
    CLEAVE_RETURN_IF_ERROR(view.layout().Validate(id));
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> nodes, graph::MinimalCoveringNodes(view, ids));
  CLEAVE_RETURN_IF_ERROR(CheckAnswerIds(service.limits, nodes.size()));
  return FlagOf(call.request, "as_array", false) ? BinaryResponse(nodes)
                                                 : JsonResponse(IdsJson(nodes, WantsText(call.request)));
}

// l2, supervoxel, l2, supervoxel, ...
absl::StatusOr<std::vector<NodeId>> ChunkPairs(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const NodeId chunk, ParseNodeId(call.parts[0]));
  CLEAVE_ASSIGN_OR_RETURN(const graph::GraphView view, ViewOf(service, call.request));
  const graph::IdLayout& layout = view.layout();
  if (layout.LayerOf(chunk) != graph::kL2Layer || !layout.Validate(NodeId{Value(chunk) | 1}).ok()) {
    return absl::InvalidArgumentError(absl::StrCat(Value(chunk), " is not the id of a chunk of layer 2"));
  }
  CLEAVE_ASSIGN_OR_RETURN(const auto content, graph::ReadL2Chunk(view, layout.ChunkOf(chunk).position));
  std::vector<NodeId> pairs;
  for (const graph::L2Content& l2 : content) {
    for (const NodeId supervoxel : l2.supervoxels) {
      pairs.insert(pairs.end(), {l2.node, supervoxel});
    }
  }
  CLEAVE_RETURN_IF_ERROR(CheckAnswerIds(service.limits, pairs.size()));
  return pairs;
}

absl::StatusOr<Response> AnswerChunkBinary(Service& service, const Call& call) {
  if (!FlagOf(call.request, "as_array", false)) {
    return absl::InvalidArgumentError("ask with as_array=True; a Python pickle is not given");
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> pairs, ChunkPairs(service, call));
  return BinaryResponse(pairs);
}

absl::StatusOr<Response> AnswerChunk(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> pairs, ChunkPairs(service, call));
  return JsonResponse({{"l2_chunk_children", IdsJson(pairs, WantsText(call.request))}});
}

}  // namespace

std::vector<Route> NodeRoutes() {
  const std::string base = kSegmentation;
  return {{"GET", base + "node/{}/root", Right::kView, AnswerRoot},
          {"GET", base + "node/{}/children", Right::kView, AnswerChildren},
          {"GET", base + "node/{}/leaves", Right::kView, AnswerLeaves},
          {"POST", base + "node/leaves_many", Right::kView, AnswerLeavesMany},
          {"POST", base + "leaves_many", Right::kView, AnswerLeavesMany},
          {"POST", base + "roots", Right::kView, AnswerRoots},
          {"POST", base + "roots_binary", Right::kView, AnswerRootsBinary},
          {"POST", base + "minimal_covering_nodes", Right::kView, AnswerCoveringNodes},
          {"GET", base + "l2_chunk_children/{}", Right::kView, AnswerChunk},
          {"GET", base + "l2_chunk_children_binary/{}", Right::kView, AnswerChunkBinary}};
}

}  // namespace cleave::server
