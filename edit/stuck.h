// Operations that were left in the middle, for an operator to look at and to decide on.
//
// What nobody works on any more is finished by whoever opens or edits the dataset (recovery.h). This is for the rest:
// to see what is there before that happens, to finish one operation and not another, to take one back that is committed
// and not turned on, and for operations that PyChunkedGraph left in a table that was loaded (stuck_foreign.h). Whoever
// uses it opens the dataset without an editor, or with one that does not recover.
//
// docs/recovery.md tells an operator when to do what. Safe to be stopped anywhere and run again; safe against the first
// worker waking up. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "edit/operation_log.h"
#include "edit/requests.h"
#include "edit/scope_locks.h"
#include "graph/dataset.h"
#include "graph/ids.h"

namespace cleave::edit {

enum class StuckState {
  kBegun,       // before its commit point: nothing of it happened
  kCommitted,   // its intent stands, and is not carried out
  kTakingBack,  // an operator began to revert it
  kEnded,       // it succeeded or failed; only locks and the row in flight are left
  kForeign,     // PyChunkedGraph's: committed or not, there is no intent
};

[[nodiscard]] absl::string_view Name(StuckState state);

struct StuckOperation {
  // Roots and chunks that it holds, or should hold.
  InFlight scope;
  StuckState state = StuckState::kEnded;
  std::optional<OperationRecord> record;    // none: it has no row, or one that cannot be read
  absl::Status row_problem;                 // why it cannot be read
  absl::Time since = absl::InfinitePast();  // the last that was heard of its worker
  int64_t lock_count = 0;                   // lock cells with its id
};

// Those of which nothing was heard for `min_age` before `now`, by number: operations in flight, those that hold a lock
// cell anywhere, and those of PyChunkedGraph with a chunk scope that did not succeed. Reads the whole log and all
// locks.
[[nodiscard]] absl::StatusOr<std::vector<StuckOperation>> ListStuck(graph::Dataset& dataset, absl::Time now,
                                                                    absl::Duration min_age);

// An operation's intent, and how far it got.
struct StuckIntent {
  int64_t bytes = 0;
  int64_t operations = 1;  // more in a batch that is done as a whole
  int64_t prepare_rows = 0;
  int64_t voxel_chunks = 0;
  int64_t flip_rows = 0;
  bool committed = false;  // else it belongs to an operation that never happened
  bool prepared = false;
  bool voxels_written = false;  // true also if there are none
  bool flip_claimed = false;    // cannot be taken back any more
  bool flipped = false;
  bool voxels_back = false;  // a revert got so far
};

struct StuckDetails {
  StuckOperation operation;
  std::vector<ScopeLock> locks;
  std::optional<StuckIntent> intent;
  absl::Status intent_problem;  // why there is none, where there should be one
};

// NOT_FOUND when there is no such operation, FAILED_PRECONDITION when it is not stuck.
[[nodiscard]] absl::StatusOr<StuckDetails> ShowStuck(graph::Dataset& dataset, graph::OperationId operation);

enum class StuckOutcome {
  kCarriedOut,   // it has succeeded
  kPlannedAnew,  // the same, by a new plan from what the log says was asked
  kTakenBack,    // nothing of it is left
  kCleanedUp,    // it had ended before; its locks are gone
};

[[nodiscard]] absl::string_view Name(StuckOutcome outcome);

// Carries the operation out. Errors as ShowStuck, those of recovery.h, and FAILED_PRECONDITION when it did not come to
// its commit point (its request is not in the log: revert it, and send it again), when a revert has begun, or when a
// lock of its scope is not its own: then nothing was changed. Of PyChunkedGraph's operations also those of Editor.
[[nodiscard]] absl::StatusOr<StuckOutcome> ReplayStuck(graph::Dataset& dataset, Clock& clock,
                                                       graph::OperationId operation);

// Takes the operation back (take_back.h). Errors as ShowStuck, and FAILED_PRECONDITION when it has turned its new state
// on (undo it), or when a lock of its scope is not its own: then nothing was changed.
[[nodiscard]] absl::StatusOr<StuckOutcome> RevertStuck(graph::Dataset& dataset, Clock& clock,
                                                       graph::OperationId operation);

}  // namespace cleave::edit
