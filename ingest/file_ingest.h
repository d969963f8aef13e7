// A project from the field's own input: a segmentation whose supervoxels carry chunk ids, and a folder each of edge and
// component files (chunk_files.h).
//
//   FileIngestOptions options;
//   options.base.project_folder = "demo";
//   options.base.labels = "file:///data/watershed/";
//   options.edges = "/data/edges";
//   options.components = "/data/components";
//   CLEAVE_ASSIGN_OR_RETURN(const IngestReport report, IngestFiles(options, *MakeProgressBar()));
//
// An ingest that fails or is stopped, at whatever point, goes on when it is run again with the same options, and the
// result is that of one that nothing disturbed. What is wrong with the input may be mended in between.
#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "base/progress.h"
#include "ingest/ingest.h"
#include "volume/label_source.h"

namespace cleave::ingest {

struct FileIngestOptions {
  // Agglomeration and fusing are for labels: not looked at.
  IngestOptions base;
  // Paths or URLs of folders. Without components no edge is active but those across chunks.
  std::string edges;
  std::string components;
};

// Errors beside those of Ingest, MakeFileLayer and ChunkFolders::Open: FAILED_PRECONDITION when the folder holds a
// project of another request, or one that `cleave init` left half made. A project that is whole already is left as it
// is, and its counts are reported.
[[nodiscard]] absl::StatusOr<IngestReport> IngestFiles(const FileIngestOptions& options, Progress& progress);

// The same from a segmentation that is open already; `options.base.labels` only names it.
[[nodiscard]] absl::StatusOr<IngestReport> IngestFilesFrom(const volume::LabelSource& segmentation,
                                                           const FileIngestOptions& options, Progress& progress);

}  // namespace cleave::ingest
