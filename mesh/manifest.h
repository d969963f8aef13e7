// The manifest of a node: which nodes below it have a mesh, the highest ones, and where these lie.
//
//   1. The highest nodes of a layer <= the start layer begin.
//   2. What the cache knows of them is taken; marks of absence only if the shard's generation is still that of the
//   mark.
//   3. The others are looked for: nodes that were made before the initial time in the shards, later ones as files.
//   4. A node without a mesh gives way to its children, down to layer 2. A node of one child never has a mesh. An L2
//   node
//      without one is left out: a client that asks again finds it when a worker has made it.
// No round reads rows, shards or the folder node by node: one batch a round, and there are at most as many as layers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

#include "graph/dataset.h"
#include "graph/graph_view.h"
#include "mesh/manifest_cache.h"
#include "mesh/mesh_files.h"
#include "mesh/mesh_meta.h"

namespace cleave::mesh {

struct ManifestFragment {
  graph::NodeId node{};
  std::optional<ShardFragment> shard;  // nullopt: a file of its own
};

struct ManifestQuery {
  int start_layer = graph::kL2Layer;
  std::optional<Box> box = {};  // only nodes whose chunk overlaps it
  // Asked with the number of nodes looked at in each round; its error ends the search.
  std::function<absl::Status(size_t nodes)> check = {};
};

// Of one search: nodes whose place the cache knew, those it knew as absent and rightly so, those whose mark was of
// another generation, and those that it did not know.
struct ManifestCounts {
  int64_t found = 0;
  int64_t absent = 0;
  int64_t outdated = 0;
  int64_t unknown = 0;
};

struct Manifest {
  std::vector<ManifestFragment> fragments;  // ascending by node
  ManifestCounts counts;
};

// Names a record and an info, for caches that outlive a process: entries of other ones are not theirs.
[[nodiscard]] std::string CacheIdentity(graph::Dataset& dataset, const MeshMeta& meta);

// Thread-safe. The dataset must outlive it.
class Manifests {
 public:
  Manifests(graph::Dataset& dataset, MeshMeta meta, std::shared_ptr<store::Store> store,
            std::unique_ptr<ManifestCache> cache);

  [[nodiscard]] const MeshMeta& meta() const { return meta_; }
  [[nodiscard]] const store::Store& store() const { return *store_; }
  // Opened when it is first asked for. Errors as MeshFiles::Open.
  [[nodiscard]] absl::StatusOr<const MeshFiles*> Files();

  // REQUIRES: `node` exists in the view and has a layer >= 2. Errors as MeshFiles and of the table.
  [[nodiscard]] absl::StatusOr<Manifest> Find(const graph::GraphView& view, graph::NodeId node,
                                              const ManifestQuery& query);
  // What the cache knows of single nodes, of a node and all below it of layers >= 2 (returns how many these are), and
  // all of it. Errors as ManifestCache and of the table.
  [[nodiscard]] absl::Status Forget(std::span<const graph::NodeId> nodes) { return cache_->Forget(nodes); }
  [[nodiscard]] absl::StatusOr<int64_t> ForgetBelow(const graph::GraphView& view, graph::NodeId node);
  [[nodiscard]] absl::Status Clear() { return cache_->Clear(); }

  [[nodiscard]] int64_t cache_error_count() const { return cache_->error_count(); }

 private:
  class Search;

  graph::Dataset& dataset_;
  const MeshMeta meta_;
  const std::shared_ptr<store::Store> store_;
  const std::unique_ptr<ManifestCache> cache_;
  absl::Mutex mutex_;
  std::unique_ptr<MeshFiles> files_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cleave::mesh
