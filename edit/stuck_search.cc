#include "edit/stuck_search.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "edit/intent.h"
#include "edit/scope_locks.h"
#include "store/store.h"
#include "table/row_locks.h"

namespace cleave::edit {
namespace {

using graph::NodeId;
using graph::OperationId;

class StuckSearch {
 public:
  explicit StuckSearch(graph::Dataset& dataset) : dataset_(dataset), table_(dataset.table()) {}

  absl::StatusOr<std::map<OperationId, StuckOperation>> Run() {
    CLEAVE_RETURN_IF_ERROR(AddInFlight());
    CLEAVE_RETURN_IF_ERROR(AddHolders());
    CLEAVE_RETURN_IF_ERROR(AddRows());
    for (auto& [id, operation] : found_) {
      CLEAVE_ASSIGN_OR_RETURN(operation.state, StateOf(operation));
      if (operation.since == absl::InfinitePast() && operation.record.has_value()) {
        operation.since = operation.record->time;
      }
    }
    return std::move(found_);
  }

 private:
  absl::Status AddInFlight() {
    CLEAVE_ASSIGN_OR_RETURN(std::vector<InFlight> in_flight, OperationLog::ListInFlight(table_));
    for (InFlight& scope : in_flight) {
      in_flight_.insert(scope.id);
      StuckOperation& operation = found_[scope.id];
      operation.since = scope.since;
      operation.scope = std::move(scope);
    }
    return absl::OkStatus();
  }

  absl::Status AddHolders() {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<ScopeLock> locks, ListLocks(dataset_));
    for (const ScopeLock& lock : locks) {
      AddHoldersOf(lock.state, lock.id, lock.is_chunk ? &InFlight::chunk_scope : &InFlight::locked_roots);
    }
    return absl::OkStatus();
  }

  void AddHoldersOf(const table::RowLockState& lock, NodeId row, std::vector<NodeId> InFlight::*part) {
    for (const std::optional<table::LockHolder>& holder : {lock.temporal, lock.indefinite}) {
      if (!holder.has_value()) {
        continue;
      }
      const OperationId id{holder->operation_id};
      StuckOperation& operation = found_[id];
      operation.scope.id = id;
      operation.since = std::max(operation.since, holder->since);
      ++operation.lock_count;
      if (std::vector<NodeId>& rows = operation.scope.*part; std::ranges::count(rows, row) == 0) {
        rows.push_back(row);
      }
    }
  }

  absl::Status AddRows() {
    CLEAVE_ASSIGN_OR_RETURN(OperationLog::Rows rows, OperationLog::ReadEach(table_));
    for (OperationRecord& record : rows.records) {
      const bool has_scope = !record.chunk_scope.empty() && record.status != OperationStatus::kSuccess;
      if (!has_scope && !found_.contains(record.id)) {
        continue;
      }
      StuckOperation& operation = found_[record.id];
      operation.scope.id = record.id;
      for (const NodeId chunk : record.chunk_scope) {
        if (std::ranges::count(operation.scope.chunk_scope, chunk) == 0) {
          operation.scope.chunk_scope.push_back(chunk);
        }
      }
      operation.record = std::move(record);
    }
    for (const auto& [id, problem] : rows.unreadable) {
      if (const auto operation = found_.find(id); operation != found_.end()) {
        operation->second.row_problem = problem;
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<StuckState> StateOf(const StuckOperation& operation) const {
    if (!operation.record.has_value()) {
      return in_flight_.contains(operation.scope.id) && operation.row_problem.ok() ? StuckState::kBegun
                                                                                   : StuckState::kEnded;
    }
    CLEAVE_ASSIGN_OR_RETURN(const bool foreign, OperationLog::IsForeign(table_, operation.scope.id));
    switch (operation.record->status) {
      case OperationStatus::kSuccess:
        return StuckState::kEnded;
      case OperationStatus::kException:
        return foreign ? StuckState::kForeign : StuckState::kEnded;
      case OperationStatus::kCreated:
        return foreign ? StuckState::kForeign : StuckState::kBegun;
      case OperationStatus::kWriteStarted:
        return foreign ? StuckState::kForeign : StuckState::kCommitted;
      case OperationStatus::kWriteFailed:
        return foreign ? StuckState::kForeign : StuckState::kTakingBack;
    }
    return StuckState::kForeign;  // a status that we do not know
  }

  graph::Dataset& dataset_;
  const table::TableReader& table_;
  std::set<OperationId> in_flight_;
  std::map<OperationId, StuckOperation> found_;
};

}  // namespace

absl::StatusOr<std::map<OperationId, StuckOperation>> FindStuck(graph::Dataset& dataset) {
  return StuckSearch(dataset).Run();
}

absl::StatusOr<StuckOperation> FindOneStuck(graph::Dataset& dataset, OperationId operation) {
  CLEAVE_ASSIGN_OR_RETURN(auto found, FindStuck(dataset));
  if (const auto one = found.find(operation); one != found.end()) {
    return std::move(one->second);
  }
  CLEAVE_ASSIGN_OR_RETURN(const OperationRecord record, OperationLog(dataset.table()).Read(operation));
  return absl::FailedPreconditionError(absl::StrCat("operation ", Value(operation), " is not stuck: its status is '",
                                                    Name(record.status), "', and it holds no lock"));
}

}  // namespace cleave::edit
