// The past of nodes, held in memory: what fsck asks at many times is read once.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
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

// From `first` until `end`, which is InfiniteFuture where there is no end.
struct TimeSpan {
  absl::Time first;
  absl::Time end;
};

// Indices of moments: [first, end).
struct MomentRange {
  size_t first = 0;
  size_t end = 0;
};
// The moments in a span of time. Moments ascend.
[[nodiscard]] MomentRange MomentsIn(std::span<const Moment> moments, const TimeSpan& span);

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

  [[nodiscard]] graph::NodeId ParentAt(absl::Time time) const { return ParentFrom(time).first; }
  // The parent at a time, and when the next one takes its place.
  [[nodiscard]] std::pair<graph::NodeId, absl::Time> ParentFrom(absl::Time time) const;
  // Whether others stand for the supervoxel at a time.
  [[nodiscard]] bool IsReplacedAt(absl::Time time) const;
  [[nodiscard]] bool IsReplacedAfter(absl::Time time) const { return !replaced.empty() && replaced.back() > time; }
};

// The rows above layer 1 that changed after ingest. Every chunk below an object that was edited often asks for the same
// ones: read once for all chunks, they cost what was edited, not that times the chunks. Thread-safe.
class EditedRows {
 public:
  // Rows that changed after `ingested` are kept, as long as they are no more than `bytes_max`.
  EditedRows(absl::Time ingested, size_t bytes_max) : ingested_(ingested), bytes_max_(bytes_max) {}

  // nullptr for what is not kept.
  [[nodiscard]] std::vector<std::shared_ptr<const NodeHistory>> Find(std::span<const graph::NodeId> nodes);
  void Keep(graph::NodeId node, const std::shared_ptr<const NodeHistory>& history);

 private:
  const absl::Time ingested_;
  const size_t bytes_max_;
  std::mutex mutex_;
  size_t bytes_ = 0;
  absl::flat_hash_map<graph::NodeId, std::shared_ptr<const NodeHistory>> rows_;
};

// What cannot be decoded is told in the histories, not as an error. Not thread-safe. Layout, reader and shared rows
// must outlive it.
class NodeHistories {
 public:
  // What to read along with nodes: what was ever above them, their parents of any time, or nothing.
  enum class Above { kAll, kParents, kNothing };

  NodeHistories(const graph::IdLayout& layout, const table::TableReader& reader, EditedRows* shared = nullptr)
      : layout_(layout), reader_(reader), shared_(shared) {}

  // Reads these nodes and those above them. What is above nodes that were read before is not read now.
  [[nodiscard]] absl::Status Load(std::span<const graph::NodeId> nodes, Above above = Above::kAll);
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
  // When the node led to a root that was there, and, above layer 1, was there itself; ascending, apart from each other.
  // Needs everything above the node. The reference holds until the next loading.
  [[nodiscard]] const std::vector<TimeSpan>& LivesOf(graph::NodeId node) const;
  // Whether a node above layer 1 is a part of the graph.
  [[nodiscard]] bool IsAlive(graph::NodeId node, absl::Time time) const;
  // The newest change of the node's row and of any row that was ever above it.
  [[nodiscard]] absl::Time LastChange(graph::NodeId node) const;

 private:
  const NodeHistory& Add(const table::Row& row, graph::NodeId node);
  void Put(graph::NodeId node, std::shared_ptr<const NodeHistory> history);
  [[nodiscard]] NodeHistory Decode(const table::Row& row) const;
  [[nodiscard]] table::Filter Columns() const;

  const graph::IdLayout& layout_;
  const table::TableReader& reader_;
  EditedRows* const shared_;
  absl::flat_hash_map<graph::NodeId, std::shared_ptr<const NodeHistory>> histories_;
  // As far as asked for since the last loading.
  mutable absl::flat_hash_map<graph::NodeId, absl::Time> last_changes_;
  mutable absl::node_hash_map<graph::NodeId, std::vector<TimeSpan>> lives_;
};

}  // namespace cleave::edit
