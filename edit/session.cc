#include "edit/session.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/crash_point.h"
#include "base/status.h"
#include "edit/apply.h"
#include "edit/intent.h"
#include "edit/lock_keys.h"
#include "store/store.h"
#include "table/table.h"

namespace cleave::edit {

Session::Session(graph::Dataset& dataset, Clock& clock, OperationRecord record)
    : dataset_(dataset),
      clock_(clock),
      log_(dataset.table().ordered()),
      root_locks_(dataset.table().ordered(), clock, table::LockedRows::kRoots),
      chunk_locks_(dataset.table().ordered(), clock, table::LockedRows::kChunks),
      record_(std::move(record)) {
  in_flight_.id = record_.id;
}

Session::~Session() {
  if (begun_ && !ended_) {
    Fail(absl::CancelledError("the operation was given up")).IgnoreError();
  }
}

absl::Status Session::WriteInFlight() { return log_.WriteInFlight(in_flight_); }

absl::Status Session::Begin(std::span<const graph::NodeId> roots) {
  CLEAVE_RETURN_IF_ERROR(ReleaseTemporal());
  in_flight_.locked_roots.assign(roots.begin(), roots.end());
  in_flight_.chunk_scope.clear();
  begun_ = true;
  CLEAVE_RETURN_IF_ERROR(WriteInFlight());
  record_.status = OperationStatus::kCreated;
  record_.time = clock_.Now();
  CLEAVE_RETURN_IF_ERROR(log_.Write(record_));
  CrashPoint("edit.created");
  CLEAVE_RETURN_IF_ERROR(root_locks_.Acquire(RootLockKeys(roots), Value(record_.id)));
  CrashPoint("edit.roots_locked");
  return absl::OkStatus();
}

// Before another try: what this session still holds would stand in its own way.
absl::Status Session::ReleaseTemporal() {
  CLEAVE_RETURN_IF_ERROR(chunk_locks_.Release(ChunkLockKeys(in_flight_.chunk_scope), Value(record_.id)));
  return root_locks_.Release(RootLockKeys(in_flight_.locked_roots), Value(record_.id));
}

absl::Status Session::LockChunks(std::span<const ChunkPoint> chunks) {
  std::vector<graph::NodeId> wanted = ChunkIds(dataset_.layout(), chunks);
  std::erase_if(wanted, [&](graph::NodeId id) { return std::ranges::count(in_flight_.chunk_scope, id) > 0; });
  if (wanted.empty()) {
    return absl::OkStatus();
  }
  const std::vector<graph::NodeId> before = in_flight_.chunk_scope;
  in_flight_.chunk_scope.insert(in_flight_.chunk_scope.end(), wanted.begin(), wanted.end());
  CLEAVE_RETURN_IF_ERROR(WriteInFlight());
  if (absl::Status status = chunk_locks_.Acquire(ChunkLockKeys(wanted), Value(record_.id)); !status.ok()) {
    in_flight_.chunk_scope = before;
    return status;
  }
  CrashPoint("edit.chunks_locked");
  return absl::OkStatus();
}

absl::StatusOr<OperationRecord> Session::Commit(Plan plan, Stages& stages) {
  CLEAVE_ASSIGN_OR_RETURN(const Intent intent, CommitIntent(std::move(plan), stages));
  CLEAVE_ASSIGN_OR_RETURN(OperationRecord done, ApplyIntent(dataset_, intent, stages));
  const Stages::Scope scope(stages, "unlock");
  CLEAVE_RETURN_IF_ERROR(FinishOperation(dataset_, clock_, in_flight_));
  CrashPoint("edit.finished");
  return done;
}

// Up to and including the commit point. A plan whose locks were lost is refused here.
absl::StatusOr<Intent> Session::CommitIntent(Plan plan, Stages& stages) {
  const Stages::Scope scope(stages, "write intent");
  record_.chunk_scope = in_flight_.chunk_scope;
  record_.new_roots = plan.new_roots;
  record_.old_roots = plan.old_roots;
  for (const Fragment& fragment : plan.fragments) {
    record_.fragments.push_back(fragment.id);
  }
  absl::Status status = root_locks_.AcquireIndefinite(RootLockKeys(in_flight_.locked_roots), Value(record_.id));
  status.Update(chunk_locks_.AcquireIndefinite(ChunkLockKeys(in_flight_.chunk_scope), Value(record_.id)));
  if (!status.ok()) {
    return Fail(status);
  }
  CrashPoint("edit.locked_for_commit");
  absl::StatusOr<absl::Time> time = log_.NextCommitTime(clock_.Now());
  if (!time.ok()) {
    return Fail(time.status());
  }
  Intent intent = MakeIntent(record_.id, *time, std::move(plan));
  absl::StatusOr<std::string> bytes = EncodeIntent(intent);
  absl::Status written = bytes.ok() ? dataset_.intents().Write(IntentKey(record_.id), *bytes).status() : bytes.status();
  if (!written.ok()) {
    return Fail(written);
  }
  CrashPoint("edit.intent_written");
  ended_ = true;  // from here on only recovery may clean up: the next write is the commit point
  record_.status = OperationStatus::kWriteStarted;
  record_.time = *time;
  // The one write that must be on disk when it returns; all that the session wrote before comes with it.
  CLEAVE_RETURN_IF_ERROR(OperationLog(dataset_.table()).Write(record_));
  CrashPoint("edit.committed");
  return intent;
}

absl::Status Session::Fail(const absl::Status& reason) {
  ended_ = true;
  record_.status = OperationStatus::kException;
  record_.exception = std::string(reason.message());
  record_.chunk_scope.clear();
  record_.new_roots.clear();
  record_.fragments.clear();
  absl::Status status = log_.Write(record_);
  status.Update(FinishOperation(dataset_, clock_, in_flight_));
  return status.ok() ? reason
                     : Annotate(reason, absl::StrCat("and its locks could not be released (", status.message(), ")"));
}

}  // namespace cleave::edit
