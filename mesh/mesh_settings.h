// What is asked of a graph's meshes, and its storing: the record and the file "info" that mesh workers and clients go
// by (mesh_meta.h, mesh_info.h). No mesh is made here.
//
// As a section of a dataset file (ingest/dataset_file.h), all keys optional, '_' as good as '-':
//
//   mesh:
//     folder: file:///data/meshes/       or an absolute path; default: the project's own folder "meshes"
//     dir: mesh                          below it
//     dynamic-dir: dynamic_GRAPH         below dir; of this graph alone
//     max-layer: 6                       the highest layer whose nodes get meshes; default: below the root, at most 6
//     mip: 1                             the scale that they are made of; default: 0
//     max-error: 40                      of simplification, in nm; default: 40
//     draco-grid-size: 4                 in nm; default: half of the smallest side of a voxel
//     initial-time: 2026-01-31T12:00:00Z  nodes made before it are in shards; default: right after the ingest
//     minishard-bits: 3                  of every layer
//     sharding: {2: {minishard_bits: 6}} of single layers, with members as Neuroglancer names them
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "graph/dataset.h"
#include "mesh/mesh_info.h"
#include "mesh/mesh_meta.h"

namespace cleave::mesh {

struct MeshSettings {
  std::optional<std::string> folder = {};  // URL; "" is the project's own
  std::optional<std::string> dir = {};
  std::optional<std::string> dynamic_dir = {};
  std::optional<int> max_layer = {};
  std::optional<int> mip = {};
  std::optional<double> max_error_nm = {};
  std::optional<double> draco_grid_size_nm = {};
  std::optional<absl::Time> initial_time = {};
  std::optional<int> minishard_bits = {};
  std::map<int, ShardingSpec> sharding = {};
};

// The section as JSON text, whose scalars may be text. INVALID_ARGUMENT names the key that is unknown or wrong.
[[nodiscard]] absl::StatusOr<MeshSettings> ParseMeshSettings(absl::string_view json);
// A path or URL as the URL of a store. INVALID_ARGUMENT for a relative path.
[[nodiscard]] absl::StatusOr<std::string> MeshFolderUrl(absl::string_view folder);

// A member of the record or of info that is not what it was; values as JSON text, "" where there was or is none.
struct MeshChange {
  std::string where;  // "record" or "info"
  std::string member;
  std::string before;
  std::string now;
};

struct MeshMetaReport {
  MeshMeta meta;
  MeshInfo info;
  std::string info_file;
  bool is_first = false;
  bool kept_initial_time = false;   // another one was asked for
  std::vector<MeshChange> changes;  // of a graph that had a record
};

// Stores what is asked; where nothing is asked what stood there stays, and without that come the defaults. The first
// initial time stays for ever: it says where each mesh lies. Running it again changes nothing. A crash between its two
// writes leaves an info that the next run finds.
// INVALID_ARGUMENT for a layer, scale or folder that cannot be; ABORTED when another writes info just now; else errors
// of the store and as WithCustomData and ParseMeshMeta.
[[nodiscard]] absl::StatusOr<MeshMetaReport> StoreMeshMeta(graph::Dataset& dataset, const MeshSettings& settings);

// The store of FOLDER.
[[nodiscard]] absl::StatusOr<std::shared_ptr<store::Store>> OpenMeshStore(graph::Dataset& dataset,
                                                                          const MeshMeta& meta);

}  // namespace cleave::mesh
