#include "mesh/manifest.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "graph/descend.h"
#include "graph/node_times.h"

namespace cleave::mesh {

using graph::NodeId;

std::string CacheIdentity(graph::Dataset& dataset, const MeshMeta& meta) {
  return absl::StrCat(absl::ToUnixMillis(dataset.meta().ingested), " ", FormatMeshMeta(meta));
}

Manifests::Manifests(graph::Dataset& dataset, MeshMeta meta, std::shared_ptr<store::Store> store,
                     std::unique_ptr<ManifestCache> cache)
    : dataset_(dataset), meta_(std::move(meta)), store_(std::move(store)), cache_(std::move(cache)) {}

absl::StatusOr<const MeshFiles*> Manifests::Files() {
  const absl::MutexLock lock(&mutex_);
  if (files_ == nullptr) {
    CLEAVE_ASSIGN_OR_RETURN(files_, MeshFiles::Open(store_, meta_, dataset_.layout()));
  }
  return files_.get();
}

// One search for the meshes of one node.
class Manifests::Search {
 public:
  Search(Manifests& manifests, const MeshFiles& files, const graph::GraphView& view, const ManifestQuery& query)
      : manifests_(manifests), files_(files), view_(view), query_(query) {}

  absl::StatusOr<Manifest> Run(NodeId node) {
    const NodeId one[] = {node};
    CLEAVE_ASSIGN_OR_RETURN(
        auto first, graph::Descendants(
                        view_, one, {.stop_layer = std::max(query_.start_layer, graph::kL2Layer), .box = query_.box}));
    std::vector<NodeId> nodes = std::move(first[0]);
    while (!nodes.empty()) {
      if (query_.check) {
        CLEAVE_RETURN_IF_ERROR(query_.check(fragments_.size() + nodes.size()));
      }
      CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> without_mesh, Look(nodes));
      CLEAVE_ASSIGN_OR_RETURN(nodes, ChildrenOf(without_mesh));
    }
    std::ranges::sort(fragments_, {}, &ManifestFragment::node);
    return Manifest{std::move(fragments_), counts_};
  }

 private:
  // Adds the fragments of those that have a mesh, and returns the others.
  absl::StatusOr<std::vector<NodeId>> Look(const std::vector<NodeId>& nodes) {
    const CacheAnswer known = manifests_.cache_->Get(nodes);
    CLEAVE_ASSIGN_OR_RETURN(const auto generations, GenerationsOf(known.meshes));
    std::vector<NodeId> unknown;
    std::vector<NodeId> without_mesh;
    for (size_t i = 0; i < nodes.size(); ++i) {
      const std::optional<CachedMesh>& mesh = known.meshes[i];
      if (!mesh.has_value()) {
        ++counts_.unknown;
        unknown.push_back(nodes[i]);
      } else if (mesh->kind != CachedMesh::Kind::kAbsent) {
        ++counts_.found;
        Add(nodes[i], *mesh);
      } else if (generations.at(mesh->shard.file) == mesh->generation) {
        ++counts_.absent;
        without_mesh.push_back(nodes[i]);
      } else {
        ++counts_.outdated;
        unknown.push_back(nodes[i]);
      }
    }
    CLEAVE_RETURN_IF_ERROR(LookUp(unknown, known.token, without_mesh));
    return without_mesh;
  }

  absl::StatusOr<std::map<std::string, store::Generation>> GenerationsOf(
      const std::vector<std::optional<CachedMesh>>& meshes) {
    std::map<std::string, store::Generation> generations;
    for (const std::optional<CachedMesh>& mesh : meshes) {
      if (mesh.has_value() && mesh->kind == CachedMesh::Kind::kAbsent) {
        generations[mesh->shard.file];
      }
    }
    std::vector<std::string> files;
    files.reserve(generations.size());
    for (const auto& [file, generation] : generations) {
      files.push_back(file);
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<store::Generation> found, files_.Generations(files));
    for (size_t i = 0; i < files.size(); ++i) {
      generations[files[i]] = found[i];
    }
    return generations;
  }

  absl::Status LookUp(const std::vector<NodeId>& nodes, const std::string& token, std::vector<NodeId>& without_mesh) {
    CLEAVE_ASSIGN_OR_RETURN(const auto created, graph::CreationTimes(view_, nodes));
    std::vector<NodeId> initial;
    std::vector<NodeId> dynamic;
    for (size_t i = 0; i < nodes.size(); ++i) {
      (created[i].value_or(absl::InfinitePast()) < manifests_.meta_.initial_time ? initial : dynamic)
          .push_back(nodes[i]);
    }
    CLEAVE_ASSIGN_OR_RETURN(const auto in_shards, files_.FindInitial(initial));
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<bool> as_files, files_.FindDynamic(dynamic));
    std::vector<CacheEntry> entries;
    const auto take = [&](NodeId node, const std::optional<CachedMesh>& mesh) {
      if (mesh.has_value()) {
        entries.push_back({node, *mesh});
      }
      if (mesh.has_value() && mesh->kind != CachedMesh::Kind::kAbsent) {
        Add(node, *mesh);
      } else {
        without_mesh.push_back(node);
      }
    };
    for (size_t i = 0; i < initial.size(); ++i) {
      take(initial[i], in_shards[i]);
    }
    for (size_t i = 0; i < dynamic.size(); ++i) {
      take(dynamic[i], as_files[i] ? std::optional(CachedMesh{.kind = CachedMesh::Kind::kFile}) : std::nullopt);
    }
    manifests_.cache_->Put(entries, token);
    return absl::OkStatus();
  }

  void Add(NodeId node, const CachedMesh& mesh) {
    fragments_.push_back({node, mesh.kind == CachedMesh::Kind::kShard ? std::optional(mesh.shard) : std::nullopt});
  }

  absl::StatusOr<std::vector<NodeId>> ChildrenOf(std::vector<NodeId> nodes) {
    const graph::IdLayout& layout = view_.layout();
    std::erase_if(nodes, [&](NodeId node) { return layout.LayerOf(node) <= graph::kL2Layer; });
    CLEAVE_ASSIGN_OR_RETURN(const auto children, view_.Children(nodes));
    std::vector<NodeId> below;
    for (const std::vector<NodeId>& some : children) {
      for (const NodeId child : some) {
        if (!query_.box.has_value() || !Intersect(layout.ChunkBox(layout.ChunkOf(child)), *query_.box).empty()) {
          below.push_back(child);
        }
      }
    }
    return below;
  }

  Manifests& manifests_;
  const MeshFiles& files_;
  const graph::GraphView& view_;
  const ManifestQuery& query_;
  std::vector<ManifestFragment> fragments_;
  ManifestCounts counts_;
};

absl::StatusOr<Manifest> Manifests::Find(const graph::GraphView& view, NodeId node, const ManifestQuery& query) {
  CLEAVE_ASSIGN_OR_RETURN(const MeshFiles* files, Files());
  return Search(*this, *files, view, query).Run(node);
}

absl::StatusOr<int64_t> Manifests::ForgetBelow(const graph::GraphView& view, NodeId node) {
  std::vector<NodeId> all;
  std::vector<NodeId> nodes = {node};
  while (!nodes.empty()) {
    all.insert(all.end(), nodes.begin(), nodes.end());
    std::erase_if(nodes, [&](NodeId one) { return view.layout().LayerOf(one) <= graph::kL2Layer; });
    CLEAVE_ASSIGN_OR_RETURN(const auto children, view.Children(nodes));
    nodes.clear();
    for (const std::vector<NodeId>& some : children) {
      nodes.insert(nodes.end(), some.begin(), some.end());
    }
  }
  CLEAVE_RETURN_IF_ERROR(cache_->Forget(all));
  return std::ssize(all);
}

}  // namespace cleave::mesh
