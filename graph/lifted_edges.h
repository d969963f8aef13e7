// Cross-chunk edges as PyChunkedGraph keeps them: CrossChunkEdge[l] of a node of layer L, pairs [node, partner], the
// partner lifted to the highest ancestor of layer <= L that it had at the time; a new version whenever that changes.
//
// Cleave keeps the supervoxel pairs instead (graph_view.h), so these rows are worked out, not stored.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "graph/graph_view.h"
#include "graph/ids.h"

namespace cleave::table {
class TableReader;
struct Cell;
struct Row;
}  // namespace cleave::table

namespace cleave::graph {

// Versions of one column, oldest first.
struct LiftedVersion {
  absl::Time time;
  std::vector<EdgeEnds> edges;  // [node, partner], ascending, each once
};
using LiftedEdges = std::map<int, std::vector<LiftedVersion>>;  // by edge layer

// The lifted edges of each of `rows`: rows of nodes of layer >= 2 with all their cells. A node's versions lie between
// the time it was made and the time its children went to other parents. Reads in batches: one read for each layer that
// the partners have to climb. DATA_LOSS names the row that is damaged.
[[nodiscard]] absl::StatusOr<std::vector<LiftedEdges>> LiftCrossEdges(const IdLayout& layout,
                                                                      const table::TableReader& reader,
                                                                      std::span<const table::Row> rows);

}  // namespace cleave::graph
