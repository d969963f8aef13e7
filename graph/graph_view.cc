#include "graph/graph_view.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

#include "base/status.h"
#include "table/columns.h"
#include "table/row_keys.h"
#include "table/serializers.h"
#include "table/table.h"

namespace cleave::graph {
namespace {

namespace columns = table::columns;

std::vector<std::string> RowKeys(std::span<const NodeId> nodes) {
  std::vector<std::string> keys(nodes.size());
  std::ranges::transform(nodes, keys.begin(), [](NodeId id) { return table::NodeRowKey(Value(id)); });
  return keys;
}

absl::Status InRow(const absl::Status& status, NodeId node) {
  return Annotate(status, absl::StrCat("row of node ", Value(node)));
}

table::Column CrossEdgeColumn(int edge_layer) {
  return columns::AtomicCrossChunkEdge(columns::Layer{.value = edge_layer});
}

bool Overlaps(const Box& a, const Box& b) { return !Intersect(a, b).empty(); }

}  // namespace

table::Filter GraphView::FilterOf(std::vector<table::Column> columns) const {
  return {.columns = std::move(columns), .end = at_, .end_inclusive = true, .cells_per_column = 1};
}

absl::StatusOr<std::vector<NodeId>> GraphView::Parents(std::span<const NodeId> nodes) const {
  std::vector<NodeId> parents(nodes.size());
  CLEAVE_RETURN_IF_ERROR(
      reader_.VisitNewest(RowKeys(nodes), columns::kParent, at_, [&](const table::FoundCell& cell) -> absl::Status {
        const absl::StatusOr<NodeId> parent = table::DecodeValue<NodeId>(cell.value);
        if (!parent.ok()) {
          return InRow(parent.status(), nodes[cell.index]);
        }
        parents[cell.index] = *parent;
        return absl::OkStatus();
      }));
  return parents;
}

absl::StatusOr<std::vector<NodeId>> GraphView::Roots(std::span<const NodeId> nodes) const {
  CLEAVE_ASSIGN_OR_RETURN(std::vector<NodeId> roots, Ancestors(nodes, layout_.layer_count()));
  for (NodeId& root : roots) {
    if (layout_.LayerOf(root) != layout_.layer_count()) {
      root = NodeId{};
    }
  }
  return roots;
}

absl::StatusOr<std::vector<std::vector<NodeId>>> GraphView::NewestIds(std::span<const NodeId> nodes,
                                                                      const table::Column& column,
                                                                      std::vector<absl::Time>* times) const {
  std::vector<std::vector<NodeId>> lists(nodes.size());
  if (times != nullptr) {
    times->assign(nodes.size(), absl::InfinitePast());
  }
  CLEAVE_RETURN_IF_ERROR(
      reader_.VisitNewest(RowKeys(nodes), column, at_, [&](const table::FoundCell& cell) -> absl::Status {
        absl::StatusOr<std::vector<NodeId>> ids = column == columns::kChild
                                                      ? table::DecodeCompressedArray<NodeId>(cell.value)
                                                      : table::DecodeArray<NodeId>(cell.value);
        if (!ids.ok()) {
          return InRow(ids.status(), nodes[cell.index]);
        }
        lists[cell.index] = *std::move(ids);
        if (times != nullptr) {
          (*times)[cell.index] = cell.time;
        }
        return absl::OkStatus();
      }));
  return lists;
}

absl::StatusOr<std::vector<std::vector<NodeId>>> GraphView::Children(std::span<const NodeId> nodes) const {
  CLEAVE_ASSIGN_OR_RETURN(std::vector<std::vector<NodeId>> lists, NewestIds(nodes, columns::kChild));
  for (std::vector<NodeId>& list : lists) {
    std::ranges::sort(list);
  }
  return lists;
}

absl::StatusOr<std::vector<NodeId>> GraphView::L2Nodes(NodeId node, const std::optional<Box>& box) const {
  std::vector<NodeId> found;
  const auto wanted = [&](NodeId id) { return !box || Overlaps(layout_.ChunkBox(layout_.ChunkOf(id)), *box); };
  std::vector<NodeId> frontier;
  if (layout_.LayerOf(node) >= kL2Layer && wanted(node)) {
    frontier.push_back(node);
  }
  while (!frontier.empty()) {
    std::vector<NodeId> above;
    std::ranges::partition_copy(frontier, std::back_inserter(found), std::back_inserter(above),
                                [&](NodeId id) { return layout_.LayerOf(id) == kL2Layer; });
    frontier.clear();
    if (above.empty()) {
      break;
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::vector<NodeId>> lists, Children(above));
    for (const std::vector<NodeId>& list : lists) {
      std::ranges::copy_if(list, std::back_inserter(frontier), wanted);
    }
  }
  std::ranges::sort(found);
  return found;
}

absl::StatusOr<std::vector<NodeId>> GraphView::Leaves(NodeId node, const std::optional<Box>& box) const {
  if (layout_.LayerOf(node) == kSupervoxelLayer) {
    return std::vector<NodeId>{node};
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> l2_nodes, L2Nodes(node, box));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::vector<NodeId>> lists, Children(l2_nodes));
  std::vector<NodeId> leaves;
  for (const std::vector<NodeId>& list : lists) {
    leaves.insert(leaves.end(), list.begin(), list.end());
  }
  std::ranges::sort(leaves);
  return leaves;
}

absl::StatusOr<std::vector<CrossEdges>> GraphView::CrossEdgesOf(std::span<const NodeId> nodes) const {
  std::vector<table::Column> wanted;
  for (int layer = kL2Layer; layer < layout_.layer_count(); ++layer) {
    wanted.push_back(CrossEdgeColumn(layer));
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows, reader_.ReadRows(RowKeys(nodes), FilterOf(wanted)));
  std::vector<CrossEdges> results(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (int layer = kL2Layer; layer < layout_.layer_count(); ++layer) {
      const table::Cell* cell = rows[i].Newest(wanted[layer - kL2Layer]);
      if (cell == nullptr) {
        continue;
      }
      absl::StatusOr<std::vector<EdgeEnds>> edges = table::DecodeCompressedArray<EdgeEnds>(cell->value);
      if (!edges.ok()) {
        return InRow(edges.status(), nodes[i]);
      }
      if (!edges->empty()) {
        results[i][layer] = *std::move(edges);
      }
    }
  }
  return results;
}

absl::StatusOr<std::vector<std::vector<EdgeEnds>>> GraphView::CrossEdgesOf(std::span<const NodeId> nodes,
                                                                           int edge_layer) const {
  const table::Column column = CrossEdgeColumn(edge_layer);
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows, reader_.ReadRows(RowKeys(nodes), FilterOf({column})));
  std::vector<std::vector<EdgeEnds>> results(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (const table::Cell* cell = rows[i].Newest(column)) {
      absl::StatusOr<std::vector<EdgeEnds>> edges = table::DecodeCompressedArray<EdgeEnds>(cell->value);
      if (!edges.ok()) {
        return InRow(edges.status(), nodes[i]);
      }
      results[i] = *std::move(edges);
    }
  }
  return results;
}

absl::StatusOr<std::vector<std::vector<NodeId>>> GraphView::Replacements(std::span<const NodeId> supervoxels) const {
  std::vector<absl::Time> replaced_at;
  CLEAVE_ASSIGN_OR_RETURN(std::vector<std::vector<NodeId>> lists,
                          NewestIds(supervoxels, columns::kNewIdentity, &replaced_at));
  std::vector<size_t> replaced;
  std::vector<NodeId> nodes;
  for (size_t i = 0; i < lists.size(); ++i) {
    if (!lists[i].empty()) {
      replaced.push_back(i);
      nodes.push_back(supervoxels[i]);
    }
  }
  if (nodes.empty()) {
    return lists;
  }
  CLEAVE_RETURN_IF_ERROR(
      reader_.VisitNewest(RowKeys(nodes), columns::kFormerIdentity, at_, [&](const table::FoundCell& born) {
        if (const size_t index = replaced[born.index]; born.time > replaced_at[index]) {
          lists[index].clear();
        }
        return absl::OkStatus();
      }));
  return lists;
}

absl::StatusOr<std::vector<std::vector<NodeId>>> GraphView::Successors(std::span<const NodeId> roots) const {
  return NewestIds(roots, columns::kNewParent);
}

absl::Status GraphView::RequireCurrentRoot(NodeId root) const {
  CLEAVE_RETURN_IF_ERROR(layout_.Validate(root));
  if (layout_.LayerOf(root) != layout_.layer_count()) {
    return absl::InvalidArgumentError(absl::StrCat("id ", Value(root), " is not a root: its layer is ",
                                                   layout_.LayerOf(root), ", roots have layer ",
                                                   layout_.layer_count()));
  }
  const NodeId one[] = {root};
  CLEAVE_ASSIGN_OR_RETURN(const auto children, Children(one));
  if (children[0].empty()) {
    return absl::NotFoundError(absl::StrCat("there is no object ", Value(root), " at this time"));
  }
  CLEAVE_ASSIGN_OR_RETURN(const auto successors, Successors(one));
  if (!successors[0].empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("object ", Value(root), " was replaced by ", absl::StrJoin(ToIntegers(successors[0]), ", ")));
  }
  return absl::OkStatus();
}

// Ids of a chunk ascend with time, so that only what it came from has a smaller one.
std::string DescribeReplacement(NodeId supervoxel, const std::vector<NodeId>& replacements) {
  return replacements.front() < supervoxel
             ? absl::StrCat("supervoxel ", Value(supervoxel), " is ", Value(replacements.front()),
                            " again, since the cut that made it was undone")
             : absl::StrCat("supervoxel ", Value(supervoxel), " was cut into ",
                            absl::StrJoin(ToIntegers(replacements), ", "));
}

}  // namespace cleave::graph
