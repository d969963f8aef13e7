// Edits of a dataset: each planned whole, committed by one write, and finished by whoever finds it.
//
//   CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Editor> editor, Editor::Open(*dataset));
//   CLEAVE_ASSIGN_OR_RETURN(const EditReport report, editor->Split({.sources = {p}, .sinks = {q}}));
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "edit/lock_keeper.h"
#include "edit/lock_queue.h"
#include "edit/protection.h"
#include "edit/recoverer.h"
#include "edit/requests.h"
#include "edit/task.h"
#include "graph/dataset.h"
#include "graph/ids.h"
#include "table/row_locks.h"

namespace cleave::edit {

struct EditorOptions {
  Clock* clock = &Clock::System();
  // An operation that finds its locks held by another tries again for lock_tries * lock_wait, lock_wait apart at most,
  // and as soon as another operation of this editor ends. After the first lock_wait it comes before later ones that
  // want the same objects (lock_queue.h).
  int lock_tries = 7;
  absl::Duration lock_wait = absl::Milliseconds(500);
  // Temporal locks count so long; they are renewed while an edit is being planned.
  absl::Duration lock_expiry = table::kLockExpiry;
  // Every edit is planned, told and thrown away: nothing is written but counters, and ids in reports are not final.
  bool dry_run = false;
  // Reports tell where time, memory and input went, as a tree (base/stages.h).
  bool profile = false;
  // One stage of every plan is done several times in a row, to be measured alone (base/stages.h).
  StageRepetition repetition = {};
  // What an earlier process left behind is finished by Open; else it waits for RecoverNow, or an operator (stuck.h).
  bool recover_at_open = true;
  // How often a thread looks for operations that nobody works on any more (recoverer.h), in real time; 0: no thread,
  // and only edits that meet a lock look.
  absl::Duration recovery_period = absl::Seconds(30);
};

struct PlannedOperation;

// Thread-safe. The dataset must outlive the editor.
class Editor {
 public:
  // Finishes first what an earlier process left behind, unless the options say otherwise.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Editor>> Open(graph::Dataset& dataset,
                                                                    const EditorOptions& options = {});

  // Errors that changed nothing: INVALID_ARGUMENT and OUT_OF_RANGE for requests that are wrong in themselves,
  // NOT_FOUND for an operation that does not exist, FAILED_PRECONDITION where the present state refuses the edit (or a
  // protection, or a key that was used otherwise), UNAVAILABLE for locks held by others, ABORTED for locks lost while
  // planning. From the first lock on, a refused operation has a row in the log that says why.
  [[nodiscard]] absl::StatusOr<EditReport> Merge(const MergeRequest& request);
  [[nodiscard]] absl::StatusOr<EditReport> Split(const SplitRequest& request);
  // Takes a merge or split back, or does it again: operation_log.h keeps what they changed. A split that cut
  // supervoxels in voxels is taken back in the graph, and the fragments stay, unless the request wants their voxels
  // back; a redo then cuts anew. Refused for operations that did not succeed, that are in that state already, or whose
  // edges are no more.
  [[nodiscard]] absl::StatusOr<EditReport> Undo(const InverseRequest& request);
  [[nodiscard]] absl::StatusOr<EditReport> Redo(const InverseRequest& request);
  // What the edit would do, planned whole and kept for an hour under a token (kept_preview.h); takes no locks.
  [[nodiscard]] absl::StatusOr<EditReport> Preview(const BatchItem& request);
  // Carries out exactly what was previewed, ids included; asked again, answers as the first time. NOT_FOUND when there
  // is no such preview (any more), FAILED_PRECONDITION when something that it read has changed since.
  // `user`: who commits, for the log; empty: who previewed.
  [[nodiscard]] absl::StatusOr<EditReport> CommitPreview(const std::string& token, const std::string& user = {});

  // Many edits under one report. The errors of items are in the report; the status is that of the batch itself
  // (INVALID_ARGUMENT when it is empty).
  [[nodiscard]] absl::StatusOr<BatchReport> Run(const BatchRequest& request);
  // One item per operation of the user that stood, the newest first.
  [[nodiscard]] absl::StatusOr<std::vector<RollbackItem>> RollbackUser(const RollbackRequest& request);

  // Marks an object as finished: edits that touch it are refused from then on. Waits for an edit that holds it, as
  // edits do for each other. See protection.h.
  [[nodiscard]] absl::Status Protect(const Protection& protection);

  // Carries out an edit under the number of an operation that never happened: its row says CREATED, and nobody works on
  // it. Else as the edit itself.
  [[nodiscard]] absl::StatusOr<EditReport> RunAs(graph::OperationId operation, const BatchItem& item);

  // Finishes at once what nobody works on any more; returns how many operations it was.
  [[nodiscard]] absl::StatusOr<int> RecoverNow() { return recoverer_.RecoverSilent(); }
  // How many edits wait for locks that others hold.
  [[nodiscard]] int64_t waiting_for_locks() const { return queue_.waiting(); }
  // What was recovered since Open, and what could not be.
  [[nodiscard]] std::vector<RecoveredOperation> recovered() const { return recoverer_.recovered(); }

 private:
  using Tasks = std::span<const std::unique_ptr<Task>>;
  // The operations of one commit, while they are carried out.
  struct Work;

  Editor(graph::Dataset& dataset, const EditorOptions& options);

  // `operation`: the number of the only task, if it has one already.
  // Carries out all of `tasks` or none. On an error, `failed` is the task that it is about, or kNoTask.
  [[nodiscard]] absl::StatusOr<std::vector<EditReport>> Carry(Tasks tasks, const std::string& key, size_t& failed,
                                                              std::optional<graph::OperationId> operation = {});
  [[nodiscard]] absl::StatusOr<std::vector<EditReport>> CarryOut(Work& work);
  [[nodiscard]] absl::StatusOr<EditReport> CommitPreviewAlone(const std::string& token, graph::OperationId operation,
                                                              const std::string& user);
  [[nodiscard]] absl::Status BeginRecords(Work& work);
  [[nodiscard]] absl::Status PlanUnlocked(Work& work);
  [[nodiscard]] absl::StatusOr<EditReport> ReportOfPlan(const PlannedOperation& planned, const Stages& stages);
  [[nodiscard]] absl::StatusOr<EditReport> CarryOne(std::unique_ptr<Task> task);
  [[nodiscard]] absl::StatusOr<EditReport> CarryOne(std::unique_ptr<Task> task, const std::string& key,
                                                    std::optional<graph::OperationId> operation = {});
  [[nodiscard]] absl::Status Attempt(Work& work);
  [[nodiscard]] bool FreedLocks(const absl::Status& refusal);
  [[nodiscard]] absl::Status LockRoots(Work& work);
  [[nodiscard]] absl::Status PlanTasks(Work& work);
  [[nodiscard]] absl::Status FindRoots(Work& work);
  [[nodiscard]] absl::Status CheckProtections(Work& work);
  [[nodiscard]] absl::StatusOr<std::vector<EditReport>> Commit(Work& work);
  [[nodiscard]] absl::StatusOr<std::vector<EditReport>> RepeatReports(graph::OperationId first);
  [[nodiscard]] absl::StatusOr<EditReport> ReportOf(const OperationRecord& record);

  graph::Dataset& dataset_;
  const EditorOptions options_;
  LockQueue queue_;
  LockKeeper keeper_;
  Recoverer recoverer_;
  absl::Mutex committing_mutex_;
  absl::flat_hash_set<graph::OperationId> committing_ ABSL_GUARDED_BY(committing_mutex_);  // previews
};

}  // namespace cleave::edit
