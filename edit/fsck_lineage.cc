// Lineage: what the log says of every operation stands in the rows of its roots, of the supervoxels that it cut, and of
// their fragments. A part of invariant 3: it is the only bridge between a past and a present id.
#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/status.h"
#include "edit/fsck_checks.h"
#include "edit/plan_rows.h"
#include "table/columns.h"
#include "table/row_keys.h"
#include "table/serializers.h"

namespace cleave::edit {
namespace {

using graph::NodeId;
namespace columns = table::columns;

constexpr size_t kLineageBatchRows = 4096;

std::vector<table::Column> LineageColumns() {
  return {columns::kFormerParent, columns::kNewParent, columns::kOperationId, columns::kFormerIdentity,
          columns::kNewIdentity};
}

std::string IdWords(const std::vector<NodeId>& ids) { return absl::StrJoin(graph::ToIntegers(ids), ", "); }

const table::Cell* LineageCellAt(const table::Row& row, const table::Column& column, absl::Time time) {
  const auto cells = row.cells.find(column);
  if (cells == row.cells.end()) {
    return nullptr;
  }
  const auto found = std::ranges::find(cells->second, time, &table::Cell::time);
  return found == cells->second.end() ? nullptr : &*found;
}

// The ids in one column of each node at a time; none where there are none, or they cannot be decoded.
absl::StatusOr<std::vector<std::vector<NodeId>>> IdsAt(const table::TableReader& reader,
                                                       const std::vector<NodeId>& nodes, const table::Column& column,
                                                       absl::Time time) {
  std::vector<std::string> keys;
  for (const NodeId node : nodes) {
    keys.push_back(NodeKey(node));
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows, reader.ReadRows(keys, {.columns = {column}}));
  std::vector<std::vector<NodeId>> ids(nodes.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    if (const table::Cell* cell = LineageCellAt(rows[i], column, time)) {
      ids[i] = table::DecodeArray<NodeId>(cell->value).value_or(std::vector<NodeId>{});
    }
  }
  return ids;
}

// Looks through the rows of a chunk for the supervoxel that says it became `fragment` at a time.
absl::StatusOr<NodeId> FormerByItsOwnRow(const graph::IdLayout& layout, const table::TableReader& reader,
                                         NodeId fragment, absl::Time time) {
  const graph::ChunkAddress chunk = layout.ChunkOf(fragment);
  const table::RowRange range =
      table::NodeRowRange({.first = Value(layout.MakeNode(chunk, graph::Segment{1})),
                           .last = Value(layout.MakeNode(chunk, layout.SegmentLimit(chunk.layer)))});
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows,
                          reader.ReadRange(range, {.columns = {columns::kNewIdentity}}, 0));
  for (const table::Row& row : rows) {
    const table::Cell* cell = LineageCellAt(row, columns::kNewIdentity, time);
    const absl::StatusOr<std::vector<NodeId>> became =
        cell == nullptr ? std::vector<NodeId>{} : table::DecodeArray<NodeId>(cell->value);
    if (became.ok() && std::ranges::count(*became, fragment) > 0) {
      CLEAVE_ASSIGN_OR_RETURN(const uint64_t id, table::ParseNodeRowKey(row.key));
      return NodeId{id};
    }
  }
  return NodeId{};
}

}  // namespace

absl::StatusOr<FormerOf> FormersOf(const graph::IdLayout& layout, const table::TableReader& reader,
                                   std::span<const OperationRecord> log) {
  FormerOf formers;
  for (const OperationRecord& record : log) {
    if (record.status != OperationStatus::kSuccess) {
      continue;
    }
    std::vector<NodeId> fragments = record.fragments;
    std::erase_if(fragments, [&](NodeId id) { return !layout.Validate(id).ok(); });
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::vector<NodeId>> named,
                            IdsAt(reader, fragments, columns::kFormerIdentity, record.time));
    std::vector<NodeId> candidates;
    for (size_t i = 0; i < fragments.size(); ++i) {
      const bool plausible = named[i].size() == 1 && layout.Validate(named[i].front()).ok() &&
                             layout.ChunkOf(named[i].front()) == layout.ChunkOf(fragments[i]);
      candidates.push_back(plausible ? named[i].front() : NodeId{});
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::vector<NodeId>> became,
                            IdsAt(reader, candidates, columns::kNewIdentity, record.time));
    for (size_t i = 0; i < fragments.size(); ++i) {
      NodeId former = candidates[i];
      if (former == NodeId{} || std::ranges::count(became[i], fragments[i]) == 0) {
        CLEAVE_ASSIGN_OR_RETURN(const NodeId other, FormerByItsOwnRow(layout, reader, fragments[i], record.time));
        former = other != NodeId{} ? other : former;
      }
      if (former != NodeId{}) {
        formers[fragments[i]] = former;
      }
    }
  }
  return formers;
}

// Of an operation with several objects before and several after, the log does not say which came from which.
std::vector<LineageCell> LineageOf(const OperationRecord& record, const FormerOf& former_of) {
  std::vector<LineageCell> cells;
  const std::string operation = table::EncodeIdText(Value(record.id));
  const auto add = [&](NodeId node, const table::Column& column, std::string value, const std::string& words) {
    cells.push_back({node, column, std::move(value), words});
  };
  const bool is_known = record.old_roots.size() <= 1 || record.new_roots.size() <= 1;
  for (const NodeId root : record.new_roots) {
    if (is_known) {
      add(root, columns::kFormerParent, table::EncodeArray(record.old_roots),
          absl::StrCat("made from ", IdWords(record.old_roots)));
    }
    add(root, columns::kOperationId, operation, absl::StrCat("made by operation ", Value(record.id)));
  }
  for (const NodeId root : record.old_roots) {
    if (is_known) {
      add(root, columns::kNewParent, table::EncodeArray(record.new_roots),
          absl::StrCat("replaced by ", IdWords(record.new_roots)));
    }
    add(root, columns::kOperationId, operation, absl::StrCat("replaced by operation ", Value(record.id)));
  }
  std::map<NodeId, std::vector<NodeId>> fragments_of;
  for (const NodeId fragment : record.fragments) {
    const auto former = former_of.find(fragment);
    if (former != former_of.end()) {
      fragments_of[former->second].push_back(fragment);
      add(fragment, columns::kFormerIdentity, table::EncodeArray(std::vector<NodeId>{former->second}),
          absl::StrCat("cut from ", Value(former->second)));
      add(fragment, columns::kOperationId, operation, absl::StrCat("made by operation ", Value(record.id)));
    }
  }
  for (const auto& [supervoxel, fragments] : FragmentsOfRestored(record.restored)) {
    add(supervoxel, columns::kFormerIdentity, table::EncodeArray(fragments),
        absl::StrCat("made again of ", IdWords(fragments)));
    add(supervoxel, columns::kOperationId, operation, absl::StrCat("made again by operation ", Value(record.id)));
    for (const NodeId fragment : fragments) {
      add(fragment, columns::kNewIdentity, table::EncodeArray(std::vector<NodeId>{supervoxel}),
          absl::StrCat("joined into ", Value(supervoxel)));
    }
  }
  for (const auto& [former, fragments] : fragments_of) {
    add(former, columns::kNewIdentity, table::EncodeArray(fragments), absl::StrCat("cut into ", IdWords(fragments)));
  }
  return cells;
}

absl::StatusOr<bool> HasTakenEffect(const table::TableReader& reader, const OperationRecord& record) {
  if (record.new_roots.empty()) {
    return false;
  }
  std::vector<std::string> keys;
  for (const NodeId root : record.new_roots) {
    keys.push_back(NodeKey(root));
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows,
                          reader.ReadRows(keys, {.columns = {columns::kOperationId, columns::kFormerParent}}));
  const std::string operation = table::EncodeIdText(Value(record.id));
  return std::ranges::any_of(rows, [&](const table::Row& row) {
    const auto cells = row.cells.find(columns::kOperationId);
    return cells != row.cells.end() &&
           std::ranges::any_of(cells->second, [&](const table::Cell& cell) { return cell.value == operation; });
  });
}

absl::Status FsckRun::CheckLineage() {
  progress_.Begin("lineage", static_cast<int64_t>(log_.size()), "operations");
  CLEAVE_ASSIGN_OR_RETURN(const FormerOf former_of, FormersOf(dataset_.layout(), table_, log_));
  std::vector<std::pair<LineageCell, absl::Time>> expected;
  const auto compare = [&]() -> absl::Status {
    std::vector<std::string> keys;
    for (const auto& [cell, time] : expected) {
      keys.push_back(NodeKey(cell.node));
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows, table_.ReadRows(keys, {.columns = LineageColumns()}));
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto& [cell, time] = expected[i];
      const table::Cell* stored = LineageCellAt(rows[i], cell.column, time);
      if (stored == nullptr || stored->value != cell.value) {
        findings_.Add({3,
                       absl::StrCat("node ", Value(cell.node), " was ", cell.words, " at ", absl::FormatTime(time),
                                    ", but its row ", stored == nullptr ? "does not say so" : "says otherwise"),
                       {Value(cell.node)},
                       std::nullopt,
                       "plan a repair"});
      }
    }
    findings_.Count(3, static_cast<int64_t>(expected.size()));
    expected.clear();
    return absl::OkStatus();
  };
  for (const OperationRecord& record : log_) {
    if (record.status == OperationStatus::kSuccess) {
      for (LineageCell& cell : LineageOf(record, former_of)) {
        expected.emplace_back(std::move(cell), record.time);
      }
      for (const NodeId fragment : record.fragments) {
        if (!former_of.contains(fragment)) {
          findings_.Add({3,
                         absl::StrCat("fragment ", Value(fragment), " of operation ", Value(record.id),
                                      " does not say what it was cut from, and no supervoxel says it became it"),
                         {Value(fragment), Value(record.id)},
                         std::nullopt,
                         "compare its voxels with the version before the operation's"});
        }
      }
    }
    if (expected.size() >= kLineageBatchRows) {
      CLEAVE_RETURN_IF_ERROR(compare());
    }
    progress_.Advance(1);
  }
  absl::Status status = compare();
  progress_.End();
  return status;
}

}  // namespace cleave::edit
