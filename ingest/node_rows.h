// Table rows of new nodes, as ingest writes them.
#pragma once

#include <vector>

#include "absl/time/time.h"

#include "graph/hierarchy.h"
#include "graph/ids.h"
#include "table/table.h"

namespace cleave::ingest {

// Appends the rows that make `node` a node of the graph from `time` on: its Child cell, an AtomicCrossChunkEdge cell
// for each edge layer, and the Parent cell of each of its children.
void AppendNodeRows(const graph::PlannedNode& node, absl::Time time, std::vector<table::RowMutation>& rows);

// Appends the counter of a chunk whose nodes have the segments 1 to `used` (what IdAllocator::MarkUsed would write, but
// in one batch with the nodes). Only for a chunk whose counter nobody has moved.
void AppendCounterRow(const graph::IdLayout& layout, const graph::ChunkAddress& chunk, graph::Segment used,
                      std::vector<table::RowMutation>& rows);

}  // namespace cleave::ingest
