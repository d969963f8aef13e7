// New ids that were never given out before, not even to an operation that failed.
//
// Each chunk of each layer has a counter in the table (source: KVDbClient's counters, row 'i' + chunk id). Reserving n
// ids adds n to it; the reserved segments are the n last ones. The root layer uses the same single counter. A table
// whose changes are only ordered (Table::ordered) is enough: an id is durable before any row that names it.
// Thread-safe.
#pragma once

#include <vector>

#include "absl/status/statusor.h"

#include "graph/ids.h"

namespace cleave::table {
class Table;
}

namespace cleave::graph {

class IdAllocator {
 public:
  IdAllocator(const IdLayout& layout, table::Table& table) : layout_(layout), table_(table) {}

  // `count` new nodes of one chunk, ascending. RESOURCE_EXHAUSTED naming the chunk when its ids are used up.
  [[nodiscard]] absl::StatusOr<std::vector<NodeId>> NewNodes(const ChunkAddress& chunk, int64_t count);
  // Ingest only: makes sure that ids up to `used` are never given out.
  [[nodiscard]] absl::Status MarkUsed(const ChunkAddress& chunk, Segment used);
  [[nodiscard]] absl::StatusOr<OperationId> NewOperation();

 private:
  const IdLayout& layout_;
  table::Table& table_;
};

}  // namespace cleave::graph
