// What mesh workers and clients must know of a graph's meshes, which other programs make and lay into one folder:
//
//   FOLDER/DIR/info                           neuroglancer_legacy_mesh: chunk size, scale, sharding by layer
//   (mesh_info.h) FOLDER/DIR/initial/LAYER/CHUNK-SHARD.shard   meshes of nodes that were there before the initial time,
//   in shards FOLDER/DIR/DYNAMIC/NODE:0:BOX             those of nodes that edits made since, a file each
//
// The record stands where PyChunkedGraph keeps it: row "meta" of the table, custom_data["mesh"], a dict of dir,
// dynamic_mesh_dir, max_layer, mip, max_error, verify and initial_ts (seconds since 1970), and Cleave's own folder and
// uniform_draco_grid_size. Several graphs over one segmentation share the shards; each has a DYNAMIC of its own.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "table/table.h"

namespace cleave::mesh {

struct MeshMeta {
  std::string folder = {};       // URL of a store; "": the project's own folder "meshes"
  std::string dir = {};          // a relative path
  std::string dynamic_dir = {};  // a relative path below `dir`
  int max_layer = 2;             // of the nodes that get a mesh; 2 or more
  int mip = 0;                   // the scale that meshes are made of
  double max_error_nm = 0;       // of simplification
  bool verify = true;            // whether manifests name only what is there. Cleave's always do
  absl::Time initial_time = {};  // whole milliseconds. Nodes that were made before it are looked for in shards
  double draco_grid_size_nm = 1;

  friend bool operator==(const MeshMeta&, const MeshMeta&) = default;
};

// The dict as compact JSON text.
[[nodiscard]] std::string FormatMeshMeta(const MeshMeta& meta);
// Members of others are ignored; max_error, verify, folder and grid size may be missing, and so may dynamic_mesh_dir,
// which is "dynamic" then, as the field has it. DATA_LOSS names the member that is wrong.
[[nodiscard]] absl::StatusOr<MeshMeta> ParseMeshMeta(absl::string_view json);

// Nothing when the graph has no such record. DATA_LOSS as ParseMeshMeta, and when row "meta" cannot be read.
[[nodiscard]] absl::StatusOr<std::optional<MeshMeta>> ReadMeshMeta(const table::TableReader& table);

// Sets the record in row "meta"; all else in it stays. `record`: what the row is made of where there is none
// (graph::EncodePeerRecord). Errors as table::WithCustomData.
[[nodiscard]] absl::Status WriteMeshMeta(table::Table& table, const MeshMeta& meta, const std::string& record);

// OK for one or several names of letters, digits, '_', '-' and '.', with '/' between, none of them "." or "..": what
// can stand in a URL as it is.
[[nodiscard]] absl::Status ValidateMeshDir(absl::string_view dir);

}  // namespace cleave::mesh
