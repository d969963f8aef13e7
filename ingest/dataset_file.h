// What is to be ingested, and how, as a file that people write (YAML; JSON is YAML too):
//
//   project: demo                             the folder to make
//   time: 2026-01-31T12:00:00Z                of all cells that ingest writes; default: when it begins
//   graph:
//     id: graph
//     chunk-size: [256, 256, 512]
//     edges: /data/edges                      with these two, labels are supervoxel ids: chunk_files.h
//     components: /data/components
//     agglomeration: objects.csv              without edges: labels become supervoxels, as IngestOptions say
//     fuse: [[17, 23]]
//     pieces: pieces.csv
//   voxels:
//     segmentation: file:///data/watershed/
//     resolution: [8, 8, 40]
//     offset: [0, 0, 0]
//     base: copy                              or overlay
//     scales: 5
//   jobs:
//     chunks: 8                               chunks of one job; default: about 16 million voxels
//     redis: redis://host:6379/0              share jobs through this Redis server; default: through files
//   mesh: {...}                               kept with the project; mesh/mesh_settings.h tells the keys
//
// Only project, voxels.segmentation and graph.chunk-size must be there (the latter not without edges). Paths are taken
// from the folder of the file; what has "://" is an URL and stays as it is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "ingest/file_ingest.h"

namespace cleave::ingest {

struct DatasetFile {
  // `edges` is empty where the labels are no supervoxel ids. All paths are absolute.
  FileIngestOptions options;
  std::optional<absl::Time> time;
  int64_t chunks_per_job = 0;  // 0: chosen by size (chunk_lots.h)
  std::string redis;           // the URL of a Redis server; "" when there is none
  std::string mesh;            // the section as JSON text; "" when there is none

  [[nodiscard]] bool from_chunk_files() const { return !options.edges.empty(); }
};

// `folder` is absolute. INVALID_ARGUMENT names the line of what is wrong: no YAML, a key that is unknown, missing, or
// there twice, a value of another kind.
[[nodiscard]] absl::StatusOr<DatasetFile> ParseDatasetFile(absl::string_view text, const std::string& folder);
// The same from a file, which errors name. NOT_FOUND when it cannot be read.
[[nodiscard]] absl::StatusOr<DatasetFile> ReadDatasetFile(const std::string& path);
// JSON text that ParseDatasetFile reads alike, whatever the folder.
[[nodiscard]] std::string EncodeDatasetFile(const DatasetFile& dataset);

}  // namespace cleave::ingest
