// Meshes of L2 nodes, made from the voxels when somebody asks for them.
//
// An L2 node is never changed: an edit that changes its content gives it a successor with an id of its own. Viewers
// count on that, and keep what they have for as long as the page stays open. So a mesh is made from the voxels and the
// graph of the instant at which its node was made, whatever has become of them since.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"

#include "graph/dataset.h"
#include "graph/ids.h"
#include "server/past_volumes.h"

namespace cleave::server {

inline constexpr size_t kMeshBytesKept = size_t{64} << 20;

// Thread-safe. What it is given must outlive it. Keeps up to kMeshBytesKept, those that were asked for last.
class NodeMeshes {
 public:
  NodeMeshes(graph::Dataset& dataset, PastVolumes& past_volumes) : dataset_(dataset), past_volumes_(past_volumes) {}

  // In Draco's encoding (mesh/draco_mesh.h). NOT_FOUND when there is no such node, INVALID_ARGUMENT when its layer is
  // not 2. Memory: a byte per voxel of a chunk.
  [[nodiscard]] absl::StatusOr<std::shared_ptr<const std::string>> Get(graph::NodeId l2_node);

 private:
  using Kept = std::pair<graph::NodeId, std::shared_ptr<const std::string>>;

  [[nodiscard]] absl::StatusOr<std::string> Make(graph::NodeId l2_node);
  [[nodiscard]] std::shared_ptr<const std::string> Find(graph::NodeId l2_node);
  void Keep(graph::NodeId l2_node, const std::shared_ptr<const std::string>& mesh);

  graph::Dataset& dataset_;
  PastVolumes& past_volumes_;
  std::mutex mutex_;
  std::list<Kept> kept_;  // the last used first
  absl::flat_hash_map<graph::NodeId, std::list<Kept>::iterator> places_;
  size_t bytes_ = 0;
};

}  // namespace cleave::server
