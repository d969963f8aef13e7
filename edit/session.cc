#include "edit/session.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/crash_point.h"
#include "base/status.h"
#include "edit/apply.h"
#include "edit/draft.h"
#include "edit/intent.h"
#include "edit/lock_keys.h"
#include "edit/operation_turns.h"
#include "edit/recovery.h"
#include "edit/scope_locks.h"
#include "store/store.h"
#include "table/table.h"

namespace cleave::edit {

namespace {

// Whether the same request, made again, would be refused again.
bool IsRejection(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsOutOfRange(status) || absl::IsFailedPrecondition(status) ||
         absl::IsNotFound(status) || absl::IsAlreadyExists(status);
}

}  // namespace

void DescribePlan(const Plan& plan, OperationRecord& record) {
  record.old_roots = plan.old_roots;
  record.new_roots = plan.new_roots;
  record.new_l2_nodes = plan.new_l2_nodes;
  record.fragment_origins = plan.fragments;
  record.fragments.clear();
  for (const Fragment& fragment : plan.fragments) {
    record.fragments.push_back(fragment.id);
  }
  record.restored = plan.restored;
  record.changed_boxes = plan.changed_boxes;
  record.changed_chunk_count = plan.voxels.size();
}

Session::Session(graph::Dataset& dataset, Clock& clock, OperationRecord record, LockKeeper* keeper,
                 absl::Duration lock_expiry)
    : dataset_(dataset),
      clock_(clock),
      keeper_(keeper),
      log_(dataset.table().ordered()),
      root_locks_(dataset.table().ordered(), clock, table::LockedRows::kRoots, lock_expiry),
      chunk_locks_(dataset.table().ordered(), clock, table::LockedRows::kChunks, lock_expiry),
      record_(std::move(record)) {
  in_flight_.id = record_.id;
  in_flight_.kind = record_.kind;
}

Session::~Session() {
  DropKept();
  if (begun_ && !ended_) {
    Fail(absl::CancelledError("the operation was given up")).IgnoreError();
  }
}

absl::Status Session::WriteInFlight() {
  in_flight_.since = clock_.Now();
  return log_.WriteInFlight(in_flight_);
}

absl::Status Session::Abandoned() const {
  return absl::AbortedError(absl::StrCat("operation ", Value(record_.id),
                                         " was taken for abandoned, because it held no lock for long: nothing of it "
                                         "was done; send it again"));
}

void Session::DropKept() {
  if (keeper_ != nullptr) {
    keeper_->Drop(record_.id);
  }
}

// Only a preview's operation has a row before its session: an earlier commit of the preview met locks, say, and ended.
absl::StatusOr<bool> Session::BeginAnew() {
  CLEAVE_ASSIGN_OR_RETURN(const OperationRecord earlier, log_.Read(record_.id));
  if (earlier.status != OperationStatus::kException || earlier.failure != OperationFailure::kFailed) {
    return false;
  }
  CLEAVE_RETURN_IF_ERROR(BeginAgain(dataset_.table().ordered(), record_.id).status());
  return WriteUncommitted(dataset_.table().ordered(), record_);
}

absl::Status Session::Begin(std::span<const graph::NodeId> roots) {
  CLEAVE_RETURN_IF_ERROR(Release());  // what this session still holds would stand in its own way
  in_flight_.locked_roots.assign(roots.begin(), roots.end());
  const bool is_first = !std::exchange(begun_, true);
  CLEAVE_RETURN_IF_ERROR(WriteInFlight());
  record_.status = OperationStatus::kCreated;
  record_.time = clock_.Now();
  CLEAVE_ASSIGN_OR_RETURN(bool begun, WriteUncommitted(dataset_.table().ordered(), record_));
  if (!begun && is_first) {
    CLEAVE_ASSIGN_OR_RETURN(begun, BeginAnew());
  }
  if (!begun) {
    return Abandoned();
  }
  CrashPoint("edit.created");
  const std::vector<std::string> keys = RootLockKeys(roots);
  CLEAVE_RETURN_IF_ERROR(root_locks_.Acquire(keys, Value(record_.id)));
  if (keeper_ != nullptr) {
    keeper_->KeepRoots(record_.id, keys);
  }
  CrashPoint("edit.roots_locked");
  return absl::OkStatus();
}

absl::Status Session::ConfirmLocks() const {
  const absl::StatusOr<OperationRecord> record = log_.Read(record_.id);
  CLEAVE_RETURN_IF_ERROR(record.status());
  if (record->status != OperationStatus::kCreated) {
    return Abandoned();
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::RowLockState> locks,
                          table::ReadLocks(dataset_.table(), LockKeys(in_flight_)));
  for (const table::RowLockState& lock : locks) {
    if (!lock.temporal.has_value() || lock.temporal->operation_id != Value(record_.id)) {
      return absl::AbortedError(
          absl::StrCat("operation ", Value(record_.id), " lost a lock while it was planned; send it again"));
    }
  }
  return absl::OkStatus();
}

absl::Status Session::Release() {
  DropKept();
  CLEAVE_RETURN_IF_ERROR(chunk_locks_.Release(ChunkLockKeys(in_flight_.chunk_scope), Value(record_.id)));
  CLEAVE_RETURN_IF_ERROR(root_locks_.Release(RootLockKeys(in_flight_.locked_roots), Value(record_.id)));
  in_flight_.locked_roots.clear();
  in_flight_.chunk_scope.clear();
  return absl::OkStatus();
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
  const std::vector<std::string> keys = ChunkLockKeys(wanted);
  if (absl::Status status = chunk_locks_.Acquire(keys, Value(record_.id)); !status.ok()) {
    // Where an answer was lost, some may have been taken all the same. What cannot be released now stays in the scope.
    if (chunk_locks_.Release(keys, Value(record_.id)).ok()) {
      in_flight_.chunk_scope = before;
    }
    return status;
  }
  if (keeper_ != nullptr) {
    keeper_->KeepChunks(record_.id, keys);
  }
  CrashPoint("edit.chunks_locked");
  return absl::OkStatus();
}

absl::StatusOr<std::vector<OperationRecord>> Session::Commit(std::vector<PlannedOperation> operations, Stages& stages) {
  CLEAVE_ASSIGN_OR_RETURN(const Intent intent, CommitIntent(std::move(operations), stages));
  CLEAVE_ASSIGN_OR_RETURN(std::vector<OperationRecord> done, ApplyIntent(dataset_, intent, stages));
  const Stages::Scope scope(stages, "unlock");
  CLEAVE_RETURN_IF_ERROR(FinishOperation(dataset_, clock_, in_flight_));
  CrashPoint("edit.finished");
  return done;
}

absl::StatusOr<OperationRecord> Session::Commit(Plan plan, Stages& stages) {
  std::vector<PlannedOperation> one;
  one.push_back({record_, std::move(plan)});
  CLEAVE_ASSIGN_OR_RETURN(std::vector<OperationRecord> done, Commit(std::move(one), stages));
  return std::move(done.front());
}

absl::Status Session::LockForCommit() {
  absl::Status status = root_locks_.AcquireIndefinite(RootLockKeys(in_flight_.locked_roots), Value(record_.id));
  if (status.ok()) {
    status = chunk_locks_.AcquireIndefinite(ChunkLockKeys(in_flight_.chunk_scope), Value(record_.id));
  }
  DropKept();
  return status;
}

// Up to and including the commit point. A plan whose locks were lost is refused here.
absl::StatusOr<Intent> Session::CommitIntent(std::vector<PlannedOperation> operations, Stages& stages) {
  const Stages::Scope scope(stages, "write intent");
  if (absl::Status status = LockForCommit(); !status.ok()) {
    return Fail(status);
  }
  CrashPoint("edit.locked_for_commit");
  const auto count = static_cast<int64_t>(operations.size());
  for (size_t i = 1; i < operations.size(); ++i) {
    in_flight_.followers.push_back(operations[i].record.id);
  }
  // Before the times are given: the row says that they are later than any given until now.
  in_flight_.is_committing = true;
  if (absl::Status status = WriteInFlight(); !status.ok()) {
    return Fail(status);
  }
  absl::StatusOr<absl::Time> first = log_.NextCommitTime(clock_.Now(), count);
  if (!first.ok()) {
    return Fail(first.status());
  }
  std::vector<absl::Time> times;
  std::vector<OperationRecord> records;
  std::vector<Intent> intents;
  for (int64_t i = 0; i < count; ++i) {
    times.push_back(*first + absl::Milliseconds(i));
  }
  for (size_t i = 0; i < operations.size(); ++i) {
    OperationRecord& record = operations[i].record;
    DescribePlan(operations[i].plan, record);
    record.status = OperationStatus::kWriteStarted;
    record.time = times[i];
    record.chunk_scope = i == 0 ? in_flight_.chunk_scope : std::vector<graph::NodeId>{};
    Draft::FinalTimes(times, operations[i].plan);
    intents.push_back(MakeIntent(record.id, times[i], std::move(operations[i].plan)));
    records.push_back(std::move(record));
  }
  Intent intent = std::move(intents.front());
  intent.followers.assign(std::make_move_iterator(intents.begin() + 1), std::make_move_iterator(intents.end()));
  absl::StatusOr<std::string> bytes = EncodeIntent(intent);
  const absl::Status written =
      bytes.ok() ? dataset_.intents().Write(IntentKey(record_.id), *bytes).status() : bytes.status();
  if (!written.ok()) {
    return Fail(written);
  }
  CrashPoint("edit.intent_written");
  // Should this session sleep here and never wake, the row in flight tells whose these rows are.
  if (absl::Status status =
          count > 1 ? log_.WriteFollowers(in_flight_, std::span(records).subspan(1)) : absl::OkStatus();
      !status.ok()) {
    return Fail(status);
  }
  ended_ = true;  // from here on only recovery may clean up: the next write is the commit point
  // The one write that must be on disk when it returns; all that the session wrote before comes with it.
  CLEAVE_ASSIGN_OR_RETURN(const bool committed, WriteCommitted(dataset_.table(), records.front()));
  if (!committed) {
    CLEAVE_RETURN_IF_ERROR(ExplainRefusedCommit(records.front().time));
  }
  CrashPoint("edit.committed");
  return intent;
}

// The row was not as it was begun. OK when it is this session's own commit that stands there: a transport that got no
// answer sent the write again.
absl::Status Session::ExplainRefusedCommit(absl::Time time) {
  CLEAVE_ASSIGN_OR_RETURN(const OperationRecord record, log_.Read(record_.id));
  const bool mine = record.time == time;
  if (mine && (record.status == OperationStatus::kWriteStarted || record.status == OperationStatus::kSuccess)) {
    return absl::OkStatus();
  }
  if (record.status != OperationStatus::kException) {  // only recovery may clean up
    return absl::AbortedError(absl::StrCat("operation ", Value(record_.id), " was taken back; send it again"));
  }
  return Fail(Abandoned());
}

absl::Status Session::Fail(const absl::Status& reason) {
  ended_ = true;
  DropKept();
  record_.status = OperationStatus::kException;
  record_.exception = std::string(reason.message());
  record_.failure = IsRejection(reason) ? OperationFailure::kRejected : OperationFailure::kFailed;
  // A row that says how the operation ended already is left as it is.
  absl::Status status = WriteUncommitted(dataset_.table().ordered(), record_).status();
  status.Update(MarkFollowers(dataset_, in_flight_, OperationFailure::kAbandoned));
  status.Update(FinishOperation(dataset_, clock_, in_flight_));
  return status.ok() ? reason
                     : Annotate(reason, absl::StrCat("and its locks could not be released (", status.message(), ")"));
}

}  // namespace cleave::edit
