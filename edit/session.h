// One operation from its first lock to its last: rows, locks and the commit, whatever the edit is.
//
//   Session session(dataset, clock, record, &keeper);
//   CLEAVE_RETURN_IF_ERROR(session.Begin(roots));          // row CREATED, root locks
//   ... plan, with session.LockChunks(...) before voxels are read ...
//   return session.Commit(std::move(operations), stages);  // indefinite locks, intent, apply, locks released
//
// Several operations can be committed as one: the session's own leads, the others follow. They share its locks and its
// intent, get consecutive times, and appear in one step.
//
// The commit is one conditional write: of a row that is still as this session began it (operation_turns.h). A session
// that slept until recovery took it for abandoned is refused there, and in Begin, and changes nothing more.
//
// A session that ends without a commit releases its locks and leaves a row that says why (Fail), or EXCEPTION without a
// reason when it is simply dropped. A process that dies leaves the in-flight row, from which recovery does the same.
//
// The temporal locks are renewed in the background until the commit (lock_keeper.h). A plan that lost one all the same
// is refused by Commit.
//
// Rows and locks before the commit point are ordered, not synced (Table::ordered): a power cut may take the newest of
// them, as if the operation had not come so far, and the commit makes all of them durable.
#pragma once

#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "base/clock.h"
#include "base/stages.h"
#include "edit/intent.h"
#include "edit/lock_keeper.h"
#include "edit/operation_log.h"
#include "edit/plan.h"
#include "graph/dataset.h"
#include "graph/ids.h"
#include "table/row_locks.h"

namespace cleave::edit {

// What the log will say of an operation, and what it will change.
struct PlannedOperation {
  OperationRecord record;
  Plan plan;
};

// Puts into `record` what the plan says about itself, for the log.
void DescribePlan(const Plan& plan, OperationRecord& record);

// Not thread-safe; one session a thread. Dataset, clock and keeper must outlive it.
class Session {
 public:
  // `record` has an id; its status and time are the session's to set.
  // Without a keeper nobody renews the locks.
  Session(graph::Dataset& dataset, Clock& clock, OperationRecord record, LockKeeper* keeper = nullptr,
          absl::Duration lock_expiry = table::kLockExpiry);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  // UNAVAILABLE when another operation holds one of the roots, ABORTED when one has been superseded. Either may be
  // tried again in this session. ABORTED also when the operation was taken for abandoned.
  [[nodiscard]] absl::Status Begin(std::span<const graph::NodeId> roots);
  // Adds locks for those of `chunks` that are not held yet. UNAVAILABLE when another operation holds one.
  [[nodiscard]] absl::Status LockChunks(std::span<const ChunkPoint> chunks);
  // ABORTED unless the operation still holds all locks that it took: what it read meanwhile may be two states in one.
  [[nodiscard]] absl::Status ConfirmLocks() const;
  // Gives the locks back before another try.
  [[nodiscard]] absl::Status Release();
  // What the log says if the operation comes to nothing.
  [[nodiscard]] OperationRecord& record() { return record_; }

  // `operations`: not empty; the first one's record is of this session's operation. Returns the records as they stand
  // then. ABORTED when a lock was lost while planning, or the operation was taken for abandoned: nothing is written,
  // plan again. After any other error the operations may be past their commit point; recovery finishes them.
  [[nodiscard]] absl::StatusOr<std::vector<OperationRecord>> Commit(std::vector<PlannedOperation> operations,
                                                                    Stages& stages);

  // The same for one operation, of record().
  [[nodiscard]] absl::StatusOr<OperationRecord> Commit(Plan plan, Stages& stages);

  // Ends the operation before its commit point; returns `reason`.
  absl::Status Fail(const absl::Status& reason);

 private:
  [[nodiscard]] absl::Status WriteInFlight();
  [[nodiscard]] absl::StatusOr<bool> BeginAnew();
  void DropKept();
  [[nodiscard]] absl::StatusOr<Intent> CommitIntent(std::vector<PlannedOperation> operations, Stages& stages);
  [[nodiscard]] absl::Status LockForCommit();
  [[nodiscard]] absl::Status Abandoned() const;
  [[nodiscard]] absl::Status ExplainRefusedCommit(absl::Time time);

  graph::Dataset& dataset_;
  Clock& clock_;
  LockKeeper* const keeper_;
  OperationLog log_;
  table::RowLocks root_locks_;
  table::RowLocks chunk_locks_;
  OperationRecord record_;
  InFlight in_flight_;
  bool begun_ = false;  // rows or locks may exist
  bool ended_ = false;  // nothing is left to clean up, or recovery has to
};

}  // namespace cleave::edit
