// A segmentation becomes a project: a base volume of supervoxels, and the chunked graph over it.
//
//   IngestOptions options;
//   options.project_folder = "demo";
//   options.labels = "labels.npy.zst";
//   options.voxel_size_nm = VoxelSizeNm{8, 8, 40};
//   CLEAVE_ASSIGN_OR_RETURN(const IngestReport report, Ingest(options, *MakeProgressBar()));
//
// An ingest that fails leaves nothing. One that is stopped leaves a project that cannot be opened; delete its folder
// and begin again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "base/clock.h"
#include "base/geometry.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "ingest/label_map.h"
#include "volume/label_source.h"

namespace cleave::ingest {

// Where the voxels of the project are.
enum class BaseKind {
  kCopy,    // in the project: the pieces of the labels in each chunk become supervoxels
  kOverlay  // where they were: the labels are supervoxel ids, and stay what and where they are
};

struct IngestOptions {
  std::string project_folder;
  // What volume::OpenLabelSource takes: PATH.npy, PATH.npy.zst or the URL of a precomputed volume.
  std::string labels;
  std::string graph_id = "graph";
  // Needed where the source does not know it (a NumPy file); it wins where both do.
  std::optional<VoxelSizeNm> voxel_size_nm;
  // The first voxel of the project's volume; the source's own when not given.
  std::optional<VoxelPoint> voxel_offset;
  // Voxels of an L2 chunk. Memory is a few chunks a thread, and the surfaces of some planes of chunks.
  Extent3 chunk_size{128, 128, 128};
  BaseKind base = BaseKind::kCopy;
  // Scales of the project's volume, the finest among them; 0: until one fits in a single chunk of the
  // store, and of an overlay only the finest.
  int scales = 0;
  // A file as ParseAgglomeration reads it; empty: every label is an object of its own.
  std::string agglomeration_file;
  // Of an overlay: lines "supervoxel,label", what each supervoxel is a piece of. Pieces of one label that touch across
  // a chunk's border are held together for good. Empty, or not listed: a supervoxel is a label of its own.
  std::string pieces_file;
  std::vector<FusePair> fuse;
  int threads = DefaultThreadCount();
  Clock* clock = &Clock::System();
};

// Time spent in one step, added up over all threads.
struct StepTime {
  std::string step;
  double thread_seconds = 0;
};

struct IngestReport {
  int64_t voxels = 0;
  int64_t chunks = 0;
  int64_t supervoxels = 0;
  int64_t edges_inside = 0;   // of chunks
  int64_t edges_between = 0;  // chunks, finite; each counted once though stored on both sides
  int64_t edges_cross = 0;    // pieces of one label in two chunks; likewise
  int64_t l2_nodes = 0;
  int64_t roots = 0;
  double seconds = 0;
  std::vector<StepTime> steps;
};

// Opens the labels and ingests them. Beside the errors of LabelSource and ReadAgglomeration:
//   INVALID_ARGUMENT  an option is wrong, or the voxel size is not known; of an overlay also: the labels are no
//                     supervoxel ids, or as volume::FindOriginal
//   NOT_FOUND         a label that is to be fused does not exist in the volume
//   ALREADY_EXISTS    the folder exists and is not empty; it is left as it was
[[nodiscard]] absl::StatusOr<IngestReport> Ingest(const IngestOptions& options, Progress& progress);

// The same from a source that is open already; `options.labels` is not looked at, but for an overlay: then it is the
// URL of the same volume.
[[nodiscard]] absl::StatusOr<IngestReport> IngestFrom(const volume::LabelSource& source, const IngestOptions& options,
                                                      Progress& progress);

}  // namespace cleave::ingest
