#include "server/node_meshes.h"

#include "absl/strings/str_cat.h"

#include "base/progress.h"
#include "base/status.h"
#include "graph/node_times.h"
#include "mesh/draco_mesh.h"
#include "mesh/object_mesh.h"

namespace cleave::server {

using graph::NodeId;

absl::StatusOr<std::shared_ptr<const std::string>> NodeMeshes::Get(NodeId l2_node) {
  if (std::shared_ptr<const std::string> kept = Find(l2_node); kept != nullptr) {
    return kept;
  }
  CLEAVE_ASSIGN_OR_RETURN(std::string made, Make(l2_node));
  auto mesh = std::make_shared<const std::string>(std::move(made));
  Keep(l2_node, mesh);
  return mesh;
}

absl::StatusOr<std::string> NodeMeshes::Make(NodeId l2_node) {
  CLEAVE_RETURN_IF_ERROR(dataset_.layout().Validate(l2_node));
  if (dataset_.layout().LayerOf(l2_node) != graph::kL2Layer) {
    return absl::InvalidArgumentError(absl::StrCat("node ", Value(l2_node), " has no mesh of its own; L2 nodes have"));
  }
  const NodeId one[] = {l2_node};
  CLEAVE_ASSIGN_OR_RETURN(const auto created, graph::CreationTimes(dataset_.Now(), one));
  if (!created[0].has_value()) {
    return absl::NotFoundError(absl::StrCat("there is no node ", Value(l2_node)));
  }
  CLEAVE_ASSIGN_OR_RETURN(const auto segmentation, past_volumes_.At(*created[0]));
  const VoxelSizeNm voxel_size_nm = dataset_.meta().voxel_size_nm;
  CLEAVE_ASSIGN_OR_RETURN(const mesh::Mesh mesh,
                          mesh::MeshOfNode(dataset_.View(*created[0]), *segmentation, voxel_size_nm, l2_node,
                                           std::nullopt, Progress::Silent()));
  return mesh::EncodeDraco(mesh, voxel_size_nm);
}

std::shared_ptr<const std::string> NodeMeshes::Find(NodeId l2_node) {
  const std::lock_guard lock(mutex_);
  const auto place = places_.find(l2_node);
  if (place == places_.end()) {
    return nullptr;
  }
  kept_.splice(kept_.begin(), kept_, place->second);
  return kept_.front().second;
}

void NodeMeshes::Keep(NodeId l2_node, const std::shared_ptr<const std::string>& mesh) {
  const std::lock_guard lock(mutex_);
  if (places_.contains(l2_node)) {
    return;
  }
  kept_.emplace_front(l2_node, mesh);
  places_[l2_node] = kept_.begin();
  bytes_ += mesh->size();
  while (bytes_ > kMeshBytesKept && kept_.size() > 1) {
    bytes_ -= kept_.back().second->size();
    places_.erase(kept_.back().first);
    kept_.pop_back();
  }
}

}  // namespace cleave::server
