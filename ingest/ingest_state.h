// How far an ingest of chunk files has come, kept in the table beside the rows it speaks of.
//
// Two kinds of marks, each written in one atomic batch with the rows that it says are there:
//   1. Row "ingest", a JSON text: the request, the layer being made, the next chunk of a parent layer, what was
//   counted.
//      Layers below are whole.
//   2. While layer 2 is being made, row "ingest" + 20 digits of the L2 chunk id for each chunk that is done: what it
//      counted and what it says of its borders. They go when the layer is whole.
//
// Neither can be taken for a node, whose row key is digits only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "graph/ids.h"
#include "ingest/chunk_files.h"
#include "ingest/node_rows.h"
#include "table/table.h"

namespace cleave::ingest {

inline constexpr char kIngestRowKey[] = "ingest";

struct IngestState {
  std::string request = {};     // says what is ingested; another request may not go on with it
  int layer = graph::kL2Layer;  // above the top layer: all rows are there
  // Of a parent layer, in the order of its chunks, x fastest. Of layer 2, when many processes make it: the first whose
  // rows are not in the table yet.
  int64_t next_chunk = 0;
  AtomicLayerCounts counts = {};  // once layer 2 is whole
  int64_t roots = 0;              // as far as they are made
  bool voxels_committed = false;  // when many processes write them: all are in the base
  friend bool operator==(const IngestState&, const IngestState&) = default;
};

// Nothing when no ingest of chunk files was begun. DATA_LOSS when the row is damaged.
[[nodiscard]] absl::StatusOr<std::optional<IngestState>> ReadIngestState(const table::TableReader& table);
[[nodiscard]] table::RowMutation IngestStateRow(const IngestState& state);

// What the mark of one L2 chunk holds.
struct ChunkMark {
  AtomicLayerCounts counts;
  BorderSummaries borders;
  friend bool operator==(const ChunkMark&, const ChunkMark&) = default;
};

[[nodiscard]] table::RowMutation ChunkMarkRow(graph::NodeId l2_chunk_id, const ChunkMark& mark);
[[nodiscard]] table::RowMutation RemoveChunkMarkRow(graph::NodeId l2_chunk_id);
// Removes all marks.
[[nodiscard]] absl::Status RemoveChunkMarks(table::Table& table);
// All marks, by L2 chunk id.
[[nodiscard]] absl::StatusOr<std::map<graph::NodeId, ChunkMark>> ReadChunkMarks(const table::TableReader& table);

}  // namespace cleave::ingest
