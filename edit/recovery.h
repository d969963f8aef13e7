// Finishes operations that somebody left behind.
//
// Past its commit point an operation is carried out to its end; one that an operator had begun to take back is taken
// back; before the commit point its locks are released, its intent is removed, and its row says that it was abandoned.
// Each of these begins with a conditional write of the operation's row (operation_turns.h): if the first worker is only
// slow, either it goes on or recovery does, never both in different directions.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "edit/intent.h"
#include "edit/operation_log.h"
#include "graph/dataset.h"
#include "graph/ids.h"
#include "store/store.h"

namespace cleave::edit {

struct RecoveredOperation {
  graph::OperationId id{};
  bool rolled_forward = false;  // else nothing of it is left, and its row says so
  absl::Status problem = {};    // why it is still in flight
};

// Finishes one operation; safe to be stopped and run again, also while others do the same. FAILED_PRECONDITION when
// it is committed, yet another operation holds one of its locks: an operator has to look. DATA_LOSS when its intent is
// missing or damaged.
[[nodiscard]] absl::StatusOr<RecoveredOperation> RecoverOperation(graph::Dataset& dataset, Clock& clock,
                                                                  const InFlight& operation);

// Every operation in flight, also those whose locks have not expired: for the start of the only process that has the
// dataset open. Those of which RecoverOperation says FAILED_PRECONDITION stay as they are, and say so.
[[nodiscard]] absl::StatusOr<std::vector<RecoveredOperation>> RecoverOperations(graph::Dataset& dataset, Clock& clock);

// Intents that belong to no operation: a power cut can take the rows of an operation that had not come to its commit
// point, and leave the object. Nothing reads them. Safe beside operations that run: an intent is written under a row in
// flight, so one that was there before the rows were listed, and whose operation is not among them, is nobody's.
struct LostIntent {
  graph::OperationId operation{};
  store::Generation generation;
};
[[nodiscard]] absl::StatusOr<std::vector<LostIntent>> FindLostIntents(graph::Dataset& dataset);
// Removes them; one that was written anew meanwhile stays.
[[nodiscard]] absl::Status RemoveLostIntents(graph::Dataset& dataset);

// Operations in flight in the order in which they are to be finished: those that are not committed, then the others by
// time, since an operation may have to wait for one of an earlier time (earlier_voxels.h).
[[nodiscard]] std::vector<InFlight> OrderForRecovery(table::Table& table, std::vector<InFlight> operations);

// Whether nothing has been heard of the operation's worker for `expiry`: its row in flight is older, and so is every
// temporal lock that it holds.
[[nodiscard]] absl::StatusOr<bool> IsSilent(const table::TableReader& table, absl::Time now, absl::Duration expiry,
                                            const InFlight& operation);

// The intent of a committed operation. DATA_LOSS when it is missing or damaged.
[[nodiscard]] absl::StatusOr<Intent> ReadIntent(graph::Dataset& dataset, graph::OperationId operation);

// Says on the rows of an operation that is not committed, and of its followers, that it came to nothing. False when it
// is committed, or has ended.
[[nodiscard]] absl::StatusOr<bool> MarkAbandoned(graph::Dataset& dataset, const InFlight& operation,
                                                 OperationFailure failure);
// The same of the followers alone, when the operation itself has ended without having been committed.
[[nodiscard]] absl::Status MarkFollowers(graph::Dataset& dataset, const InFlight& operation, OperationFailure failure);

}  // namespace cleave::edit
