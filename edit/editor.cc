// How an edit is carried out:
//
//   1. What it asks is looked at before anything is written: an edit that cannot be leaves no trace.
//   2. It locks the roots that its supervoxels have now. When another holds one, or one was replaced meanwhile, it
//      waits and looks again: the roots to lock are those of this try, never of an earlier one.
//   3. Under the locks: protections, the claim of the client's key, and the plan.
//   4. The commit (session.h).
//
// Tasks that are to be done as a whole go through this as one: the first leads, and each is planned on the draft that
// those before it leave.
#include "edit/editor.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "base/status.h"
#include "edit/apply.h"
#include "edit/draft.h"
#include "edit/editor_work.h"
#include "edit/lock_keys.h"
#include "edit/request_keys.h"
#include "edit/session.h"
#include "edit/split_plan.h"
#include "table/table.h"

namespace cleave::edit {

using graph::NodeId;

Editor::Editor(graph::Dataset& dataset, const EditorOptions& options)
    : dataset_(dataset),
      options_(options),
      queue_(options.lock_wait),
      keeper_(dataset.table().ordered(), *options.clock, options.lock_expiry),
      recoverer_(dataset, *options.clock, options.lock_expiry, options.recovery_period) {}

absl::StatusOr<std::unique_ptr<Editor>> Editor::Open(graph::Dataset& dataset, const EditorOptions& options) {
  std::unique_ptr<Editor> editor(new Editor(dataset, options));
  if (options.recover_at_open) {
    CLEAVE_RETURN_IF_ERROR(editor->recoverer_.RecoverAll());
  }
  return editor;
}

absl::StatusOr<EditReport> Editor::Merge(const MergeRequest& request) { return CarryOne(MakeMergeTask(request)); }
absl::StatusOr<EditReport> Editor::Split(const SplitRequest& request) { return CarryOne(MakeSplitTask(request)); }
absl::StatusOr<EditReport> Editor::Undo(const InverseRequest& request) {
  return CarryOne(MakeUndoTask(UndoRequest{request}));
}
absl::StatusOr<EditReport> Editor::Redo(const InverseRequest& request) {
  return CarryOne(MakeRedoTask(RedoRequest{request}));
}

absl::StatusOr<EditReport> Editor::CarryOne(std::unique_ptr<Task> task) {
  const std::string key = task->terms().key;
  return CarryOne(std::move(task), key);
}

absl::StatusOr<EditReport> Editor::CarryOne(std::unique_ptr<Task> task, const std::string& key,
                                            std::optional<graph::OperationId> operation) {
  const std::unique_ptr<Task> tasks[] = {std::move(task)};
  size_t failed = 0;
  CLEAVE_ASSIGN_OR_RETURN(std::vector<EditReport> reports, Carry(tasks, key, failed, operation));
  return std::move(reports.front());
}

absl::StatusOr<EditReport> Editor::RunAs(graph::OperationId operation, const BatchItem& item) {
  return CarryOne(MakeTask(item), "", operation);
}

absl::StatusOr<std::vector<EditReport>> Editor::Carry(Tasks tasks, const std::string& key, size_t& failed,
                                                      std::optional<graph::OperationId> operation) {
  Work work{.tasks = tasks, .failed = failed, .operation = operation};
  if (key.empty()) {
    return CarryOut(work);
  }
  std::string text;
  for (const std::unique_ptr<Task>& task : tasks) {
    absl::StrAppend(&text, task->Text(), "\n");
  }
  CLEAVE_ASSIGN_OR_RETURN(work.keyed, MakeKeyedRequest(key, text));
  const RequestKeys keys(dataset_.table());
  CLEAVE_ASSIGN_OR_RETURN(std::optional<graph::OperationId> done, keys.Find(*work.keyed));
  if (done.has_value()) {
    return RepeatReports(*done);
  }
  absl::StatusOr<std::vector<EditReport>> reports = CarryOut(work);
  if (!reports.ok()) {
    // Perhaps refused because the same request, sent at the same time, came first.
    CLEAVE_ASSIGN_OR_RETURN(done, keys.Find(*work.keyed));
    if (done.has_value()) {
      return RepeatReports(*done);
    }
  }
  return reports;
}

absl::StatusOr<std::vector<EditReport>> Editor::CarryOut(Work& work) {
  if (options_.profile) {
    work.stages.EnableProfile();
  }
  work.stages.Repeat(options_.repetition);
  CLEAVE_RETURN_IF_ERROR(FindRoots(work));
  CLEAVE_RETURN_IF_ERROR(CheckProtections(work));
  if (options_.dry_run) {
    CLEAVE_RETURN_IF_ERROR(PlanUnlocked(work));
    std::vector<EditReport> reports;
    for (const PlannedOperation& planned : work.planned) {
      CLEAVE_ASSIGN_OR_RETURN(EditReport report, ReportOfPlan(planned, work.stages));
      reports.push_back(std::move(report));
    }
    return reports;
  }
  CLEAVE_RETURN_IF_ERROR(BeginRecords(work));
  Recoverer::Run run(recoverer_, work.records.front().id);
  Session session(dataset_, *options_.clock, work.records.front(), &keeper_, options_.lock_expiry);
  LockQueue::Place place(queue_, session.record().id);
  work.session = &session;
  work.place = &place;
  if (const absl::Status status = Attempt(work); !status.ok()) {
    const bool of_item = work.is_batch() && work.failed != kNoTask;
    return session.Fail(of_item ? Annotate(status, absl::StrCat("item ", work.failed)) : status);
  }
  absl::StatusOr<std::vector<EditReport>> reports = Commit(work);
  if (reports.ok()) {
    run.Finished();
  }
  return reports;
}

// What the log will say of each task, before it is planned.
absl::Status Editor::BeginRecords(Work& work) {
  for (const std::unique_ptr<Task>& task : work.tasks) {
    OperationRecord record;
    CLEAVE_ASSIGN_OR_RETURN(record.id, work.operation.has_value() ? *work.operation : dataset_.ids().NewOperation());
    record.kind = task->kind();
    record.user = task->user();
    record.request_key = work.keyed.has_value() ? work.keyed->key : "";
    work.records.push_back(std::move(record));
  }
  if (work.is_batch()) {
    const graph::OperationId leader = work.records.front().id;
    for (OperationRecord& record : work.records) {
      work.records.front().batch_operations.push_back(record.id);
      record.batch = leader;
    }
  }
  return absl::OkStatus();
}

// Tries until it has locks and plans, or an error that waiting does not mend.
absl::Status Editor::Attempt(Work& work) {
  const absl::Time give_up = absl::Now() + options_.lock_tries * options_.lock_wait;
  while (true) {
    absl::Status status = LockRoots(work);
    if (status.ok()) {
      status = PlanTasks(work);
      if (!status.ok() && !absl::IsUnavailable(status)) {  // an error of what was read counts only under locks
        const absl::Status held = work.session->ConfirmLocks();
        status = held.ok() ? status : held;
      }
    }
    if (status.ok() || (!absl::IsUnavailable(status) && !absl::IsAborted(status))) {
      return status;
    }
    CLEAVE_RETURN_IF_ERROR(work.session->Release());
    if (FreedLocks(status)) {
      continue;
    }
    if (absl::Now() >= give_up) {
      return status;
    }
    work.place->Wait(options_.lock_wait);
  }
}

// Whether the locks in the way may be gone, because their operation was one that nobody works on any more.
bool Editor::FreedLocks(const absl::Status& refusal) {
  return absl::IsUnavailable(refusal) && recoverer_.RecoverSilent().value_or(0) > 0;
}

// What every task needs now. A single task is looked at whole; one of several may see another state when its turn
// comes.
absl::Status Editor::FindRoots(Work& work) {
  const Draft draft(dataset_);
  work.roots.clear();
  work.all_roots.clear();
  for (size_t i = 0; i < work.tasks.size(); ++i) {
    work.failed = i;
    CLEAVE_ASSIGN_OR_RETURN(std::vector<NodeId> roots,
                            work.is_batch() ? work.tasks[i]->RootsToLock(draft) : work.tasks[i]->Resolve(draft));
    work.all_roots.insert(work.all_roots.end(), roots.begin(), roots.end());
    work.roots.push_back(std::move(roots));
  }
  std::ranges::sort(work.all_roots);
  work.all_roots.erase(std::ranges::unique(work.all_roots).begin(), work.all_roots.end());
  work.failed = kNoTask;
  work.fresh_roots = true;
  return absl::OkStatus();
}

absl::Status Editor::CheckProtections(Work& work) {
  for (size_t i = 0; i < work.tasks.size(); ++i) {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<Protection> protections, ProtectionsOf(dataset_.table(), work.roots[i]));
    if (!protections.empty() && !work.tasks[i]->terms().override_protection) {
      work.failed = i;
      return ProtectedError(protections.front());
    }
    if (i < work.records.size()) {
      work.records[i].overridden.clear();
      for (const Protection& protection : protections) {
        work.records[i].overridden.push_back(protection.root);
      }
    }
  }
  return absl::OkStatus();
}

absl::Status Editor::LockRoots(Work& work) {
  const Stages::Scope scope(work.stages, "lock");
  if (!std::exchange(work.fresh_roots, false)) {
    CLEAVE_RETURN_IF_ERROR(FindRoots(work));
  }
  const std::vector<NodeId> wanted = work.all_roots;
  CLEAVE_RETURN_IF_ERROR(work.place->Want(wanted));
  CLEAVE_RETURN_IF_ERROR(work.session->Begin(wanted));
  CLEAVE_RETURN_IF_ERROR(FindRoots(work));
  work.fresh_roots = false;
  if (work.all_roots != wanted) {
    return absl::AbortedError("an object changed before it was locked");
  }
  CLEAVE_RETURN_IF_ERROR(CheckProtections(work));
  return work.keyed.has_value() ? RequestKeys(dataset_.table()).Claim(*work.keyed, work.session->record().id)
                                : absl::OkStatus();
}

absl::Status Editor::PlanTasks(Work& work) {
  const Stages::Group group(work.stages, "plan");
  Draft draft(dataset_);
  CLEAVE_ASSIGN_OR_RETURN(const uint64_t generation, VoxelGeneration(dataset_));
  LockChunks lock_chunks;
  if (work.session != nullptr) {
    lock_chunks = [&](std::span<const ChunkPoint> chunks) -> absl::Status {
      CLEAVE_RETURN_IF_ERROR(work.place->WantChunks(ChunkIds(dataset_.layout(), chunks)));
      return work.session->LockChunks(chunks);
    };
  }
  absl::flat_hash_set<NodeId> known(work.all_roots.begin(), work.all_roots.end());
  work.planned.clear();
  for (size_t i = 0; i < work.tasks.size(); ++i) {
    work.failed = i;
    Task& task = *work.tasks[i];
    PlannedOperation planned{work.records[i], {}};
    if (work.is_batch()) {
      CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> roots, task.Resolve(draft));
      for (const NodeId root : roots) {
        if (!known.contains(root)) {
          return absl::FailedPreconditionError(absl::StrCat(
              "it needs object ", Value(root), ", which it did not when the batch began; send it by itself"));
        }
      }
    }
    planned.record.read_generation = generation;
    CLEAVE_ASSIGN_OR_RETURN(planned.plan, task.Plan(draft, lock_chunks, planned.record, work.stages));
    known.insert(planned.plan.new_roots.begin(), planned.plan.new_roots.end());
    if (work.is_batch()) {  // the last one too: that takes off its conditions on chunks of those before it
      CLEAVE_RETURN_IF_ERROR(draft.Add(planned.plan));
    }
    work.planned.push_back(std::move(planned));
  }
  work.failed = kNoTask;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<EditReport>> Editor::Commit(Work& work) {
  std::vector<std::vector<std::vector<NodeId>>> components;
  components.reserve(work.planned.size());
  for (PlannedOperation& planned : work.planned) {
    components.push_back(std::move(planned.plan.supervoxel_components));
  }
  const auto commit = [&] {
    const Stages::Group group(work.stages, "commit");
    return work.session->Commit(std::move(work.planned), work.stages);
  };
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<OperationRecord> done, commit());
  std::vector<EditReport> reports;
  for (size_t i = 0; i < done.size(); ++i) {
    queue_.Replaced(done[i].old_roots, done[i].new_roots);
    CLEAVE_ASSIGN_OR_RETURN(EditReport report, ReportOf(done[i]));
    report.supervoxel_components = std::move(components[i]);
    report.stages = work.stages;
    reports.push_back(std::move(report));
  }
  return reports;
}

absl::StatusOr<EditReport> Editor::ReportOf(const OperationRecord& record) {
  EditReport report;
  report.operation = record.id;
  report.kind = record.kind;
  report.target = record.target;
  report.time = record.time;
  report.old_roots = record.old_roots;
  report.new_roots = record.new_roots;
  report.new_l2_nodes = record.new_l2_nodes;
  report.fragments = record.fragment_origins;
  report.restored = record.restored;
  report.added_edges = record.added_edges;
  report.removed_edges = record.removed_edges;
  report.overridden = record.overridden;
  report.changed_boxes = record.changed_boxes;
  report.changed_chunk_count = static_cast<int64_t>(record.changed_chunk_count);
  if (record.written_generation.has_value()) {
    report.generation = *record.written_generation;
  } else {
    CLEAVE_ASSIGN_OR_RETURN(report.generation, VoxelGeneration(dataset_));
  }
  return report;
}

absl::StatusOr<std::vector<EditReport>> Editor::RepeatReports(graph::OperationId first) {
  const OperationLog log(dataset_.table());
  CLEAVE_ASSIGN_OR_RETURN(const OperationRecord leader, log.Read(first));
  std::vector<graph::OperationId> operations = leader.batch_operations;
  if (operations.empty()) {
    operations.push_back(first);
  }
  std::vector<EditReport> reports;
  for (const graph::OperationId operation : operations) {
    CLEAVE_ASSIGN_OR_RETURN(const OperationRecord record, log.Read(operation));
    CLEAVE_ASSIGN_OR_RETURN(EditReport report, ReportOf(record));
    report.repeated = true;
    reports.push_back(std::move(report));
  }
  return reports;
}

absl::Status Editor::Protect(const Protection& protection) {
  const absl::Time give_up = absl::Now() + options_.lock_tries * options_.lock_wait;
  while (true) {
    absl::Status status = edit::Protect(dataset_, *options_.clock, options_.lock_expiry, protection);
    if (FreedLocks(status)) {
      continue;
    }
    if (!absl::IsUnavailable(status) || absl::Now() >= give_up) {
      return status;
    }
    absl::SleepFor(options_.lock_wait);
  }
}

}  // namespace cleave::edit
