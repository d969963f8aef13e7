#include "edit/repair_log.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "edit/apply.h"
#include "edit/event_index.h"
#include "edit/intent.h"
#include "store/store.h"
#include "table/columns.h"
#include "table/row_keys.h"
#include "table/row_locks.h"
#include "table/serializers.h"

namespace cleave::edit {
namespace {

using graph::NodeId;
namespace columns = table::columns;

class OperationMender {
 public:
  OperationMender(graph::Dataset& dataset, absl::Time now, Mends& mends)
      : dataset_(dataset), now_(now), mends_(mends) {}

  absl::Status Run(std::span<const OperationRecord> log) {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<InFlight> in_flight, OperationLog::ListInFlight(dataset_.table()));
    std::set<uint64_t> stay;  // will be in flight, for recovery
    for (const OperationRecord& record : log) {
      const bool listed = std::ranges::any_of(in_flight, [&](const InFlight& one) { return one.id == record.id; });
      if (record.status != OperationStatus::kSuccess) {
        CLEAVE_ASSIGN_OR_RETURN(const bool stays, MendRow(record, listed));
        if (stays) {
          stay.insert(Value(record.id));
        }
      }
    }
    for (const InFlight& operation : in_flight) {
      if (!stay.contains(Value(operation.id))) {
        CLEAVE_RETURN_IF_ERROR(RemoveRow(operation));
      }
    }
    return ReleaseLocks(stay);
  }

 private:
  absl::StatusOr<bool> IntentIsIntact(graph::OperationId id) {
    CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, dataset_.intents().Read(IntentKey(id)));
    return read.value.has_value() && DecodeIntent(*read.value).ok();
  }

  // Returns whether the operation is to be in flight.
  absl::StatusOr<bool> MendRow(OperationRecord record, bool listed) {
    CLEAVE_ASSIGN_OR_RETURN(const bool effective, HasTakenEffect(dataset_.table(), record));
    CLEAVE_ASSIGN_OR_RETURN(const bool intact, IntentIsIntact(record.id));
    Mend mend;
    mend.invariant = 7;
    mend.ids = {Value(record.id)};
    mend.what = absl::StrCat("the row of operation ", Value(record.id), " says '", Name(record.status), "'");
    if (effective) {
      record.status = OperationStatus::kSuccess;
      record.exception.clear();
      if (!record.written_generation.has_value()) {
        CLEAVE_ASSIGN_OR_RETURN(record.written_generation, FindVoxelGeneration(dataset_.database(), record.id));
      }
      mend.evidence = "the rows of its new roots name it: it has been carried out";
    } else if (record.status == OperationStatus::kException) {
      return false;
    } else if (record.status == OperationStatus::kWriteStarted && intact) {
      if (!listed) {
        mend.what = absl::StrCat("operation ", Value(record.id), " is committed, but not in flight");
        mend.evidence = "its intent is whole: recovery can carry it out";
        AddRow(OperationLog::RowOfInFlight({record.id, record.old_roots, record.chunk_scope}), mend);
        mends_.mends.push_back(std::move(mend));
      }
      return true;
    } else {
      record.status = OperationStatus::kException;
      record.exception = "taken back by a repair: it had not taken effect, and no intent of it is left";
      mend.evidence = "no new root names it, and there is no intent to carry out";
    }
    record.chunk_scope.clear();
    CLEAVE_ASSIGN_OR_RETURN(const table::Row stored, dataset_.table().ReadRow(table::OperationRowKey(Value(record.id)),
                                                                              {.cells_per_column = 1}));
    table::RowMutation row = OperationLog::RowOf(record);
    std::erase_if(row.changes, [&](const table::Change& change) {
      const auto& set = std::get<table::SetCell>(change);
      const table::Cell* cell = stored.Newest(set.column);
      return cell != nullptr && cell->value == set.value;
    });
    AddRow(row, mend);
    mends_.mends.push_back(std::move(mend));
    return false;
  }

  void AddRow(const table::RowMutation& row, Mend& mend) const {
    for (const table::Change& change : row.changes) {
      const auto& set = std::get<table::SetCell>(change);
      mend.cells.push_back({row.key, set.column, now_, {}, set.value});
    }
  }

  absl::Status RemoveRow(const InFlight& operation) {
    Mend mend;
    mend.invariant = 7;
    mend.ids = {Value(operation.id)};
    mend.what = absl::StrCat("operation ", Value(operation.id), " is listed as in flight");
    mend.evidence = "it has ended, or will have by this repair";
    const std::string key = OperationLog::RowOfInFlight(operation).key;
    CLEAVE_ASSIGN_OR_RETURN(const table::Row row, dataset_.table().ReadRow(key, {}));
    for (const auto& [column, cells] : row.cells) {
      for (const table::Cell& cell : cells) {
        mend.cells.push_back({key, column, cell.time, {}, {}});
      }
    }
    mends_.mends.push_back(std::move(mend));
    return absl::OkStatus();
  }

  absl::Status ReleaseLocks(const std::set<uint64_t>& stay) {
    const graph::IdLayout& layout = dataset_.layout();
    const graph::ChunkAddress top{layout.layer_count(), {}};
    const table::RowRange roots =
        table::NodeRowRange({.first = Value(layout.MakeNode(top, graph::Segment{1})),
                             .last = Value(layout.MakeNode(top, layout.SegmentLimit(top.layer)))});
    for (const table::RowRange& range : {roots, table::ChunkLockRowRange()}) {
      const table::Filter filter{.columns = {columns::kLock, columns::kIndefiniteLock}};
      CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows, dataset_.table().ReadRange(range, filter, 0));
      for (const table::Row& row : rows) {
        Mend mend;
        mend.invariant = 7;
        mend.what = absl::StrCat("row ", row.key, " is locked");
        mend.evidence = "the operation that holds it has ended";
        for (const auto& [column, cells] : row.cells) {
          for (const table::Cell& cell : cells) {
            const absl::StatusOr<uint64_t> holder = table::DecodeIdText(cell.value);
            if (!holder.ok() || !stay.contains(*holder)) {
              mend.cells.push_back({row.key, column, cell.time, {}, {}});
              mend.ids.push_back(holder.value_or(0));
            }
          }
        }
        if (!mend.cells.empty()) {
          mends_.mends.push_back(std::move(mend));
        }
      }
    }
    return absl::OkStatus();
  }

  graph::Dataset& dataset_;
  const absl::Time now_;
  Mends& mends_;
};

}  // namespace

absl::Status MendLineage(graph::Dataset& dataset, std::span<const NodeId> suspects, const OperationLog::Rows& log,
                         const FormerOf& former_of, Mends& mends) {
  const std::vector<table::Column> lineage = {columns::kFormerParent, columns::kNewParent, columns::kFormerIdentity,
                                              columns::kNewIdentity};
  // Every cell that the log implies. Rows are read for the suspects only: fsck names each node whose lineage differs.
  std::map<NodeId, std::vector<std::pair<const OperationRecord*, LineageCell>>> expected;
  const std::set<NodeId> wanted(suspects.begin(), suspects.end());
  for (const OperationRecord& record : log.records) {
    if (record.status == OperationStatus::kSuccess) {
      for (LineageCell& cell : LineageOf(record, former_of)) {
        if (wanted.contains(cell.node)) {
          expected[cell.node].emplace_back(&record, std::move(cell));
        }
      }
    }
  }
  // Cuts of which a fragment does not say what it was cut from: what the rows say of them is all there is.
  std::set<absl::Time> unclear;
  for (const OperationRecord& record : log.records) {
    if (std::ranges::any_of(record.fragments, [&](NodeId fragment) { return !former_of.contains(fragment); })) {
      unclear.insert(record.time);
    }
  }
  for (const NodeId node : wanted) {
    if (!dataset.layout().Validate(node).ok()) {
      continue;
    }
    CLEAVE_ASSIGN_OR_RETURN(const table::Row row, dataset.table().ReadRow(NodeKey(node), {}));
    Mend mend;
    std::set<std::pair<table::Column, absl::Time>> explained;
    for (const auto& [record, cell] : expected[node]) {
      explained.emplace(cell.column, record->time);
      mend.cells.push_back({NodeKey(node), cell.column, record->time, {}, cell.value});
    }
    // Those that stand as they should are dropped when the values before are filled in; what is said is of the rest.
    std::erase_if(mend.cells, [&](const CellChange& change) {
      const auto cells = row.cells.find(change.column);
      return cells != row.cells.end() && std::ranges::any_of(cells->second, [&](const table::Cell& cell) {
               return cell.time == change.time && cell.value == change.after;
             });
    });
    for (const auto& [record, cell] : expected[node]) {
      for (const CellChange& change : mend.cells) {
        if (change.column == cell.column && change.time == record->time) {
          mend.evidence = absl::StrCat("the log says of operation ", Value(record->id), ": ", cell.words);
        }
      }
    }
    for (const table::Column& column : lineage) {
      const auto cells = row.cells.find(column);
      if (cells == row.cells.end() || !log.unreadable.empty()) {
        continue;
      }
      for (const table::Cell& cell : cells->second) {
        if (!explained.contains({column, cell.time}) && !unclear.contains(cell.time)) {
          mend.cells.push_back({NodeKey(node), column, cell.time, {}, {}});
          mend.evidence = absl::StrCat("no operation of the log did this at ", absl::FormatTime(cell.time));
        }
      }
    }
    if (!mend.cells.empty()) {
      mend.invariant = 3;
      mend.what = absl::StrCat("node ", Value(node), " has lost or wrong lineage");
      mend.ids = {Value(node)};
      mend.where = dataset.layout().ChunkBox(dataset.layout().ChunkOf(node));
      mends.mends.push_back(std::move(mend));
    }
  }
  return absl::OkStatus();
}

absl::Status MendOperations(graph::Dataset& dataset, std::span<const OperationRecord> log, absl::Time now,
                            Mends& mends) {
  return OperationMender(dataset, now, mends).Run(log);
}

absl::Status MendEvents(graph::Dataset& dataset, const OperationLog::Rows& log, Mends& mends) {
  std::set<graph::OperationId> unreadable;
  for (const auto& [id, why] : log.unreadable) {
    unreadable.insert(id);
  }
  CLEAVE_ASSIGN_OR_RETURN(const EventDifference difference, CompareEvents(dataset.table(), log.records, unreadable));
  const auto add = [&](const EventRef& event, bool is_missing) {
    Mend mend;
    mend.invariant = 9;
    mend.ids = {Value(event.operation)};
    mend.what = absl::StrCat("operation ", Value(event.operation), is_missing ? " is no event" : " is an event");
    mend.evidence = is_missing ? "its row says that it succeeded then" : "its row does not say that it succeeded then";
    const table::RowMutation row = EventRow(event);
    for (const table::Change& change : row.changes) {
      const auto& set = std::get<table::SetCell>(change);
      mend.cells.push_back({row.key, set.column, set.time, {}, is_missing ? std::optional(set.value) : std::nullopt});
    }
    mends.mends.push_back(std::move(mend));
  };
  for (const EventRef& event : difference.missing) {
    add(event, true);
  }
  for (const EventRef& event : difference.invented) {
    add(event, false);
  }
  return absl::OkStatus();
}

}  // namespace cleave::edit
