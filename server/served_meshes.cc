#include "server/served_meshes.h"

#include <optional>
#include <utility>

#include "base/status.h"
#include "mesh/memory_manifest_cache.h"
#include "mesh/mesh_settings.h"

namespace cleave::server {

absl::StatusOr<std::unique_ptr<mesh::Manifests>> OpenManifests(graph::Dataset& dataset, const std::string& name,
                                                               const ManifestCacheMaker& maker) {
  CLEAVE_ASSIGN_OR_RETURN(std::optional<mesh::MeshMeta> meta, mesh::ReadMeshMeta(dataset.table()));
  if (!meta.has_value()) {
    return nullptr;
  }
  CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<store::Store> store, mesh::OpenMeshStore(dataset, *meta));
  CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult info,
                          store->Read(meta->dir + "/info", {.range = {.begin = 0, .end = 0}}));
  if (!info.value.has_value()) {
    return nullptr;
  }
  std::unique_ptr<mesh::ManifestCache> cache;
  if (maker) {
    cache = maker(name, mesh::CacheIdentity(dataset, *meta));
  } else {
    cache = std::make_unique<mesh::MemoryManifestCache>();
  }
  return std::make_unique<mesh::Manifests>(dataset, *std::move(meta), std::move(store), std::move(cache));
}

}  // namespace cleave::server
