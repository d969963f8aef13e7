#include "edit/branch.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/clock.h"
#include "base/status.h"
#include "edit/event_index.h"
#include "edit/instant.h"
#include "mesh/branch_meshes.h"
#include "mesh/mesh_meta.h"
#include "ocdbt/database.h"
#include "table/columns.h"
#include "table/pickled_custom.h"
#include "table/row_keys.h"
#include "table/table.h"

namespace cleave::edit {
namespace {

constexpr int64_t kRowsAtOnce = 10'000;
constexpr uint64_t kFirstNode = uint64_t{1} << 56;
constexpr uint64_t kLastNode = ~uint64_t{0};

bool IsLater(const OperationRecord& record, absl::Time at) {
  return record.time > at && record.kind != OperationKind::kRepair;
}

// Takes out of a table what came after a time.
class Trimmer {
 public:
  Trimmer(table::Table& table, absl::Time at) : table_(table), at_(at) {}

  absl::Status Run(const std::vector<OperationRecord>& log) {
    CLEAVE_RETURN_IF_ERROR(DropOperations(log));
    // Whether one that stays was undone, or cut anew, since.
    CLEAVE_RETURN_IF_ERROR(
        DropLaterCells(table::NodeRowRange({.first = 1, .last = kFirstNode - 1}), OperationLog::ColumnsOfMarks()));
    CLEAVE_RETURN_IF_ERROR(DropLaterCells(table::NodeRowRange({.first = kFirstNode, .last = kLastNode})));
    CLEAVE_RETURN_IF_ERROR(DropLaterCells({"f", "g"}));  // edited edges
    CLEAVE_RETURN_IF_ERROR(DropLaterCells({"p", "q"}));  // the list of protected objects
    const table::RowMutation place[] = {RemoveEventGroupRow(kDownsampleGroup)};
    return table_.Apply(place);
  }

 private:
  absl::Status DropOperations(const std::vector<OperationRecord>& log) {
    std::vector<table::RowMutation> rows;
    for (const OperationRecord& record : log) {
      if (IsLater(record, at_)) {
        rows.push_back({table::OperationRowKey(Value(record.id)), {table::DeleteRow{}}});
        rows.push_back({EventRowKey({record.time, record.id}), {table::DeleteRow{}}});
        rows.push_back(RemoveRevertedVoxelsRow(record.id));
        // Fragments have the parents of what they were cut from, at the times that these had.
        for (const graph::NodeId fragment : record.fragments) {
          rows.push_back({table::NodeRowKey(Value(fragment)), {table::DeleteRow{}}});
        }
      }
    }
    return table_.Apply(rows);
  }

  absl::Status DropLaterCells(table::RowRange range, const std::vector<table::Column>& columns = {}) {
    const table::Filter later{.columns = columns, .start = at_ + absl::Milliseconds(1)};
    for (;;) {
      CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows, table_.ReadRange(range, later, kRowsAtOnce));
      std::vector<table::RowMutation> mutations;
      for (const table::Row& row : rows) {
        table::RowMutation& mutation = mutations.emplace_back();
        mutation.key = row.key;
        for (const auto& [column, cells] : row.cells) {
          for (const table::Cell& cell : cells) {
            mutation.changes.emplace_back(table::DeleteCells{column, cell.time});
          }
        }
      }
      CLEAVE_RETURN_IF_ERROR(table_.ordered().Apply(mutations));
      if (std::ssize(rows) < kRowsAtOnce) {
        return absl::OkStatus();
      }
      range.begin = rows.back().key + '\0';
    }
  }

  table::Table& table_;
  const absl::Time at_;
};

// Those of this project's consumers are not the branch's; nor are its workers' claims and locks of blocks.
absl::Status DropConsumers(table::Table& table) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<EventGroup> groups, ListEventGroups(table));
  std::vector<table::RowMutation> rows;
  for (const EventGroup& group : groups) {
    if (group.name != kDownsampleGroup) {
      rows.push_back(RemoveEventGroupRow(group.name));
    }
  }
  for (const table::RowRange& range : {table::RowRange{"q", "r"}, table::DownsampleLockRowRange()}) {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> claims, table.ReadRange(range, {}, 0));
    std::ranges::transform(claims, std::back_inserter(rows), [](const table::Row& row) {
      return table::RowMutation{row.key, {table::DeleteRow{}}};
    });
  }
  return table.Apply(rows);
}

absl::Status RequireQuiet(graph::Dataset& dataset) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<InFlight> in_flight, OperationLog::ListInFlight(dataset.table()));
  if (in_flight.empty()) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("operation ", Value(in_flight.front().id),
                   " is in flight; a branch is made when none is. See `cleave stuck show`"));
}

std::vector<OperationRecord> SuccessesByTime(std::vector<OperationRecord> log) {
  std::erase_if(log, [](const OperationRecord& record) { return record.status != OperationStatus::kSuccess; });
  std::ranges::sort(log, {}, [](const OperationRecord& record) { return std::pair(record.time, record.id); });
  return log;
}

// The record of the graph for others.
absl::Status RenameRecord(table::Table& table, const std::string& graph_id) {
  CLEAVE_ASSIGN_OR_RETURN(const table::Row row, table.ReadRow(table::kMetaRowKey, {.columns = {table::columns::kMeta},
                                                                                   .cells_per_column = 1}));
  const table::Cell* const cell = row.Newest(table::columns::kMeta);
  if (cell == nullptr) {
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> renamed = table::WithGraphId(cell->value, graph_id);
  CLEAVE_RETURN_IF_ERROR(Annotate(renamed.status(), "row 'meta'"));
  const table::RowMutation rows[] = {
      {table::kMetaRowKey, {table::SetCell{table::columns::kMeta, std::nullopt, *std::move(renamed)}}}};
  return table.Apply(rows);
}

class Brancher {
 public:
  Brancher(graph::Dataset& dataset, const std::string& folder) : dataset_(dataset), folder_(folder) {}

  // `graph_id`: "" for that of the project.
  absl::StatusOr<BranchReport> Run(std::optional<absl::Time> at, const std::string& graph_id) {
    CLEAVE_RETURN_IF_ERROR(RequireQuiet(dataset_));
    const absl::Time ingested = dataset_.meta().ingested;
    if (at.has_value() && *at < ingested) {
      return absl::InvalidArgumentError(
          absl::StrCat("there was no graph at ", absl::FormatTime(absl::RFC3339_full, *at, absl::UTCTimeZone()),
                       "; its ingest was at ", absl::FormatTime(absl::RFC3339_full, ingested, absl::UTCTimeZone())));
    }
    CLEAVE_ASSIGN_OR_RETURN(log_, OperationLog(dataset_.table()).ReadAll());
    last_ = at.value_or(absl::InfiniteFuture());
    BranchReport report;
    report.graph_id = graph_id.empty() ? dataset_.meta().graph_id : graph_id;
    report.dropped_count = std::ranges::count_if(log_, [&](const auto& record) { return IsLater(record, last_); });
    report.operation_count = std::ssize(log_) - report.dropped_count;
    report.time = ingested;
    for (const OperationRecord& record : SuccessesByTime(log_)) {
      report.time = record.time <= last_ ? std::max(report.time, record.time) : report.time;
    }
    CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Snapshot newest, dataset_.database().Newest());
    report.generation = newest.generation().value;
    if (report.dropped_count > 0) {
      report.generation = InstantAtTime(log_, last_).generation.value_or(report.generation);
    }
    const auto reconcile = [&](table::Table& table) { return Reconcile(table, graph_id, report); };
    CLEAVE_ASSIGN_OR_RETURN(report.files, dataset_.CopyTo(folder_, report.generation, reconcile, graph_id));
    return report;
  }

 private:
  absl::Status Reconcile(table::Table& table, const std::string& graph_id, BranchReport& report) const {
    CLEAVE_RETURN_IF_ERROR(DropConsumers(table));
    CLEAVE_RETURN_IF_ERROR(report.dropped_count > 0 ? Trimmer(table, last_).Run(log_) : absl::OkStatus());
    if (graph_id.empty()) {
      CLEAVE_RETURN_IF_ERROR(mesh::BranchMeshes(dataset_.layout(), folder_, table, Clock::System().Now()));
    } else {
      CLEAVE_RETURN_IF_ERROR(RenameRecord(table, graph_id));
      CLEAVE_RETURN_IF_ERROR(mesh::CopyMeshes(dataset_.layout(), folder_, table, graph_id));
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::optional<mesh::MeshMeta> meshes, mesh::ReadMeshMeta(table));
    report.dynamic_mesh_dir = meshes.has_value() ? meshes->dynamic_dir : "";
    return absl::OkStatus();
  }

  graph::Dataset& dataset_;
  const std::string& folder_;
  std::vector<OperationRecord> log_;
  absl::Time last_;
};

}  // namespace

absl::StatusOr<BranchReport> BranchProject(graph::Dataset& dataset, const std::string& folder,
                                           std::optional<absl::Time> at) {
  return Brancher(dataset, folder).Run(at, "");
}

absl::StatusOr<BranchReport> CopyProject(graph::Dataset& dataset, const std::string& folder,
                                         const std::string& graph_id) {
  if (graph_id == dataset.meta().graph_id) {
    return absl::InvalidArgumentError(
        absl::StrCat("the graph is named ", graph_id, " already; a copy needs a name of its own"));
  }
  return Brancher(dataset, folder).Run(std::nullopt, graph_id);
}

absl::StatusOr<LogDifference> DiffProjects(graph::Dataset& first, graph::Dataset& second) {
  graph::GraphMeta meta = second.meta();
  meta.graph_id = first.meta().graph_id;
  if (first.meta() != meta) {
    return absl::FailedPreconditionError(
        "the two are not branches or copies of one project: their chunks, volumes or times of ingest differ");
  }
  CLEAVE_ASSIGN_OR_RETURN(std::vector<OperationRecord> logs_first, OperationLog(first.table()).ReadAll());
  CLEAVE_ASSIGN_OR_RETURN(std::vector<OperationRecord> logs_second, OperationLog(second.table()).ReadAll());
  std::vector<OperationRecord> a = SuccessesByTime(std::move(logs_first));
  std::vector<OperationRecord> b = SuccessesByTime(std::move(logs_second));
  const auto [end_a, end_b] = std::ranges::mismatch(a, b, [](const OperationRecord& x, const OperationRecord& y) {
    return x.id == y.id && x.time == y.time && x.new_roots == y.new_roots;
  });
  LogDifference difference;
  difference.common_count = end_a - a.begin();
  difference.common_until = end_a == a.begin() ? absl::InfinitePast() : std::prev(end_a)->time;
  difference.only_first.assign(std::make_move_iterator(end_a), std::make_move_iterator(a.end()));
  difference.only_second.assign(std::make_move_iterator(end_b), std::make_move_iterator(b.end()));
  return difference;
}

}  // namespace cleave::edit
