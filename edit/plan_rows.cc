#include "edit/plan_rows.h"

#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "edit/draft.h"
#include "table/columns.h"
#include "table/row_keys.h"
#include "table/serializers.h"

namespace cleave::edit {
namespace {

using graph::NodeId;
namespace columns = table::columns;

std::string Key(NodeId id) { return table::NodeRowKey(Value(id)); }

table::SetCell Set(const table::Column& column, std::string value) { return {column, std::nullopt, std::move(value)}; }

// The old roots of each new one, and the other way round; ascending.
using Lineage = std::map<NodeId, std::set<NodeId>>;

// From the bottom up: what a new node came from is what its children came from; a child that is not new has its root of
// before.
absl::StatusOr<Lineage> FindRootFormers(const graph::GraphView& view, const graph::HierarchyPlan& hierarchy,
                                        const Plan& plan) {
  std::map<NodeId, std::vector<NodeId>> formers_of = FragmentsOfRestored(plan.restored);
  for (const Fragment& fragment : plan.fragments) {
    formers_of[fragment.id] = {fragment.former};
  }
  Lineage formers;
  for (const graph::PlannedNode& node : hierarchy.nodes) {
    formers[node.id];
  }
  std::vector<NodeId> kept;
  for (const graph::PlannedNode& node : hierarchy.nodes) {
    for (const NodeId child : node.children) {
      if (!formers.contains(child)) {
        const std::vector<NodeId>& from = formers_of.try_emplace(child, std::vector{child}).first->second;
        kept.insert(kept.end(), from.begin(), from.end());
      }
    }
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> roots, view.Roots(kept));
  size_t next = 0;
  for (const graph::PlannedNode& node : hierarchy.nodes) {
    std::set<NodeId>& own = formers[node.id];
    for (const NodeId child : node.children) {
      if (const auto planned = formers.find(child); planned != formers.end()) {
        own.insert(planned->second.begin(), planned->second.end());
      } else {
        for (size_t i = formers_of.at(child).size(); i > 0; --i) {
          own.insert(roots[next++]);
        }
      }
    }
  }
  return formers;
}

absl::StatusOr<Lineage> LineageOf(const graph::GraphView& view, const graph::HierarchyPlan& hierarchy,
                                  const Plan& plan) {
  const std::set<NodeId> old_roots(hierarchy.old_roots.begin(), hierarchy.old_roots.end());
  const std::set<NodeId> new_roots(hierarchy.new_roots.begin(), hierarchy.new_roots.end());
  if (old_roots.size() > 1 && new_roots.size() > 1) {
    CLEAVE_ASSIGN_OR_RETURN(const Lineage formers, FindRootFormers(view, hierarchy, plan));
    Lineage lineage;
    for (const NodeId root : new_roots) {
      for (const NodeId former : formers.at(root)) {
        if (old_roots.contains(former)) {
          lineage[root].insert(former);
          lineage[former].insert(root);
        }
      }
    }
    if (lineage.size() == old_roots.size() + new_roots.size()) {
      return lineage;
    }
    // The stored graph contradicts itself, and is being mended: nobody knows what came from what.
  }
  Lineage lineage;
  for (const NodeId root : new_roots) {
    lineage[root] = old_roots;
  }
  for (const NodeId root : old_roots) {
    lineage[root] = new_roots;
  }
  return lineage;
}

std::string PackIds(const std::set<NodeId>& ids) {
  return table::EncodeArray(std::vector<NodeId>(ids.begin(), ids.end()));
}

}  // namespace

absl::Status AddHierarchyRows(const graph::GraphView& view, const graph::HierarchyPlan& hierarchy,
                              graph::OperationId operation, Plan& plan) {
  CLEAVE_ASSIGN_OR_RETURN(const Lineage lineage, LineageOf(view, hierarchy, plan));
  const std::string operation_text = table::EncodeIdText(Value(operation));
  for (const graph::PlannedNode& node : hierarchy.nodes) {
    table::RowMutation row{Key(node.id), {Set(columns::kChild, table::EncodeCompressedArray(node.children))}};
    for (const auto& [layer, edges] : node.cross_edges) {
      row.changes.push_back(Set(columns::AtomicCrossChunkEdge({.value = layer}), table::EncodeCompressedArray(edges)));
    }
    plan.prepare.push_back(std::move(row));
    if (view.layout().LayerOf(node.id) == graph::kL2Layer) {
      plan.new_l2_nodes.push_back(node.id);
    }
    for (const NodeId child : node.children) {
      plan.flip.push_back({Key(child), {Set(columns::kParent, table::EncodeValue(Value(node.id)))}});
    }
  }
  for (const NodeId root : hierarchy.new_roots) {
    plan.flip.push_back(
        {Key(root),
         {Set(columns::kFormerParent, PackIds(lineage.at(root))), Set(columns::kOperationId, operation_text)}});
  }
  for (const NodeId root : hierarchy.old_roots) {
    plan.flip.push_back(
        {Key(root), {Set(columns::kNewParent, PackIds(lineage.at(root))), Set(columns::kOperationId, operation_text)}});
  }
  plan.old_roots = hierarchy.old_roots;
  plan.new_roots = hierarchy.new_roots;
  return absl::OkStatus();
}

std::vector<NodeId> SupervoxelsOf(const std::vector<Restored>& restored) {
  std::vector<NodeId> supervoxels;
  for (const auto& [supervoxel, fragments] : FragmentsOfRestored(restored)) {
    supervoxels.push_back(supervoxel);
  }
  return supervoxels;
}

std::map<NodeId, std::vector<NodeId>> FragmentsOfRestored(std::span<const Restored> restored) {
  std::map<NodeId, std::vector<NodeId>> fragments_of;
  for (const Restored& one : restored) {
    fragments_of[one.supervoxel].push_back(one.fragment);
  }
  return fragments_of;
}

void AddRestoredRows(const graph::HierarchyPlan& hierarchy, graph::OperationId operation, Plan& plan) {
  const std::map<NodeId, std::vector<NodeId>> fragments_of = FragmentsOfRestored(plan.restored);
  for (const graph::PlannedNode& node : hierarchy.nodes) {
    for (const NodeId child : node.children) {
      const auto restored = fragments_of.find(child);
      if (restored == fragments_of.end()) {
        continue;
      }
      plan.flip.push_back({Key(child),
                           {Set(columns::kFormerIdentity, table::EncodeArray(restored->second)),
                            Set(columns::kOperationId, table::EncodeIdText(Value(operation)))}});
      for (const NodeId fragment : restored->second) {
        plan.flip.push_back({Key(fragment),
                             {Set(columns::kNewIdentity, table::EncodeArray(std::vector<NodeId>{child})),
                              Set(columns::kParent, table::EncodeValue(Value(node.id)))}});
      }
    }
  }
}

absl::Status AddFragmentRows(const table::TableReader& reader, graph::OperationId operation, Plan& plan) {
  std::map<NodeId, std::vector<NodeId>> fragments_of;
  for (const Fragment& fragment : plan.fragments) {
    fragments_of[fragment.former].push_back(fragment.id);
  }
  std::vector<std::string> keys;
  keys.reserve(fragments_of.size());
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
      table::RowMutation turned_on{Key(fragment), {}};
      for (const table::Cell& cell : parents->second) {
        (Draft::IsProvisional(cell.time) ? turned_on : row)
            .changes.push_back(table::SetCell{columns::kParent, cell.time, cell.value});
      }
      plan.prepare.push_back(std::move(row));
      if (!turned_on.changes.empty()) {
        plan.flip.push_back(std::move(turned_on));
      }
    }
    plan.flip.push_back({Key(former), {Set(columns::kNewIdentity, table::EncodeArray(fragments))}});
  }
  return absl::OkStatus();
}

}  // namespace cleave::edit
