#include "edit/foreign_leftovers.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/array.h"
#include "base/status.h"
#include "graph/edges.h"
#include "graph/ids.h"
#include "table/columns.h"
#include "table/row_keys.h"
#include "table/serializers.h"
#include "volume/volume.h"

namespace cleave::edit {
namespace {

using graph::EdgeEnds;
using graph::NodeId;
namespace columns = table::columns;

std::string LeftoverKey(NodeId node) { return table::NodeRowKey(Value(node)); }

const std::vector<table::Cell>& CellsOfColumn(const table::Row& row, const table::Column& column) {
  static const std::vector<table::Cell> kNone;
  const auto found = row.cells.find(column);
  return found == row.cells.end() ? kNone : found->second;
}

class LeftoverRemoval {
 public:
  LeftoverRemoval(graph::Dataset& dataset, const InFlight& operation)
      : dataset_(dataset), layout_(dataset.layout()), operation_(operation) {}

  absl::StatusOr<std::vector<table::RowMutation>> Run() {
    for (const NodeId chunk : operation_.chunk_scope) {
      CLEAVE_RETURN_IF_ERROR(FindFresh(layout_.ChunkOf(chunk).position));
    }
    if (former_of_.empty()) {
      return std::vector<table::RowMutation>{};
    }
    std::set<NodeId> formers;
    for (const auto& [fresh, former] : former_of_) {
      formers.insert(former);
      changes_[LeftoverKey(fresh)] = {table::DeleteRow{}};
    }
    for (const NodeId former : formers) {
      CLEAVE_RETURN_IF_ERROR(RestoreFormer(former));
    }
    for (const NodeId chunk : operation_.chunk_scope) {
      CLEAVE_RETURN_IF_ERROR(RemoveEdges(chunk));
    }
    std::vector<table::RowMutation> rows;
    for (auto& [key, changes] : changes_) {
      rows.push_back({key, std::move(changes)});
    }
    return rows;
  }

 private:
  absl::Status Refuse(NodeId fresh, absl::string_view why) const {
    return absl::FailedPreconditionError(
        absl::StrCat("operation ", Value(operation_.id), ", which PyChunkedGraph left behind, has made supervoxel ",
                     Value(fresh), ", ", why, "; clean it up where it was begun, and load the table again"));
  }

  absl::Status FindFresh(ChunkPoint chunk) {
    const graph::ChunkAddress address{graph::kSupervoxelLayer, chunk};
    const table::RowRange ids =
        table::NodeRowRange({.first = Value(layout_.MakeNode(address, graph::Segment{1})),
                             .last = Value(layout_.MakeNode(address, layout_.SegmentLimit(address.layer)))});
    CLEAVE_ASSIGN_OR_RETURN(
        const std::vector<table::Row> rows,
        dataset_.table().ReadRange(
            ids, {.columns = {columns::kOperationId, columns::kFormerIdentity, columns::kNewIdentity}}, 0));
    std::set<uint64_t> fresh;
    for (const table::Row& row : rows) {
      const table::Cell* made_by = row.Newest(columns::kOperationId);
      if (made_by != nullptr && made_by->value == table::EncodeIdText(Value(operation_.id))) {
        CLEAVE_ASSIGN_OR_RETURN(const uint64_t id, table::ParseNodeRowKey(row.key));
        CLEAVE_RETURN_IF_ERROR(AddFresh(NodeId{id}, row));
        fresh.insert(id);
      }
    }
    return fresh.empty() ? absl::OkStatus() : RequireNoVoxels(chunk, fresh);
  }

  absl::Status AddFresh(NodeId fresh, const table::Row& row) {
    if (row.Newest(columns::kNewIdentity) != nullptr) {
      return Refuse(fresh, "which was split again since");
    }
    const table::Cell* former = row.Newest(columns::kFormerIdentity);
    if (former == nullptr) {
      return Refuse(fresh, "and does not say what it came from");
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> formers, table::DecodeArray<NodeId>(former->value));
    if (formers.size() != 1) {
      return Refuse(fresh, absl::StrCat("and came from ", formers.size(), " supervoxels, not from one"));
    }
    former_of_[fresh] = formers.front();
    return absl::OkStatus();
  }

  absl::Status RequireNoVoxels(ChunkPoint chunk, const std::set<uint64_t>& fresh) const {
    const Box box = layout_.ChunkBox({graph::kSupervoxelLayer, chunk});
    CLEAVE_ASSIGN_OR_RETURN(const Array3<uint64_t> labels, dataset_.segmentation().ReadBox(volume::kFinestScale, box));
    uint64_t last = 0;
    for (int64_t i = 0; i < labels.size(); ++i) {
      if (labels.data()[i] != last) {
        last = labels.data()[i];
        if (fresh.contains(last)) {
          return Refuse(NodeId{last}, "which has voxels, and a loaded table does not tell what they were before");
        }
      }
    }
    return absl::OkStatus();
  }

  absl::Status RestoreFormer(NodeId former) {
    CLEAVE_ASSIGN_OR_RETURN(
        const table::Row row,
        dataset_.table().ReadRow(LeftoverKey(former), {.columns = {columns::kNewIdentity, columns::kParent}}));
    for (const table::Cell& cell : CellsOfColumn(row, columns::kNewIdentity)) {
      CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> ids, table::DecodeArray<NodeId>(cell.value));
      if (std::ranges::any_of(ids, [&](NodeId id) { return former_of_.contains(id); })) {
        changes_[LeftoverKey(former)].emplace_back(table::DeleteCells{columns::kNewIdentity, cell.time});
      }
    }
    for (const table::Cell& cell : CellsOfColumn(row, columns::kParent)) {
      CLEAVE_ASSIGN_OR_RETURN(const uint64_t parent, table::DecodeValue<uint64_t>(cell.value));
      if (restored_.insert(parent).second) {
        CLEAVE_RETURN_IF_ERROR(RestoreChildren(NodeId{parent}));
      }
    }
    return absl::OkStatus();
  }

  absl::Status RestoreChildren(NodeId parent) {
    CLEAVE_ASSIGN_OR_RETURN(const table::Row row,
                            dataset_.table().ReadRow(LeftoverKey(parent), {.columns = {columns::kChild}}));
    for (const table::Cell& cell : CellsOfColumn(row, columns::kChild)) {
      CLEAVE_ASSIGN_OR_RETURN(std::vector<NodeId> children, table::DecodeCompressedArray<NodeId>(cell.value));
      const std::vector<NodeId> restored = WithFormers(children);
      if (restored != children) {
        changes_[LeftoverKey(parent)].emplace_back(
            table::SetCell{columns::kChild, cell.time, table::EncodeCompressedArray(restored)});
      }
    }
    return absl::OkStatus();
  }

  std::vector<NodeId> WithFormers(const std::vector<NodeId>& children) const {
    std::vector<NodeId> restored;
    for (const NodeId child : children) {
      const auto former = former_of_.find(child);
      const NodeId id = former == former_of_.end() ? child : former->second;
      if (former == former_of_.end() || std::ranges::count(restored, id) == 0) {
        restored.push_back(id);
      }
    }
    return restored;
  }

  absl::Status RemoveEdges(NodeId chunk) {
    const std::vector<table::Column> stored = {columns::kSplitEdges, columns::kAffinity, columns::kArea};
    const std::vector<table::Column> compacted = {columns::kCompactedSplitEdges, columns::kCompactedAffinity,
                                                  columns::kCompactedArea};
    const std::string key = table::EditedEdgesRowKey(Value(chunk));
    CLEAVE_ASSIGN_OR_RETURN(const table::Row row,
                            dataset_.table().ReadRow(key, {.columns = {stored.front(), compacted.front()}}));
    for (const std::vector<table::Column>& group : {stored, compacted}) {
      for (const table::Cell& cell : CellsOfColumn(row, group.front())) {
        CLEAVE_ASSIGN_OR_RETURN(const std::vector<EdgeEnds> edges, table::DecodeArray<EdgeEnds>(cell.value));
        const auto names_fresh = [&](const EdgeEnds& edge) {
          return former_of_.contains(edge.node1) || former_of_.contains(edge.node2);
        };
        if (std::ranges::any_of(edges, names_fresh)) {
          for (const table::Column& column : group) {
            changes_[key].emplace_back(table::DeleteCells{column, cell.time});
          }
        }
      }
    }
    return absl::OkStatus();
  }

  graph::Dataset& dataset_;
  const graph::IdLayout& layout_;
  const InFlight& operation_;
  std::map<NodeId, NodeId> former_of_;
  std::set<uint64_t> restored_;
  std::map<std::string, std::vector<table::Change>> changes_;
};

}  // namespace

absl::StatusOr<std::vector<table::RowMutation>> RemovalOfForeignRows(graph::Dataset& dataset,
                                                                     const InFlight& operation) {
  return LeftoverRemoval(dataset, operation).Run();
}

}  // namespace cleave::edit
