// The meshes of a served dataset that other programs make, if its graph has a record of them (mesh/mesh_meta.h).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "graph/dataset.h"
#include "mesh/manifest.h"

namespace cleave::server {

// Makes the cache of one dataset's manifests: its name, and what entries speak of (mesh::CacheIdentity).
using ManifestCacheMaker =
    std::function<std::unique_ptr<mesh::ManifestCache>(const std::string& name, const std::string& identity)>;

// Null when the graph has no record, or nothing lies where it says, not even info: so it is with a table of
// PyChunkedGraph that was loaded without its meshes. Without a maker the cache is in memory. Errors as
// mesh::ReadMeshMeta and mesh::OpenMeshStore. The dataset must outlive what is returned.
[[nodiscard]] absl::StatusOr<std::unique_ptr<mesh::Manifests>> OpenManifests(graph::Dataset& dataset,
                                                                             const std::string& name,
                                                                             const ManifestCacheMaker& maker);

}  // namespace cleave::server
