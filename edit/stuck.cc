#include "edit/stuck.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

#include "base/stages.h"
#include "base/status.h"
#include "edit/apply.h"
#include "edit/intent.h"
#include "edit/operation_turns.h"
#include "edit/recovery.h"
#include "edit/stuck_foreign.h"
#include "edit/stuck_search.h"
#include "edit/take_back.h"
#include "store/store.h"

namespace cleave::edit {
namespace {

using graph::OperationId;

// Whether the last row of step 1 of apply.h is there: they are written in one batch, or in order.
absl::StatusOr<bool> IsPrepared(graph::Dataset& dataset, const Intent& intent) {
  const Intent& last = *IntentParts(intent).back();
  if (last.prepare.empty() || last.prepare.back().changes.empty()) {
    return false;
  }
  const auto* set = std::get_if<table::SetCell>(&last.prepare.back().changes.back());
  if (set == nullptr) {
    return false;
  }
  table::Filter filter{.columns = {set->column}, .start = *set->time, .end = *set->time, .end_inclusive = true};
  CLEAVE_ASSIGN_OR_RETURN(const table::Row row, dataset.table().ReadRow(last.prepare.back().key, filter));
  return !row.cells.empty();
}

absl::Status AddSteps(graph::Dataset& dataset, const StuckOperation& operation, const Intent& intent,
                      StuckIntent& steps) {
  const OperationStatus status = operation.record.has_value() ? operation.record->status : OperationStatus::kCreated;
  steps.flipped = status == OperationStatus::kSuccess;
  steps.committed = status != OperationStatus::kCreated && status != OperationStatus::kException;
  steps.voxels_written = true;
  for (const Intent* part : IntentParts(intent)) {
    steps.prepare_rows += std::ssize(part->prepare);
    steps.voxel_chunks += std::ssize(part->voxels);
    steps.flip_rows += std::ssize(part->flip);
    if (!part->voxels.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(const auto written, FindVoxelGeneration(dataset.database(), part->operation));
      steps.voxels_written = steps.voxels_written && written.has_value();
    }
  }
  CLEAVE_ASSIGN_OR_RETURN(steps.prepared, IsPrepared(dataset, intent));
  CLEAVE_ASSIGN_OR_RETURN(const Claim claim, ReadClaim(dataset.table(), intent.operation));
  steps.flip_claimed = steps.flipped || claim == Claim::kFlip;
  CLEAVE_ASSIGN_OR_RETURN(steps.voxels_back, VoxelsAreBack(dataset, intent.operation));
  return absl::OkStatus();
}

absl::Status AddIntent(graph::Dataset& dataset, StuckDetails& details) {
  const OperationId id = details.operation.scope.id;
  CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, dataset.intents().Read(IntentKey(id)));
  const absl::StatusOr<Intent> intent = ReadIntent(dataset, id);
  if (!intent.ok()) {
    const bool needed =
        details.operation.state == StuckState::kCommitted || details.operation.state == StuckState::kTakingBack;
    details.intent_problem = read.value.has_value() || needed ? intent.status() : absl::OkStatus();
    return absl::OkStatus();
  }
  StuckIntent steps;
  steps.bytes = std::ssize(*read.value);
  steps.operations = std::ssize(intent->followers) + 1;
  CLEAVE_RETURN_IF_ERROR(AddSteps(dataset, details.operation, *intent, steps));
  details.intent = steps;
  return absl::OkStatus();
}

absl::StatusOr<StuckOutcome> CleanUp(graph::Dataset& dataset, Clock& clock, const StuckOperation& operation) {
  if (!operation.row_problem.ok()) {
    return Annotate(operation.row_problem, "run `cleave fsck --plan`");
  }
  CLEAVE_RETURN_IF_ERROR(MarkFollowers(dataset, operation.scope, OperationFailure::kAbandoned));
  CLEAVE_RETURN_IF_ERROR(FinishOperation(dataset, clock, operation.scope));
  return StuckOutcome::kCleanedUp;
}

absl::StatusOr<StuckOutcome> CarryOut(graph::Dataset& dataset, Clock& clock, const StuckOperation& operation) {
  CLEAVE_RETURN_IF_ERROR(RequireLocks(dataset, operation.scope));
  CLEAVE_ASSIGN_OR_RETURN(const Intent intent, ReadIntent(dataset, operation.scope.id));
  Stages stages;
  CLEAVE_RETURN_IF_ERROR(ApplyIntent(dataset, intent, stages).status());
  CLEAVE_RETURN_IF_ERROR(FinishOperation(dataset, clock, operation.scope));
  return StuckOutcome::kCarriedOut;
}

absl::StatusOr<StuckOutcome> RevertCommitted(graph::Dataset& dataset, Clock& clock, const StuckOperation& operation) {
  CLEAVE_RETURN_IF_ERROR(RequireLocks(dataset, operation.scope));
  CLEAVE_ASSIGN_OR_RETURN(const Intent intent, ReadIntent(dataset, operation.scope.id));
  CLEAVE_RETURN_IF_ERROR(TakeBack(dataset, clock, operation.scope, intent));
  return StuckOutcome::kTakenBack;
}

absl::StatusOr<StuckOutcome> RevertBegun(graph::Dataset& dataset, Clock& clock, const StuckOperation& operation) {
  CLEAVE_ASSIGN_OR_RETURN(const bool marked, MarkAbandoned(dataset, operation.scope, OperationFailure::kReverted));
  if (!marked) {
    return absl::AbortedError(
        absl::StrCat("operation ", Value(operation.scope.id), " went on meanwhile; look at it again"));
  }
  CLEAVE_RETURN_IF_ERROR(FinishOperation(dataset, clock, operation.scope));
  return StuckOutcome::kTakenBack;
}

absl::Status Refusal(const StuckOperation& operation, absl::string_view why) {
  return absl::FailedPreconditionError(absl::StrCat("operation ", Value(operation.scope.id), " ", why));
}

}  // namespace

absl::string_view Name(StuckState state) {
  switch (state) {
    case StuckState::kBegun:
      return "begun";
    case StuckState::kCommitted:
      return "committed";
    case StuckState::kTakingBack:
      return "reverting";
    case StuckState::kEnded:
      return "ended";
    case StuckState::kForeign:
      return "foreign";
  }
  return "unknown";
}

absl::string_view Name(StuckOutcome outcome) {
  switch (outcome) {
    case StuckOutcome::kCarriedOut:
      return "carried out";
    case StuckOutcome::kPlannedAnew:
      return "planned anew";
    case StuckOutcome::kTakenBack:
      return "taken back";
    case StuckOutcome::kCleanedUp:
      return "cleaned up";
  }
  return "unknown";
}

absl::StatusOr<std::vector<StuckOperation>> ListStuck(graph::Dataset& dataset, absl::Time now, absl::Duration min_age) {
  CLEAVE_ASSIGN_OR_RETURN(auto found, FindStuck(dataset));
  std::vector<StuckOperation> listed;
  for (auto& [id, operation] : found) {
    if (operation.since + min_age <= now) {
      listed.push_back(std::move(operation));
    }
  }
  return listed;
}

absl::StatusOr<StuckDetails> ShowStuck(graph::Dataset& dataset, OperationId operation) {
  StuckDetails details;
  CLEAVE_ASSIGN_OR_RETURN(details.operation, FindOneStuck(dataset, operation));
  CLEAVE_ASSIGN_OR_RETURN(details.locks, ReadScopeLocks(dataset, details.operation.scope));
  CLEAVE_RETURN_IF_ERROR(AddIntent(dataset, details));
  return details;
}

absl::StatusOr<StuckOutcome> ReplayStuck(graph::Dataset& dataset, Clock& clock, OperationId operation) {
  CLEAVE_ASSIGN_OR_RETURN(const StuckOperation stuck, FindOneStuck(dataset, operation));
  switch (stuck.state) {
    case StuckState::kCommitted:
      return CarryOut(dataset, clock, stuck);
    case StuckState::kEnded:
      return CleanUp(dataset, clock, stuck);
    case StuckState::kForeign:
      return ReplayForeign(dataset, clock, stuck);
    case StuckState::kTakingBack:
      return Refusal(stuck, "is being taken back: nobody can carry it out any more; revert it again to end that");
    case StuckState::kBegun:
      break;
  }
  return Refusal(stuck,
                 "did not come to its commit point: nothing of it happened, and what it was to do is not in the log; "
                 "revert it, and send the edit again");
}

absl::StatusOr<StuckOutcome> RevertStuck(graph::Dataset& dataset, Clock& clock, OperationId operation) {
  CLEAVE_ASSIGN_OR_RETURN(const StuckOperation stuck, FindOneStuck(dataset, operation));
  switch (stuck.state) {
    case StuckState::kCommitted:
    case StuckState::kTakingBack:
      return RevertCommitted(dataset, clock, stuck);
    case StuckState::kBegun:
      return RevertBegun(dataset, clock, stuck);
    case StuckState::kForeign:
      return RevertForeign(dataset, clock, stuck);
    case StuckState::kEnded:
      break;
  }
  if (stuck.record.has_value() && stuck.record->status == OperationStatus::kSuccess) {
    return Refusal(stuck,
                   "has succeeded: it can only be undone; replay it, which releases the locks that it left behind");
  }
  return CleanUp(dataset, clock, stuck);
}

}  // namespace cleave::edit
