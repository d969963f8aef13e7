#include "cli/project_size.h"

#include <filesystem>
#include <system_error>
#include <vector>

#include "base/status.h"
#include "table/columns.h"
#include "table/row_keys.h"
#include "table/table.h"

namespace cleave::cli {
namespace {

namespace columns = table::columns;
using graph::ChunkAddress;

struct RowCounts {
  int64_t all = 0;
  int64_t replaced = 0;
};

bool StandsAgain(const table::Row& row, const table::Cell& replaced) {
  const table::Cell* born = row.Newest(columns::kFormerIdentity);
  return born != nullptr && born->time > replaced.time;
}

// The rows of one chunk that have a cell in `exists`; replaced are those that also have one in `replaced`, but for
// supervoxels that stand again.
absl::StatusOr<RowCounts> CountRows(graph::Dataset& dataset, const ChunkAddress& chunk, const table::Column& exists,
                                    const table::Column& replaced) {
  const graph::IdLayout& layout = dataset.layout();
  const uint64_t first = Value(layout.MakeNode(chunk, graph::Segment{1}));
  const table::RowRange range =
      table::NodeRowRange({.first = first, .last = first - 1 + Value(layout.SegmentLimit(chunk.layer))});
  CLEAVE_ASSIGN_OR_RETURN(
      const std::vector<table::Row> rows,
      dataset.table().ReadRange(range, {.columns = {exists, replaced, columns::kFormerIdentity}, .cells_per_column = 1},
                                0));
  RowCounts counts;
  for (const table::Row& row : rows) {
    const table::Cell* replaced_at = row.Newest(replaced);
    counts.all += row.Newest(exists) != nullptr ? 1 : 0;
    counts.replaced += replaced_at != nullptr && !StandsAgain(row, *replaced_at) ? 1 : 0;
  }
  return counts;
}

}  // namespace

absl::StatusOr<NodeCounts> CountNodes(graph::Dataset& dataset, Progress& progress) {
  const graph::IdLayout& layout = dataset.layout();
  const std::vector<ChunkPoint> chunks = layout.ChunksOverlapping(layout.volume());
  NodeCounts counts;
  progress.Begin("counting", static_cast<int64_t>(chunks.size()), "chunks");
  for (const ChunkPoint position : chunks) {
    CLEAVE_ASSIGN_OR_RETURN(const RowCounts supervoxels, CountRows(dataset, {graph::kSupervoxelLayer, position},
                                                                   columns::kParent, columns::kNewIdentity));
    CLEAVE_ASSIGN_OR_RETURN(const RowCounts l2_nodes,
                            CountRows(dataset, {graph::kL2Layer, position}, columns::kChild, columns::kNewParent));
    counts.supervoxels += supervoxels.all - supervoxels.replaced;
    counts.l2_nodes += l2_nodes.all;
    progress.Advance(1);
  }
  CLEAVE_ASSIGN_OR_RETURN(const RowCounts roots,
                          CountRows(dataset, {layout.layer_count(), {}}, columns::kChild, columns::kNewParent));
  counts.roots = roots.all - roots.replaced;
  counts.past_roots = roots.replaced;
  progress.End();
  return counts;
}

int64_t FolderBytes(const std::string& folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  int64_t bytes = 0;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (std::error_code gone; entry->is_regular_file(gone)) {
      const uintmax_t size = entry->file_size(gone);
      bytes += gone ? 0 : static_cast<int64_t>(size);
    }
  }
  return bytes;
}

}  // namespace cleave::cli
