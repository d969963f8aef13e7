// L2 nodes, chunk by chunk:
//   1. A node with AtomicCrossChunkEdge cells was made by ingest (or comes from Cleave): its pairs are known.
//   2. Any other has lifted edges, [node, partner], as of its making. Pairs behind one are the edges between a
//      supervoxel of the node and one of the partner. They are looked for first among edges known to have been active:
//      those that ingest's nodes of this chunk list, users' edges, and edges of supervoxel splits; and if none of these
//      is between the two, among all edges of the chunk's file (a merge made one active again). Both sides of a border
//      see the same edges, so both find the same pairs.
//
// Nodes above: the pairs of the children whose edge layer is at least the node's.
#include "ingest/loaded_edges.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"

#include "base/parallel.h"
#include "base/status.h"
#include "graph/graph_view.h"
#include "graph/local_graph.h"
#include "table/columns.h"
#include "table/row_keys.h"
#include "table/serializers.h"

namespace cleave::ingest {
namespace {

namespace columns = table::columns;
using graph::CrossEdges;
using graph::Dataset;
using graph::EdgeEnds;
using graph::IdLayout;
using graph::NodeId;
using graph::Segment;

constexpr int64_t kNodesPerPage = 5000;

using EdgesByEnd = absl::flat_hash_map<NodeId, std::vector<NodeId>>;

// One L2 node as it stands in the table.
struct LoadedNode {
  NodeId id{};
  absl::Time made;
  std::vector<NodeId> children;
  CrossEdges pairs;
  bool has_pairs = false;
  std::map<int, std::vector<NodeId>> partners;  // L2 nodes, by edge layer
  std::vector<table::Change> removals;          // of its lifted cells
};

class PairMaker {
 public:
  explicit PairMaker(const Workplace& workplace)
      : workplace_(workplace), dataset_(workplace.dataset), layout_(workplace.dataset.layout()) {}

  absl::StatusOr<int64_t> Make() {
    const std::vector<ChunkPoint> chunks = layout_.ChunksOverlapping(layout_.volume());
    workplace_.progress.Begin("cross-chunk edges", std::ssize(chunks), "chunks");
    CLEAVE_RETURN_IF_ERROR(ParallelFor(std::ssize(chunks), workplace_.threads, [&](int64_t i) {
      workplace_.progress.Advance(1);
      const ChunkPoint chunk = chunks[static_cast<size_t>(i)];
      return Annotate(MakeChunk(chunk), absl::StrCat("chunk ", ToString(chunk)));
    }));
    workplace_.progress.End();
    for (int layer = graph::kL2Layer + 1; layer < layout_.layer_count(); ++layer) {
      CLEAVE_RETURN_IF_ERROR(MakeLayer(layer));
    }
    return recovered_;
  }

 private:
  absl::Status MakeChunk(ChunkPoint chunk) {
    CLEAVE_ASSIGN_OR_RETURN(std::vector<LoadedNode> nodes, ReadChunk(chunk));
    std::vector<table::RowMutation> rows;
    std::optional<EdgesByEnd> active;  // read when they are needed
    std::optional<EdgesByEnd> all;
    for (LoadedNode& node : nodes) {
      std::vector<table::Change> changes = std::move(node.removals);
      if (!node.has_pairs && !node.partners.empty()) {
        if (!active.has_value()) {
          CLEAVE_RETURN_IF_ERROR(ReadEdges(chunk, nodes, active.emplace(), all.emplace()));
        }
        CLEAVE_RETURN_IF_ERROR(FindPairs(*active, *all, node));
        AppendPairs(node.pairs, node.made, changes);
        ++recovered_;
      }
      if (!changes.empty()) {
        rows.push_back({table::NodeRowKey(Value(node.id)), std::move(changes)});
      }
    }
    return rows.empty() ? absl::OkStatus() : dataset_.ApplyUnsynced(rows);
  }

  absl::StatusOr<std::vector<LoadedNode>> ReadChunk(ChunkPoint chunk) const {
    const uint64_t first = Value(layout_.MakeNode({graph::kL2Layer, chunk}, Segment{0}));
    CLEAVE_ASSIGN_OR_RETURN(
        const std::vector<table::Row> rows,
        dataset_.table().ReadRange(table::NodeRowRange({first, first + Value(layout_.SegmentLimit(graph::kL2Layer))}),
                                   {}, 0));
    std::vector<LoadedNode> nodes;
    for (const table::Row& row : rows) {
      absl::StatusOr<LoadedNode> node = ReadNode(row);
      if (!node.ok()) {
        return Annotate(node.status(), absl::StrCat("row ", row.key));
      }
      nodes.push_back(*std::move(node));
    }
    return nodes;
  }

  absl::StatusOr<LoadedNode> ReadNode(const table::Row& row) const {
    LoadedNode node;
    CLEAVE_ASSIGN_OR_RETURN(const uint64_t id, table::ParseNodeRowKey(row.key));
    node.id = NodeId{id};
    const table::Cell* child = row.Newest(columns::kChild);
    if (child == nullptr) {
      return node;  // a row that only locks or lineage ever touched
    }
    node.made = child->time;
    CLEAVE_ASSIGN_OR_RETURN(node.children, table::DecodeCompressedArray<NodeId>(child->value));
    for (int layer = graph::kL2Layer; layer < layout_.layer_count(); ++layer) {
      if (const table::Cell* cell = row.Newest(columns::AtomicCrossChunkEdge({.value = layer}))) {
        node.has_pairs = true;
        CLEAVE_ASSIGN_OR_RETURN(node.pairs[layer], table::DecodeCompressedArray<EdgeEnds>(cell->value));
      }
      const table::Column lifted = columns::CrossChunkEdge({.value = layer});
      if (const auto cells = row.cells.find(lifted); cells != row.cells.end()) {
        node.removals.push_back(table::DeleteCells{lifted, std::nullopt});
        CLEAVE_ASSIGN_OR_RETURN(const std::vector<EdgeEnds> edges, AtMaking(cells->second, node.made));
        for (const EdgeEnds& edge : edges) {
          node.partners[layer].push_back(edge.node2);
        }
      }
    }
    return node;
  }

  // The newest version that is not newer than the node; or the oldest.
  static absl::StatusOr<std::vector<EdgeEnds>> AtMaking(const std::vector<table::Cell>& cells, absl::Time made) {
    const auto found = std::ranges::find_if(cells, [&](const table::Cell& cell) { return cell.time <= made; });
    return table::DecodeCompressedArray<EdgeEnds>(found == cells.end() ? cells.back().value : found->value);
  }

  // Edges by their end in the chunk: those known to have been active, and all.
  absl::Status ReadEdges(ChunkPoint chunk, const std::vector<LoadedNode>& nodes, EdgesByEnd& active,
                         EdgesByEnd& all) const {
    for (const LoadedNode& node : nodes) {
      for (const auto& [layer, pairs] : node.pairs) {
        for (const EdgeEnds& pair : pairs) {
          active[pair.node1].push_back(pair.node2);
        }
      }
    }
    const ChunkPoint one[] = {chunk};
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::vector<graph::Edge>> edited,
                            graph::ReadEditedEdges(dataset_.Now(), dataset_.table(), one));
    for (const graph::Edge& edge : edited.front()) {
      active[edge.node1].push_back(edge.node2);
    }
    CLEAVE_ASSIGN_OR_RETURN(const graph::ChunkEdges stored, dataset_.edges().Read(chunk));
    for (const std::vector<graph::Edge>* edges : {&stored.between, &stored.cross}) {
      for (const graph::Edge& edge : *edges) {
        all[edge.node1].push_back(edge.node2);
      }
    }
    return absl::OkStatus();
  }

  absl::Status FindPairs(const EdgesByEnd& active, const EdgesByEnd& all, LoadedNode& node) const {
    std::vector<NodeId> partners;
    for (const auto& [layer, ids] : node.partners) {
      partners.insert(partners.end(), ids.begin(), ids.end());
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::vector<NodeId>> children, dataset_.Now().Children(partners));
    absl::flat_hash_map<NodeId, std::vector<NodeId>> partners_of;  // by supervoxel; past partners may share some
    for (size_t i = 0; i < partners.size(); ++i) {
      for (const NodeId supervoxel : children[i]) {
        partners_of[supervoxel].push_back(partners[i]);
      }
    }
    std::map<NodeId, std::vector<EdgeEnds>> found;  // by partner
    CollectPairs(active, partners_of, node, found);
    std::map<NodeId, std::vector<EdgeEnds>> others;
    CollectPairs(all, partners_of, node, others);
    for (const NodeId partner : partners) {
      const std::vector<EdgeEnds>& pairs = found.contains(partner) ? found[partner] : others[partner];
      if (pairs.empty()) {
        return absl::DataLossError(absl::StrCat("node ", Value(node.id), " has a cross-chunk edge to node ",
                                                Value(partner),
                                                ", but no edge file and no edit has one between their supervoxels"));
      }
      for (const EdgeEnds& pair : pairs) {
        node.pairs[layout_.EdgeLayer(pair.node1, pair.node2)].push_back(pair);
      }
    }
    for (auto& [layer, pairs] : node.pairs) {
      std::ranges::sort(pairs);
      pairs.erase(std::ranges::unique(pairs).begin(), pairs.end());
    }
    return absl::OkStatus();
  }

  static void CollectPairs(const EdgesByEnd& edges, const absl::flat_hash_map<NodeId, std::vector<NodeId>>& partners_of,
                           const LoadedNode& node, std::map<NodeId, std::vector<EdgeEnds>>& found) {
    for (const NodeId own : node.children) {
      const auto others = edges.find(own);
      if (others == edges.end()) {
        continue;
      }
      for (const NodeId other : others->second) {
        if (const auto partners = partners_of.find(other); partners != partners_of.end()) {
          for (const NodeId partner : partners->second) {
            found[partner].push_back({own, other});
          }
        }
      }
    }
  }

  static void AppendPairs(const CrossEdges& pairs, absl::Time time, std::vector<table::Change>& changes) {
    for (const auto& [layer, ends] : pairs) {
      changes.push_back(
          table::SetCell{columns::AtomicCrossChunkEdge({.value = layer}), time, table::EncodeCompressedArray(ends)});
    }
  }

  absl::Status MakeLayer(int layer) {
    const uint64_t first = uint64_t(layer) << 56;
    table::RowRange range = table::NodeRowRange({first, first + (uint64_t{1} << 56) - 1});
    workplace_.progress.Begin(absl::StrCat("layer ", layer), 0, "nodes");
    for (;;) {
      CLEAVE_ASSIGN_OR_RETURN(
          const std::vector<table::Row> rows,
          dataset_.table().ReadRange(range, {.columns = {columns::kChild}, .cells_per_column = 1}, kNodesPerPage));
      if (rows.empty()) {
        break;
      }
      range.begin = absl::StrCat(rows.back().key, absl::string_view("\0", 1));
      CLEAVE_RETURN_IF_ERROR(MakePage(layer, rows));
      workplace_.progress.Advance(std::ssize(rows));
    }
    workplace_.progress.End();
    return absl::OkStatus();
  }

  absl::Status MakePage(int layer, const std::vector<table::Row>& rows) const {
    std::vector<NodeId> children;
    std::vector<size_t> ends;  // of each row's children
    for (const table::Row& row : rows) {
      const auto decoded = table::DecodeCompressedArray<NodeId>(row.Newest(columns::kChild)->value);
      if (!decoded.ok()) {
        return Annotate(decoded.status(), absl::StrCat("row ", row.key));
      }
      children.insert(children.end(), decoded->begin(), decoded->end());
      ends.push_back(children.size());
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<CrossEdges> of_children, dataset_.Now().CrossEdgesOf(children));
    std::vector<table::RowMutation> mutations;
    size_t child = 0;
    for (size_t i = 0; i < rows.size(); ++i) {
      CrossEdges pairs;
      for (; child < ends[i]; ++child) {
        for (auto above = of_children[child].lower_bound(layer); above != of_children[child].end(); ++above) {
          pairs[above->first].insert(pairs[above->first].end(), above->second.begin(), above->second.end());
        }
      }
      std::vector<table::Change> changes;
      AppendPairs(pairs, rows[i].Newest(columns::kChild)->time, changes);
      if (!changes.empty()) {
        mutations.push_back({rows[i].key, std::move(changes)});
      }
    }
    return mutations.empty() ? absl::OkStatus() : dataset_.ApplyUnsynced(mutations);
  }

  const Workplace& workplace_;
  Dataset& dataset_;
  const IdLayout& layout_;
  std::atomic<int64_t> recovered_ = 0;
};

}  // namespace

absl::StatusOr<int64_t> MakeSupervoxelPairs(const Workplace& workplace) { return PairMaker(workplace).Make(); }

}  // namespace cleave::ingest
