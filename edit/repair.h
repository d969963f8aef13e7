// Mends what fsck finds, from what is stored more than once: a plan that is shown first, then applied like any edit.
//
//   CLEAVE_ASSIGN_OR_RETURN(RepairPlan plan, PlanRepair(dataset, {}, clock, progress));
//   ... show plan.mends and plan.after; ask ...
//   CLEAVE_ASSIGN_OR_RETURN(const RepairReport report, ApplyRepair(dataset, clock, std::move(plan), user, progress));
//
//   1. fsck finds what is wrong. Its ids are where the plan looks.
//   2. Cells are put back from their witnesses (repair_hierarchy.h, repair_log.h): parents from children and the other
//      way round, cross edges from their other side, lineage from the log and the log from lineage. A put-back cell has
//      its old time, so the past is mended too.
//   3. Voxels that no operation changed come back from the version that an operation wrote (repair_voxels.h).
//   4. fsck looks through the dataset as it would be then, with nothing written. If more were wrong than before, the
//      mends of the hierarchy are dropped.
//   5. Where the hierarchy still contradicts the edges, the nodes above are built anew, as an edit would, with new
//   roots
//      and lineage (repair_rebuild.h); kept only if fsck then finds less. The past stays as it is.
// What fsck would still find is told as such: it needs a person.
//
// Nothing is forgotten: the old value of every cell is in the record of the repair (repair_record.h), old voxels stay
// in their version. REQUIRES: no operation runs on the dataset from the plan until it is applied.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "base/clock.h"
#include "base/progress.h"
#include "edit/fsck.h"
#include "edit/operation_log.h"
#include "edit/plan.h"
#include "edit/repair_record.h"
#include "graph/dataset.h"

namespace cleave::edit {

struct RepairPlan {
  FsckReport before;
  std::vector<Mend> mends;          // empty: there is nothing to do, or nothing that can be done
  std::vector<std::string> doubts;  // what was looked at, and why it cannot be mended by machine
  FsckReport after;                 // what fsck will still find
  graph::OperationId operation{};   // of the repair; 0 without mends
  Plan plan;                        // what is written
};

// Read-only, but for id counters. Errors as Fsck.
[[nodiscard]] absl::StatusOr<RepairPlan> PlanRepair(graph::Dataset& dataset, const FsckOptions& options, Clock& clock,
                                                    Progress& progress);

struct RepairReport {
  OperationRecord record;
  FsckReport after;  // what fsck finds now
};

// Carries a plan out as one operation: crash-safe, since recovery finishes it like any other. FAILED_PRECONDITION when
// the plan has no mends.
[[nodiscard]] absl::StatusOr<RepairReport> ApplyRepair(graph::Dataset& dataset, Clock& clock, RepairPlan plan,
                                                       const std::string& user, const FsckOptions& options,
                                                       Progress& progress);

}  // namespace cleave::edit
