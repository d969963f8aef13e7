// The past of nodes, held in memory: what fsck asks at many times is read once.
#pragma once

#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "edit/operation_log.h"
#include "graph/graph_view.h"
#include "graph/ids.h"
#include "table/table.h"

namespace cleave::edit {

// One time, and the version of the segmentation that belongs to it.
struct Moment {
  absl::Time time;
  uint64_t generation = 0;
};

// What the voxel store held when ingest ended, and what it holds now.
struct GenerationSpan {
  uint64_t base = 0;
  uint64_t newest = 0;
};

// Oldest first, the last one is now. `log` is all operations, oldest first. Without past operations it is only now.
[[nodiscard]] std::vector<Moment> MomentsOf(absl::Time ingested, std::span<const OperationRecord> log,
                                            const GenerationSpan& span, int64_t past_operations_max);

// Everything that the row of one node says, at all times.
struct NodeHistory {
  std::vector<std::pair<absl::Time, graph::NodeId>> parents;  // newest first
  std::vector<graph::NodeId> children;                        // ascending
  graph::CrossEdges cross_edges;
  graph::NodeId former{};                         // supervoxel born in a cut: what it came from, the first time
  std::optional<absl::Time> created;              // node above layer 1
  absl::Time born = absl::InfinitePast();         // supervoxel: the time of its cut
  std::vector<absl::Time> replaced;               // supervoxel: when it was cut, or its cut undone; ascending
  std::vector<absl::Time> restored;               // supervoxel: when the undo of its cut made it again; ascending
  std::optional<absl::Time> superseded;           // root
  absl::Time last_change = absl::InfinitePast();  // of the row
  // Cells that cannot be decoded: they count as missing.
  std::vector<std::pair<table::Column, absl::Time>> unreadable;
  // Children and cross edges never change, so each has one cell, from when the node was made. Others do not belong.
  std::vector<std::pair<table::Column, absl::Time>> surplus;

  [[nodiscard]] graph::NodeId ParentAt(absl::Time time) const;
  // Whether others stand for the supervoxel at a time.
  [[nodiscard]] bool IsReplacedAt(absl::Time time) const;
  [[nodiscard]] bool IsReplacedAfter(absl::Time time) const { return !replaced.empty() && replaced.back() > time; }
};

// What cannot be decoded is told in the histories, not as an error. Not thread-safe. Layout and reader must outlive it.
class NodeHistories {
 public:
  NodeHistories(const graph::IdLayout& layout, const table::TableReader& reader) : layout_(layout), reader_(reader) {}

  // Reads these nodes and whatever was ever above them.
  [[nodiscard]] absl::Status Load(std::span<const graph::NodeId> nodes);
  // Reads all nodes of one chunk, and whatever was ever above them; returns the nodes.
  [[nodiscard]] absl::StatusOr<std::vector<graph::NodeId>> LoadChunk(const graph::ChunkAddress& chunk);

  // All nodes that were loaded, ascending.
  [[nodiscard]] std::vector<graph::NodeId> Loaded() const;
  // An empty history for a node that was not loaded or has no row.
  [[nodiscard]] const NodeHistory& Of(graph::NodeId node) const;
  // The highest ancestor in a layer <= `layer`, the node itself included.
  [[nodiscard]] graph::NodeId AncestorAt(graph::NodeId node, int layer, absl::Time time) const;
  // The root that the chain of parents leads to, superseded or not; 0 when it leads to none.
  [[nodiscard]] graph::NodeId RootAt(graph::NodeId node, absl::Time time) const;
  // Whether a node above layer 1 is a part of the graph.
  [[nodiscard]] bool IsAlive(graph::NodeId node, absl::Time time) const;
  // The newest change of the node's row and of any row that was ever above it.
  [[nodiscard]] absl::Time LastChange(graph::NodeId node) const;

 private:
  void Add(const table::Row& row, graph::NodeId node);
  [[nodiscard]] table::Filter Columns() const;

  const graph::IdLayout& layout_;
  const table::TableReader& reader_;
  absl::flat_hash_map<graph::NodeId, NodeHistory> histories_;
  mutable absl::flat_hash_map<graph::NodeId, absl::Time> last_changes_;  // as far as asked for since the last loading
};

}  // namespace cleave::edit
