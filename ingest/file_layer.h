// The atomic layer of a project from the field's chunk files, resumable after any stop.
#pragma once

#include <cstdint>

#include "absl/status/status.h"

#include "ingest/atomic_layer.h"
#include "ingest/chunk_files.h"
#include "ingest/ingest_state.h"
#include "volume/label_source.h"

namespace cleave::ingest {

struct FileLayerInput {
  const volume::LabelSource& segmentation;  // of the extent of the dataset's volume; labels are supervoxel ids
  const ChunkFolders& folders;
};

// Copies the voxels to the base and the edge files to the project, and writes the rows of layers 1 and 2, in parallel
// over chunks; those that an earlier run has marked are left as they are. Then compares what neighbours say of their
// common border. When all is well `state` moves on to the first layer of parents.
// Errors name the chunk, and what is done stays done: after the input is mended, running again goes on. DATA_LOSS
// beside those of ChunkFolders::Read: a voxel that holds what is no supervoxel of its chunk; neighbours that disagree
// (these chunks are taken back and will be read again).
[[nodiscard]] absl::Status MakeFileLayer(const Workplace& workplace, const FileLayerInput& input, IngestState& state);

}  // namespace cleave::ingest
