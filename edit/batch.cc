// Many edits under one report, and the rollback of a user's: editor.h.
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "edit/editor.h"
#include "edit/operation_log.h"
#include "edit/task.h"

namespace cleave::edit {
namespace {

std::string KeyOf(const std::string& batch_key, const std::string& own, size_t index) {
  return !own.empty() || batch_key.empty() ? own : absl::StrCat(batch_key, "/", index);
}

}  // namespace

absl::StatusOr<BatchReport> Editor::Run(const BatchRequest& request) {
  if (request.items.empty()) {
    return absl::InvalidArgumentError("the batch has no items");
  }
  std::vector<std::unique_ptr<Task>> tasks;
  tasks.reserve(request.items.size());
  for (const BatchItem& item : request.items) {
    tasks.push_back(MakeTask(item));
  }
  BatchReport batch;
  batch.items.resize(tasks.size());
  if (!request.as_a_whole) {
    batch.done = true;
    for (size_t i = 0; i < tasks.size(); ++i) {
      const std::string key = KeyOf(request.key, tasks[i]->terms().key, i);
      absl::StatusOr<EditReport> report = CarryOne(std::move(tasks[i]), key);
      batch.items[i].status = report.status();
      batch.done = batch.done && report.ok();
      if (report.ok()) {
        batch.items[i].edit = *std::move(report);
      }
    }
    return batch;
  }
  for (size_t i = 0; i < tasks.size(); ++i) {
    if (!tasks[i]->terms().key.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("item ", i, " has a key of its own; a batch that is done as a whole has one key, the batch's"));
    }
  }
  size_t failed = kNoTask;
  absl::StatusOr<std::vector<EditReport>> reports = Carry(tasks, request.key, failed);
  if (reports.ok()) {
    batch.done = true;
    for (size_t i = 0; i < reports->size(); ++i) {
      batch.items[i].edit = std::move((*reports)[i]);
    }
    return batch;
  }
  for (size_t i = 0; i < tasks.size(); ++i) {
    batch.items[i].status =
        i == failed || failed == kNoTask
            ? reports.status()
            : absl::CancelledError(absl::StrCat("not done, because item ", failed, " could not be"));
  }
  return batch;
}

absl::StatusOr<std::vector<RollbackItem>> Editor::RollbackUser(const RollbackRequest& request) {
  if (request.user.empty()) {
    return absl::InvalidArgumentError("name the user whose operations are to be undone");
  }
  CLEAVE_ASSIGN_OR_RETURN(std::vector<OperationRecord> records, OperationLog(dataset_.table()).ReadAll());
  std::erase_if(records, [&](const OperationRecord& record) {
    const bool is_edit = record.kind == OperationKind::kMerge || record.kind == OperationKind::kSplit;
    const bool is_undone = record.undone_by.value_or(graph::OperationId{}) != graph::OperationId{};
    return !is_edit || is_undone || record.status != OperationStatus::kSuccess || record.user != request.user ||
           record.time < request.since || std::ranges::count(request.skip, record.id) > 0;
  });
  std::ranges::sort(records, std::ranges::greater{}, &OperationRecord::time);
  std::vector<RollbackItem> items;
  for (const OperationRecord& record : records) {
    UndoRequest undo;
    undo.operation = record.id;
    undo.user = request.as_user.empty() ? request.user : request.as_user;
    undo.terms = request.terms;
    undo.terms.key = KeyOf(request.terms.key, "", Value(record.id));
    absl::StatusOr<EditReport> report = Undo(undo);
    RollbackItem item{record.id, report.status(), {}};
    if (report.ok()) {
      item.edit = *std::move(report);
    }
    items.push_back(std::move(item));
  }
  return items;
}

}  // namespace cleave::edit
