// The chunked graph as it was, is, or would be: every question about nodes, at one moment.
//
// A view is a table reader (the stored table, or an overlay of a plan's unwritten rows over it), the lattice, and a
// time. Parents and cross edges carry the time they began to hold; the newest at or before the view's time counts.
// Children of a node never change.
//
// Cross edges. Every node of layer L keeps, for each edge layer l >= L, the supervoxel pairs [own, partner] of the
// active edges that leave it at that layer. Supervoxel ids do not go stale when a neighbour is edited, so no row of a
// neighbour has to change; the partner's ancestor of any layer is found by climbing. A voxel cut replaces supervoxels;
// whoever had an edge to a replaced one gets a new L2 node in that same operation.
//
// Thread-safe. The reader must outlive the view.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "graph/edges.h"
#include "graph/ids.h"

namespace cleave::table {
class TableReader;
struct Column;
struct Filter;
}  // namespace cleave::table

namespace cleave::graph {

// Active cross-chunk edges of one node by edge layer, each pair [supervoxel of this node, supervoxel elsewhere].
using CrossEdges = std::map<int, std::vector<EdgeEnds>>;

// Where a climb to a layer ends for a node whose parents skip that layer.
enum class SkippedLayer { kStayBelow, kGoAbove };

class GraphView {
 public:
  // `at`: InfiniteFuture() for the newest state.
  GraphView(const IdLayout& layout, const table::TableReader& reader, absl::Time at)
      : layout_(layout), reader_(reader), at_(at) {}

  [[nodiscard]] const IdLayout& layout() const { return layout_; }
  [[nodiscard]] absl::Time at() const { return at_; }
  [[nodiscard]] const table::TableReader& reader() const { return reader_; }

  // The parent of each node; 0 where there is none (a root, an unknown id, or 0).
  [[nodiscard]] absl::StatusOr<std::vector<NodeId>> Parents(std::span<const NodeId> nodes) const;

  // The highest ancestor of each node in a layer <= `layer`, the node itself included; with kGoAbove, the lowest one in
  // a layer >= `layer`, as far as the chain goes. 0 stays 0. One read a layer, however many nodes. DATA_LOSS when a
  // parent does not lie above its child.
  [[nodiscard]] absl::StatusOr<std::vector<NodeId>> Ancestors(std::span<const NodeId> nodes, int layer,
                                                              SkippedLayer skipped = SkippedLayer::kStayBelow) const;

  // The ancestors of each node, from its parent up to its root; empty for roots and unknown ids. One read a layer.
  [[nodiscard]] absl::StatusOr<std::vector<std::vector<NodeId>>> Chains(std::span<const NodeId> nodes) const;

  // The root of each node; 0 where the chain does not reach the top layer (unknown ids).
  [[nodiscard]] absl::StatusOr<std::vector<NodeId>> Roots(std::span<const NodeId> nodes) const;

  // The children of each node, ascending; empty for supervoxels and unknown ids.
  [[nodiscard]] absl::StatusOr<std::vector<std::vector<NodeId>>> Children(std::span<const NodeId> nodes) const;

  // The L2 nodes below a node, ascending; with `box`, only those whose chunk overlaps it.
  [[nodiscard]] absl::StatusOr<std::vector<NodeId>> L2Nodes(NodeId node, const std::optional<Box>& box) const;

  // The supervoxels below a node, ascending; with `box`, only those whose chunk overlaps it.
  [[nodiscard]] absl::StatusOr<std::vector<NodeId>> Leaves(NodeId node, const std::optional<Box>& box) const;

  // The active cross-chunk edges of each node.
  [[nodiscard]] absl::StatusOr<std::vector<CrossEdges>> CrossEdgesOf(std::span<const NodeId> nodes) const;
  // Only those of one edge layer.
  [[nodiscard]] absl::StatusOr<std::vector<std::vector<EdgeEnds>>> CrossEdgesOf(std::span<const NodeId> nodes,
                                                                                int edge_layer) const;

  // The supervoxels that took each one's place at or before the view's time: what a voxel cut made of it, or what it
  // was cut from, where the cut was undone with its ids. Empty when it stands. A supervoxel may have several lives: it
  // stands again from its newest "former_ids" on, until its next "new_ids". At one time, replacements form no circle.
  [[nodiscard]] absl::StatusOr<std::vector<std::vector<NodeId>>> Replacements(
      std::span<const NodeId> supervoxels) const;

  // The roots that replaced each root at or before the view's time; empty when it still stands.
  [[nodiscard]] absl::StatusOr<std::vector<std::vector<NodeId>>> Successors(std::span<const NodeId> roots) const;

  // NOT_FOUND unless `root` exists; FAILED_PRECONDITION naming its successors when it has been superseded.
  [[nodiscard]] absl::Status RequireCurrentRoot(NodeId root) const;

 private:
  absl::StatusOr<std::vector<std::vector<NodeId>>> NewestIds(std::span<const NodeId> nodes, const table::Column& column,
                                                             std::vector<absl::Time>* times = nullptr) const;
  table::Filter FilterOf(std::vector<table::Column> columns) const;

  const IdLayout& layout_;
  const table::TableReader& reader_;
  absl::Time at_;
};

// "supervoxel 5 was cut into 7, 8", or of what stands again, "supervoxel 7 is 5 again, since the cut that made it was
// undone". REQUIRES: `replacements` is not empty.
[[nodiscard]] std::string DescribeReplacement(NodeId supervoxel, const std::vector<NodeId>& replacements);

}  // namespace cleave::graph
