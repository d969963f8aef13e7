// The meshes that other programs made, as they lie in their folder (mesh_meta.h): which are there, and where.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "graph/ids.h"
#include "mesh/manifest_cache.h"
#include "mesh/mesh_info.h"
#include "mesh/mesh_meta.h"
#include "store/store.h"

namespace cleave::mesh {

// "NODE:0:x0-x1_y0-y1_z0-z1", the file of a node's mesh: its chunk in voxels, counted from the volume's corner, not
// clipped. Clients build that name too.
[[nodiscard]] std::string DynamicFileName(const graph::IdLayout& layout, graph::NodeId node);

// Thread-safe. Reads files on several threads, since they may be far away.
class MeshFiles {
 public:
  // FAILED_PRECONDITION when there is no info, DATA_LOSS when it is damaged, else errors of the store.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<MeshFiles>> Open(std::shared_ptr<const store::Store> store,
                                                                       MeshMeta meta, const graph::IdLayout& layout);

  [[nodiscard]] const MeshInfo& info() const { return info_; }

  // Looks into the shards: a kShard or kAbsent for each node; nullopt for nodes of layers without shards. Two or three
  // reads a file, however many nodes. DATA_LOSS names a file that is damaged; ABORTED when one is written anew again
  // and again meanwhile.
  [[nodiscard]] absl::StatusOr<std::vector<std::optional<CachedMesh>>> FindInitial(
      std::span<const graph::NodeId> nodes) const;
  // Whether each node has a file of its own.
  [[nodiscard]] absl::StatusOr<std::vector<bool>> FindDynamic(std::span<const graph::NodeId> nodes) const;
  // The generation of each file of shards, Absent() where there is none.
  [[nodiscard]] absl::StatusOr<std::vector<store::Generation>> Generations(
      std::span<const std::string> shard_files) const;

  // Keys of the store.
  [[nodiscard]] std::string InitialKey(absl::string_view shard_file) const;
  [[nodiscard]] std::string DynamicKey(graph::NodeId node) const;

 private:
  MeshFiles(std::shared_ptr<const store::Store> store, MeshMeta meta, MeshInfo info, const graph::IdLayout& layout)
      : store_(std::move(store)), meta_(std::move(meta)), info_(std::move(info)), layout_(layout) {}

  struct Wanted;
  [[nodiscard]] absl::Status LookInto(const std::string& file, const ShardingSpec& spec,
                                      std::vector<Wanted>& wanted) const;
  [[nodiscard]] absl::StatusOr<bool> TryToLookInto(const std::string& file, const ShardingSpec& spec,
                                                   std::vector<Wanted>& wanted) const;

  const std::shared_ptr<const store::Store> store_;
  const MeshMeta meta_;
  const MeshInfo info_;
  const graph::IdLayout layout_;
};

}  // namespace cleave::mesh
