// The file "info" of a folder of meshes, as Neuroglancer and CloudVolume read it beside a chunked graph. (Source:
// Neuroglancer's precomputed meshes; CloudVolume's graphene source.)
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/geometry.h"
#include "mesh/sharded_index.h"

namespace cleave::mesh {

struct MeshInfo {
  int mip = 0;                           // the scale that meshes are made of
  Extent3 chunk_size;                    // voxels of an L2 chunk
  std::map<int, ShardingSpec> sharding;  // of the initial meshes, by layer

  friend bool operator==(const MeshInfo&, const MeshInfo&) = default;
};

// JSON text for people to read.
[[nodiscard]] std::string FormatMeshInfo(const MeshInfo& info);
// Members of others are ignored. DATA_LOSS names what is missing or wrong: also data that is compressed in the shards,
// since clients read a mesh by its range of bytes and inflate nothing.
[[nodiscard]] absl::StatusOr<MeshInfo> ParseMeshInfo(absl::string_view json);

}  // namespace cleave::mesh
