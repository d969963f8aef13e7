// Table rows of new nodes, as ingest writes them.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/time/time.h"

#include "graph/hierarchy.h"
#include "graph/ids.h"
#include "ingest/hierarchy_layers.h"
#include "table/table.h"

namespace cleave::ingest {

// Appends the rows that make `node` a node of the graph from `time` on: its Child cell, an AtomicCrossChunkEdge cell
// for each edge layer, and the Parent cell of each of its children.
void AppendNodeRows(const graph::PlannedNode& node, absl::Time time, std::vector<table::RowMutation>& rows);

// Appends the counter of a chunk of which segments up to `used` are taken (what IdAllocator::MarkUsed would write, but
// in one batch with the nodes). At a time of ingest's own there is one cell, however often it is written.
void AppendCounterRow(const graph::IdLayout& layout, const graph::ChunkAddress& chunk, graph::Segment used,
                      absl::Time time, std::vector<table::RowMutation>& rows);

struct AtomicLayerCounts {
  int64_t supervoxels = 0;
  int64_t edges_inside = 0;
  int64_t edges_between = 0;  // each counted on both its sides
  int64_t edges_cross = 0;    // likewise
  int64_t l2_nodes = 0;
  AtomicLayerCounts& operator+=(const AtomicLayerCounts& other);
  friend bool operator==(const AtomicLayerCounts&, const AtomicLayerCounts&) = default;
};

// Appends all rows of layers 1 and 2 of a chunk, its counters among them; none where it has no supervoxels. The one
// place where an ingest's input becomes rows.
[[nodiscard]] AtomicLayerCounts AppendAtomicRows(const graph::IdLayout& layout, const AtomicChunk& chunk,
                                                 absl::Time time, std::vector<table::RowMutation>& rows);

}  // namespace cleave::ingest
