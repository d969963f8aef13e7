#include "edit/plan_rows.h"

#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "table/columns.h"
#include "table/row_keys.h"
#include "table/serializers.h"

namespace cleave::edit {
namespace {

using graph::NodeId;
namespace columns = table::columns;

std::string Key(NodeId id) { return table::NodeRowKey(Value(id)); }

table::SetCell Set(const table::Column& column, std::string value) { return {column, std::nullopt, std::move(value)}; }

}  // namespace

void AddHierarchyRows(const graph::HierarchyPlan& hierarchy, graph::OperationId operation, Plan& plan) {
  const std::string operation_text = table::EncodeIdText(Value(operation));
  for (const graph::PlannedNode& node : hierarchy.nodes) {
    table::RowMutation row{Key(node.id), {Set(columns::kChild, table::EncodeCompressedArray(node.children))}};
    for (const auto& [layer, edges] : node.cross_edges) {
      row.changes.push_back(Set(columns::AtomicCrossChunkEdge({.value = layer}), table::EncodeCompressedArray(edges)));
    }
    plan.prepare.push_back(std::move(row));
    for (const NodeId child : node.children) {
      plan.flip.push_back({Key(child), {Set(columns::kParent, table::EncodeValue(Value(node.id)))}});
    }
  }
  for (const NodeId root : hierarchy.new_roots) {
    plan.flip.push_back({Key(root),
                         {Set(columns::kFormerParent, table::EncodeArray(hierarchy.old_roots)),
                          Set(columns::kOperationId, operation_text)}});
  }
  for (const NodeId root : hierarchy.old_roots) {
    plan.flip.push_back({Key(root),
                         {Set(columns::kNewParent, table::EncodeArray(hierarchy.new_roots)),
                          Set(columns::kOperationId, operation_text)}});
  }
  plan.old_roots = hierarchy.old_roots;
  plan.new_roots = hierarchy.new_roots;
}

absl::Status AddFragmentRows(const table::TableReader& reader, graph::OperationId operation, Plan& plan) {
  std::map<NodeId, std::vector<NodeId>> fragments_of;
  for (const Fragment& fragment : plan.fragments) {
    fragments_of[fragment.former].push_back(fragment.id);
  }
  std::vector<std::string> keys;
  for (const auto& [former, fragments] : fragments_of) {
    keys.push_back(Key(former));
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows, reader.ReadRows(keys, {.columns = {columns::kParent}}));
  size_t index = 0;
  for (const auto& [former, fragments] : fragments_of) {
    const auto parents = rows[index++].cells.find(columns::kParent);
    if (parents == rows[index - 1].cells.end()) {
      return absl::DataLossError(absl::StrCat("supervoxel ", Value(former), " has no parent in the table"));
    }
    for (const NodeId fragment : fragments) {
      table::RowMutation row{Key(fragment),
                             {Set(columns::kFormerIdentity, table::EncodeArray(std::vector<NodeId>{former})),
                              Set(columns::kOperationId, table::EncodeIdText(Value(operation)))}};
      for (const table::Cell& cell : parents->second) {
        row.changes.push_back(table::SetCell{columns::kParent, cell.time, cell.value});
      }
      plan.prepare.push_back(std::move(row));
    }
    plan.flip.push_back({Key(former), {Set(columns::kNewIdentity, table::EncodeArray(fragments))}});
  }
  return absl::OkStatus();
}

}  // namespace cleave::edit
