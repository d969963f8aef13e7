// Plans that are shown before they are carried out, or never are: editor.h.
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "edit/apply.h"
#include "edit/editor.h"
#include "edit/editor_work.h"
#include "edit/kept_preview.h"
#include "edit/task.h"

namespace cleave::edit {
namespace {

// A plan that was made while others edited the same object may mix two states; it is made again.
constexpr int kPreviewTriesMax = 5;

}  // namespace

absl::Status Editor::PlanUnlocked(Work& work) {
  CLEAVE_RETURN_IF_ERROR(FindRoots(work));
  CLEAVE_RETURN_IF_ERROR(BeginRecords(work));
  CLEAVE_RETURN_IF_ERROR(CheckProtections(work));
  return PlanTasks(work);
}

absl::StatusOr<EditReport> Editor::ReportOfPlan(const PlannedOperation& planned, const Stages& stages) {
  OperationRecord record = planned.record;
  DescribePlan(planned.plan, record);
  record.id = {};
  CLEAVE_ASSIGN_OR_RETURN(EditReport report, ReportOf(record));
  report.supervoxel_components = planned.plan.supervoxel_components;
  report.stages = stages;
  return report;
}

absl::StatusOr<EditReport> Editor::Preview(const BatchItem& request) {
  const std::unique_ptr<Task> tasks[] = {MakeTask(request)};
  absl::Status status;
  for (int i = 0; i < kPreviewTriesMax; ++i) {
    size_t failed = 0;
    Work work{.tasks = tasks, .failed = failed};
    if (options_.profile) {
      work.stages.EnableProfile();
    }
    CLEAVE_RETURN_IF_ERROR(PlanUnlocked(work));
    PlannedOperation& planned = work.planned.front();
    status = CheckPlanHolds(dataset_, planned.plan, planned.record.read_generation.value_or(0));
    if (status.ok()) {
      planned.record.request_key = tasks[0]->terms().key;
      DescribePlan(planned.plan, planned.record);
      CLEAVE_ASSIGN_OR_RETURN(EditReport report, ReportOfPlan(planned, work.stages));
      if (!options_.dry_run) {
        CLEAVE_ASSIGN_OR_RETURN(report.preview_token, KeepPreview(dataset_, options_.clock->Now(), planned));
      }
      return report;
    }
    if (!absl::IsFailedPrecondition(status)) {
      return status;
    }
  }
  return absl::AbortedError(
      absl::StrCat("others edit the object all the time, so that no preview holds: ", status.message()));
}

// One caller at a time for one preview: the locks know operations, and both would be the same one.
absl::StatusOr<EditReport> Editor::CommitPreview(const std::string& token, const std::string& user) {
  CLEAVE_ASSIGN_OR_RETURN(const PreviewToken parsed, ParsePreviewToken(token));
  const auto is_free = [&]() { return !committing_.contains(parsed.operation); };
  {
    const absl::MutexLock lock(&committing_mutex_, absl::Condition(&is_free));
    committing_.insert(parsed.operation);
  }
  absl::StatusOr<EditReport> report = CommitPreviewAlone(token, parsed.operation, user);
  const absl::MutexLock lock(&committing_mutex_);
  committing_.erase(parsed.operation);
  return report;
}

absl::StatusOr<EditReport> Editor::CommitPreviewAlone(const std::string& token, graph::OperationId operation,
                                                      const std::string& user) {
  const absl::StatusOr<OperationRecord> done = OperationLog(dataset_.table()).Read(operation);
  if (done.ok() && done->status == OperationStatus::kSuccess) {
    CLEAVE_ASSIGN_OR_RETURN(EditReport report, ReportOf(*done));
    report.repeated = true;
    return report;
  }
  CLEAVE_ASSIGN_OR_RETURN(PlannedOperation planned, ReadPreview(dataset_, options_.clock->Now(), token));
  if (!user.empty()) {
    planned.record.user = user;
  }
  const std::string key = planned.record.request_key;
  absl::StatusOr<EditReport> report = CarryOne(MakePreviewTask(token, std::move(planned)), key, operation);
  const bool over = report.ok() ? !options_.dry_run : absl::IsFailedPrecondition(report.status());
  if (over) {
    CLEAVE_RETURN_IF_ERROR(DropPreview(dataset_, token));
  }
  return report;
}

}  // namespace cleave::edit
