#include "graph/local_graph.h"

#include <algorithm>
#include <map>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "table/columns.h"
#include "table/row_keys.h"
#include "table/serializers.h"

namespace cleave::graph {
namespace {

namespace columns = table::columns;

std::string EditedEdgesKey(const IdLayout& layout, ChunkPoint chunk) {
  return table::EditedEdgesRowKey(Value(layout.MakeNode({kL2Layer, chunk}, Segment{0})));
}

const std::vector<table::Cell>& CellsOf(const table::Row& row, const table::Column& column) {
  static const std::vector<table::Cell> kNone;
  const auto found = row.cells.find(column);
  return found == row.cells.end() ? kNone : found->second;
}

absl::Status AddFakeEdges(const table::Row& row, std::vector<Edge>& edges) {
  for (const table::Cell& cell : CellsOf(row, columns::kFakeEdges)) {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<EdgeEnds> pairs, table::DecodeArray<EdgeEnds>(cell.value));
    for (const EdgeEnds& ends : pairs) {
      edges.push_back({ends.node1, ends.node2, kDefaultAffinity, 0});
    }
  }
  return absl::OkStatus();
}

absl::Status AddSplitEdges(const table::Row& row, std::vector<Edge>& edges) {
  std::map<absl::Time, const std::string*> affinities;
  std::map<absl::Time, const std::string*> areas;
  for (const table::Cell& cell : CellsOf(row, columns::kAffinity)) {
    affinities[cell.time] = &cell.value;
  }
  for (const table::Cell& cell : CellsOf(row, columns::kArea)) {
    areas[cell.time] = &cell.value;
  }
  for (const table::Cell& cell : CellsOf(row, columns::kSplitEdges)) {
    const auto affinity_cell = affinities.find(cell.time);
    const auto area_cell = areas.find(cell.time);
    if (affinity_cell == affinities.end() || area_cell == areas.end()) {
      return absl::DataLossError("split edges without their affinities or areas");
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<EdgeEnds> pairs, table::DecodeArray<EdgeEnds>(cell.value));
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<float> affinity, table::DecodeArray<float>(*affinity_cell->second));
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<uint64_t> area, table::DecodeArray<uint64_t>(*area_cell->second));
    if (affinity.size() != pairs.size() || area.size() != pairs.size()) {
      return absl::DataLossError("split edges, affinities and areas differ in length");
    }
    for (size_t i = 0; i < pairs.size(); ++i) {
      edges.push_back({pairs[i].node1, pairs[i].node2, affinity[i], area[i]});
    }
  }
  return absl::OkStatus();
}

// Sorts edges into a local graph, each pair once whatever its direction.
class Sorter {
 public:
  explicit Sorter(LocalGraph& graph) : graph_(graph) {}

  void AddActiveCrossEdges(const CrossEdges& cross_edges) {
    for (const auto& [layer, ends] : cross_edges) {
      active_across_.insert(ends.begin(), ends.end());
    }
  }

  void Add(const Edge& edge, OuterEdges outer) {
    const auto l2_1 = graph_.l2_of.find(edge.node1);
    const auto l2_2 = graph_.l2_of.find(edge.node2);
    const bool inside_1 = l2_1 != graph_.l2_of.end();
    const bool inside_2 = l2_2 != graph_.l2_of.end();
    if ((!inside_1 && !inside_2) || !seen_.insert(EdgeEnds{edge.node1, edge.node2}.Sorted()).second) {
      return;
    }
    Edge oriented = edge;
    if (!inside_1 || (inside_2 && edge.node2 < edge.node1)) {
      std::swap(oriented.node1, oriented.node2);
    }
    const bool active = (inside_1 && inside_2 && l2_1->second == l2_2->second) ||
                        active_across_.contains(EdgeEnds{oriented.node1, oriented.node2});
    if (active && inside_1 && inside_2) {
      graph_.active.push_back(oriented);
    } else if (outer == OuterEdges::kLoad) {
      graph_.outer.push_back({oriented, active});
    }
  }

 private:
  LocalGraph& graph_;
  absl::flat_hash_set<EdgeEnds> active_across_;
  absl::flat_hash_set<EdgeEnds> seen_;
};

absl::Status DropReplacedPartners(const GraphView& view, LocalGraph& graph) {
  std::vector<NodeId> partners;
  for (const OuterEdge& outer : graph.outer) {
    if (!graph.l2_of.contains(outer.edge.node2)) {
      partners.push_back(outer.edge.node2);
    }
  }
  std::ranges::sort(partners);
  partners.erase(std::ranges::unique(partners).begin(), partners.end());
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::vector<NodeId>> replacements, view.Replacements(partners));
  absl::flat_hash_set<NodeId> replaced;
  for (size_t i = 0; i < partners.size(); ++i) {
    if (!replacements[i].empty()) {
      replaced.insert(partners[i]);
    }
  }
  std::erase_if(graph.outer, [&](const OuterEdge& outer) { return replaced.contains(outer.edge.node2); });
  return absl::OkStatus();
}

// Edges by the row of the chunk of their first end, in both directions.
std::map<std::string, std::vector<Edge>> ByRow(const IdLayout& layout, std::span<const Edge> edges) {
  std::map<std::string, std::vector<Edge>> rows;
  for (const Edge& edge : edges) {
    rows[EditedEdgesKey(layout, layout.ChunkOf(edge.node1).position)].push_back(edge);
    Edge reversed = edge;
    std::swap(reversed.node1, reversed.node2);
    rows[EditedEdgesKey(layout, layout.ChunkOf(edge.node2).position)].push_back(reversed);
  }
  return rows;
}

std::string PackEnds(const std::vector<Edge>& edges) {
  std::vector<EdgeEnds> ends;
  for (const Edge& edge : edges) {
    ends.push_back({edge.node1, edge.node2});
  }
  return table::EncodeArray(ends);
}

}  // namespace

absl::StatusOr<std::vector<std::vector<Edge>>> ReadEditedEdges(const GraphView& view, const table::TableReader& reader,
                                                               std::span<const ChunkPoint> chunks, absl::Time after) {
  std::vector<std::string> keys;
  for (const ChunkPoint chunk : chunks) {
    keys.push_back(EditedEdgesKey(view.layout(), chunk));
  }
  CLEAVE_ASSIGN_OR_RETURN(
      const std::vector<table::Row> rows,
      reader.ReadRows(keys, {.columns = {columns::kFakeEdges, columns::kSplitEdges, columns::kAffinity, columns::kArea},
                             .start = after + absl::Milliseconds(1),
                             .end = view.at(),
                             .end_inclusive = true}));
  std::vector<std::vector<Edge>> edges(chunks.size());
  for (size_t i = 0; i < chunks.size(); ++i) {
    absl::Status status = AddFakeEdges(rows[i], edges[i]);
    status.Update(AddSplitEdges(rows[i], edges[i]));
    if (!status.ok()) {
      return Annotate(status, absl::StrCat("edited edges of chunk ", cleave::ToString(chunks[i])));
    }
  }
  return edges;
}

absl::StatusOr<LocalGraph> LoadLocalGraph(const GraphView& view, const table::TableReader& reader,
                                          const EdgeFiles& files, std::span<const NodeId> l2_nodes, OuterEdges outer) {
  LocalGraph graph;
  std::vector<ChunkPoint> chunks;
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::vector<NodeId>> children, view.Children(l2_nodes));
  for (size_t i = 0; i < l2_nodes.size(); ++i) {
    chunks.push_back(view.layout().ChunkOf(l2_nodes[i]).position);
    for (const NodeId supervoxel : children[i]) {
      graph.l2_of[supervoxel] = l2_nodes[i];
    }
  }
  std::ranges::sort(chunks);
  chunks.erase(std::ranges::unique(chunks).begin(), chunks.end());
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<CrossEdges> cross_edges, view.CrossEdgesOf(l2_nodes));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<ChunkEdges> stored, files.ReadMany(chunks));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::vector<Edge>> edited, ReadEditedEdges(view, reader, chunks));

  Sorter sorter(graph);
  for (const CrossEdges& active : cross_edges) {
    sorter.AddActiveCrossEdges(active);
  }
  for (size_t i = 0; i < chunks.size(); ++i) {
    for (const std::vector<Edge>* edges : {&stored[i].in, &stored[i].cross, &stored[i].between, &edited[i]}) {
      for (const Edge& edge : *edges) {
        sorter.Add(edge, outer);
      }
    }
  }
  std::ranges::sort(graph.active, {}, [](const Edge& e) { return EdgeEnds{e.node1, e.node2}; });
  CLEAVE_RETURN_IF_ERROR(DropReplacedPartners(view, graph));
  return graph;
}

std::vector<table::RowMutation> FakeEdgeRows(const IdLayout& layout, std::span<const Edge> edges) {
  std::vector<table::RowMutation> rows;
  for (const auto& [key, list] : ByRow(layout, edges)) {
    rows.push_back({key, {table::SetCell{columns::kFakeEdges, std::nullopt, PackEnds(list)}}});
  }
  return rows;
}

std::vector<table::RowMutation> SplitEdgeRows(const IdLayout& layout, std::span<const Edge> edges) {
  std::vector<table::RowMutation> rows;
  for (const auto& [key, list] : ByRow(layout, edges)) {
    std::vector<float> affinities;
    std::vector<uint64_t> areas;
    for (const Edge& edge : list) {
      affinities.push_back(edge.affinity);
      areas.push_back(edge.area);
    }
    rows.push_back({key,
                    {table::SetCell{columns::kSplitEdges, std::nullopt, PackEnds(list)},
                     table::SetCell{columns::kAffinity, std::nullopt, table::EncodeArray(affinities)},
                     table::SetCell{columns::kArea, std::nullopt, table::EncodeArray(areas)}}});
  }
  return rows;
}

}  // namespace cleave::graph
