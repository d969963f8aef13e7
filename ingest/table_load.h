// A project from a table that KVDbClient wrote: a dump of it (table/dump_file.h), the segmentation and the edge files.
//
// Past and present of the graph are taken over: ids, parents with all their times, lineage, operations, counters. What
// Cleave keeps in another form is worked out: cross-chunk edges as supervoxel pairs (graph/graph_view.h). Pairs of
// L2 nodes that ingest made stand in the table; behind the lifted edges of L2 nodes that edits made, they are looked
// for among the edges of ingest, of users and of supervoxel splits. docs/table.md tells which.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "base/geometry.h"
#include "base/parallel.h"
#include "base/progress.h"

namespace cleave::ingest {

struct TableLoadOptions {
  std::string dump;
  std::string project_folder;
  // The segmentation as it is now, supervoxel ids; what volume::OpenLabelSource takes.
  std::string labels;
  std::string edges;  // path or URL of the folder of edge files
  // What the dump's row "meta" says, when not given.
  std::optional<Extent3> chunk_size;
  std::optional<std::string> graph_id;
  std::optional<VoxelSizeNm> voxel_size_nm;
  std::optional<VoxelPoint> voxel_offset;
  int threads = DefaultThreadCount();
};

struct TableLoadReport {
  int64_t rows = 0;     // taken over
  int64_t skipped = 0;  // of locks, and such as no reader of the graph knows
  int64_t nodes = 0;    // of layer 2 and above
  int64_t supervoxels = 0;
  int64_t operations = 0;
  int64_t unfinished_operations = 0;  // neither succeeded nor failed: they will stay so
  int64_t recovered_l2_nodes = 0;     // whose supervoxel pairs had to be looked for
  double seconds = 0;
};

// The dump is read whole before the project's folder is made. Errors beside those of Ingest, DumpReader and
// OpenEdgeFolder: FAILED_PRECONDITION when the ids are laid out as Cleave's are not, or the chunk size is not known;
// DATA_LOSS names the row that is damaged, or the L2 nodes between which an edge is said to be that no file holds. A
// load that fails in the middle leaves a project that cannot be opened.
[[nodiscard]] absl::StatusOr<TableLoadReport> LoadTable(const TableLoadOptions& options, Progress& progress);

}  // namespace cleave::ingest
