// A project's table in one file (table/dump_file.h), as PyChunkedGraph and KVDbClient would have written it: see
// docs/table.md for every row and column, and for what differs.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

#include "base/progress.h"
#include "graph/dataset.h"

namespace cleave::graph {

struct TableDumpReport {
  int64_t rows = 0;
  int64_t nodes = 0;  // of all layers, past ones too
  int64_t operations = 0;
  int64_t lifted_cells = 0;  // of CrossChunkEdge, worked out
};

// Writes all that readers of such a table know; nothing of Cleave's own, no locks. `dataset` must be at rest. An older
// file of that name stays until the new one is whole.
[[nodiscard]] absl::StatusOr<TableDumpReport> DumpTable(Dataset& dataset, const std::string& path, Progress& progress);

// The record of the graph that a dump has in row "meta" (table/pickled_meta.h), where the table has none.
[[nodiscard]] std::string EncodePeerRecord(const Dataset& dataset);

}  // namespace cleave::graph
