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
#include "ocdbt/database.h"
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

}  // namespace

absl::StatusOr<BranchReport> BranchProject(graph::Dataset& dataset, const std::string& folder,
                                           std::optional<absl::Time> at) {
  CLEAVE_RETURN_IF_ERROR(RequireQuiet(dataset));
  const absl::Time ingested = dataset.meta().ingested;
  if (at.has_value() && *at < ingested) {
    return absl::InvalidArgumentError(
        absl::StrCat("there was no graph at ", absl::FormatTime(absl::RFC3339_full, *at, absl::UTCTimeZone()),
                     "; its ingest was at ", absl::FormatTime(absl::RFC3339_full, ingested, absl::UTCTimeZone())));
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<OperationRecord> log, OperationLog(dataset.table()).ReadAll());
  const absl::Time last = at.value_or(absl::InfiniteFuture());
  const bool is_past = std::ranges::any_of(log, [&](const OperationRecord& record) { return IsLater(record, last); });
  BranchReport report;
  report.dropped_count = std::ranges::count_if(log, [&](const auto& record) { return IsLater(record, last); });
  report.operation_count = std::ssize(log) - report.dropped_count;
  report.time = ingested;
  for (const OperationRecord& record : SuccessesByTime(log)) {
    report.time = record.time <= last ? std::max(report.time, record.time) : report.time;
  }
  CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Snapshot newest, dataset.database().Newest());
  report.generation = newest.generation().value;
  if (is_past) {
    report.generation = InstantAtTime(log, last).generation.value_or(report.generation);
  }
  CLEAVE_ASSIGN_OR_RETURN(report.files, dataset.CopyTo(folder, report.generation, [&](table::Table& table) {
    CLEAVE_RETURN_IF_ERROR(DropConsumers(table));
    CLEAVE_RETURN_IF_ERROR(is_past ? Trimmer(table, last).Run(log) : absl::OkStatus());
    return mesh::BranchMeshes(dataset.layout(), folder, table, Clock::System().Now());
  }));
  return report;
}

absl::StatusOr<LogDifference> DiffProjects(graph::Dataset& first, graph::Dataset& second) {
  if (first.meta() != second.meta()) {
    return absl::FailedPreconditionError(
        "the two are not branches of one project: their graphs, volumes or times of ingest differ");
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
