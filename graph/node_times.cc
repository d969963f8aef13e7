#include "graph/node_times.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "table/columns.h"
#include "table/row_keys.h"
#include "table/serializers.h"
#include "table/table.h"

namespace cleave::graph {
namespace {

namespace columns = table::columns;

std::vector<std::string> NodeRowKeys(std::span<const NodeId> nodes) {
  std::vector<std::string> keys;
  keys.reserve(nodes.size());
  for (const NodeId node : nodes) {
    keys.push_back(table::NodeRowKey(Value(node)));
  }
  return keys;
}

}  // namespace

absl::StatusOr<std::vector<std::vector<ParentVersion>>> ParentVersions(const GraphView& view,
                                                                       std::span<const NodeId> nodes) {
  CLEAVE_ASSIGN_OR_RETURN(
      const std::vector<table::Row> rows,
      view.reader().ReadRows(NodeRowKeys(nodes),
                             {.columns = {columns::kParent}, .end = view.at(), .end_inclusive = true}));
  std::vector<std::vector<ParentVersion>> versions(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    const auto cells = rows[i].cells.find(columns::kParent);
    if (cells == rows[i].cells.end()) {
      continue;
    }
    for (const table::Cell& cell : cells->second) {
      const absl::StatusOr<NodeId> parent = table::DecodeValue<NodeId>(cell.value);
      if (!parent.ok()) {
        return Annotate(parent.status(), absl::StrCat("row of node ", Value(nodes[i])));
      }
      versions[i].push_back({cell.time, *parent});
    }
  }
  return versions;
}

absl::StatusOr<std::vector<std::optional<absl::Time>>> CreationTimes(const GraphView& view,
                                                                     std::span<const NodeId> nodes) {
  std::vector<std::optional<absl::Time>> times(nodes.size());
  CLEAVE_RETURN_IF_ERROR(
      view.reader().VisitNewest(NodeRowKeys(nodes), columns::kChild, view.at(), [&](const table::FoundCell& cell) {
        times[cell.index] = cell.time;
        return absl::OkStatus();
      }));
  return times;
}

absl::StatusOr<std::vector<RootLife>> RootLives(const GraphView& view, std::span<const NodeId> ids) {
  std::vector<RootLife> lives(ids.size());
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::optional<absl::Time>> created, CreationTimes(view, ids));
  CLEAVE_ASSIGN_OR_RETURN(
      const std::vector<table::Row> rows,
      view.reader().ReadRows(NodeRowKeys(ids),
                             {.columns = {columns::kNewParent}, .end = view.at(), .end_inclusive = true}));
  for (size_t i = 0; i < ids.size(); ++i) {
    if (view.layout().LayerOf(ids[i]) != view.layout().layer_count()) {
      continue;
    }
    lives[i].created = created[i];
    if (const auto cells = rows[i].cells.find(columns::kNewParent); cells != rows[i].cells.end()) {
      lives[i].superseded = cells->second.back().time;
    }
  }
  return lives;
}

absl::StatusOr<std::vector<NodeId>> NodesWrittenIn(const GraphView& view, std::span<const NodeId> ids, absl::Time begin,
                                                   absl::Time end) {
  CLEAVE_ASSIGN_OR_RETURN(
      const std::vector<table::Row> rows,
      view.reader().ReadRows(NodeRowKeys(ids), {.start = begin, .end = end, .cells_per_column = 1}));
  std::vector<NodeId> written;
  for (size_t i = 0; i < ids.size(); ++i) {
    // Small numbers are the rows of operations.
    if (!rows[i].cells.empty() && view.layout().Validate(ids[i]).ok()) {
      written.push_back(ids[i]);
    }
  }
  return written;
}

absl::StatusOr<RootPage> LatestRoots(const GraphView& view, NodeId from, int64_t rows_max) {
  const IdLayout& layout = view.layout();
  const ChunkAddress top{layout.layer_count(), {0, 0, 0}};
  const uint64_t first = Value(layout.MakeNode(top, Segment{1}));
  const uint64_t last = first - 1 + Value(layout.SegmentLimit(top.layer));
  if (rows_max < 1) {
    return absl::InvalidArgumentError("a page of roots needs room for at least one");
  }
  if (Value(from) > last) {
    return RootPage{};
  }
  CLEAVE_ASSIGN_OR_RETURN(
      const std::vector<table::Row> rows,
      view.reader().ReadRange(table::NodeRowRange({.first = std::max(first, Value(from)), .last = last}),
                              {.columns = {columns::kChild, columns::kNewParent},
                               .end = view.at(),
                               .end_inclusive = true,
                               .cells_per_column = 1},
                              rows_max));
  RootPage page;
  for (const table::Row& row : rows) {
    CLEAVE_ASSIGN_OR_RETURN(const uint64_t id, table::ParseNodeRowKey(row.key));
    if (row.Newest(columns::kChild) != nullptr && row.Newest(columns::kNewParent) == nullptr) {
      page.roots.push_back(NodeId{id});
    }
    if (std::ssize(rows) == rows_max && &row == &rows.back() && id < last) {
      page.next = NodeId{id + 1};
    }
  }
  return page;
}

}  // namespace cleave::graph
