#include "edit/repair.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/array.h"
#include "base/stages.h"
#include "base/status.h"
#include "edit/apply.h"
#include "edit/fsck_checks.h"
#include "edit/recovery.h"
#include "edit/repair_hierarchy.h"
#include "edit/repair_log.h"
#include "edit/repair_rebuild.h"
#include "edit/session.h"
#include "ocdbt/database.h"
#include "table/overlay_table.h"
#include "volume/volume.h"

namespace cleave::edit {
namespace {

using graph::NodeId;

constexpr int64_t kSuspectFindingsMax = 1'000'000;
constexpr int kHierarchyRounds = 3;

std::vector<NodeId> SuspectsOf(const FsckReport& report) {
  std::set<NodeId> ids;
  for (const FsckFinding& finding : report.findings) {
    for (const uint64_t id : finding.ids) {
      ids.insert(NodeId{id});
    }
  }
  return {ids.begin(), ids.end()};
}

// Reads what stands where `mends` want to write, and drops changes that change nothing.
absl::Status FillBefore(const table::TableReader& table, std::vector<Mend>& mends) {
  std::vector<std::string> keys;
  for (const Mend& mend : mends) {
    for (const CellChange& change : mend.cells) {
      keys.push_back(change.row);
    }
  }
  std::ranges::sort(keys);
  keys.erase(std::ranges::unique(keys).begin(), keys.end());
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows, table.ReadRows(keys, {}));
  std::map<std::tuple<std::string, table::Column, absl::Time>, const std::string*> stored;
  for (const table::Row& row : rows) {
    for (const auto& [column, cells] : row.cells) {
      for (const table::Cell& cell : cells) {
        stored[{row.key, column, cell.time}] = &cell.value;
      }
    }
  }
  for (Mend& mend : mends) {
    for (CellChange& change : mend.cells) {
      if (!change.time.has_value()) {
        continue;
      }
      const auto found = stored.find({change.row, change.column, *change.time});
      change.before = found == stored.end() ? std::nullopt : std::optional(*found->second);
    }
    std::erase_if(mend.cells, [](const CellChange& change) { return change.before == change.after; });
  }
  std::erase_if(mends, [](const Mend& mend) { return mend.cells.empty() && mend.voxels.empty(); });
  return absl::OkStatus();
}

std::vector<table::RowMutation> RowsOfMends(const std::vector<Mend>& mends) {
  std::map<std::string, std::vector<table::Change>> rows;
  for (const Mend& mend : mends) {
    for (const CellChange& change : mend.cells) {
      if (change.after.has_value()) {
        rows[change.row].emplace_back(table::SetCell{change.column, change.time, *change.after});
      } else {
        rows[change.row].emplace_back(table::DeleteCells{change.column, change.time});
      }
    }
  }
  std::vector<table::RowMutation> mutations;
  mutations.reserve(rows.size());
  for (auto& [key, changes] : rows) {
    mutations.push_back({key, std::move(changes)});
  }
  return mutations;
}

class Repairer {
 public:
  Repairer(graph::Dataset& dataset, const FsckOptions& options, Clock& clock, Progress& progress)
      : dataset_(dataset), options_(options), shown_(options.findings_max), clock_(clock), progress_(progress) {
    options_.findings_max = kSuspectFindingsMax;
  }

  absl::StatusOr<RepairPlan> Run() {
    CLEAVE_ASSIGN_OR_RETURN(plan_.before, Fsck(dataset_, options_, progress_));
    plan_.after = plan_.before;
    if (!plan_.before.clean()) {
      CLEAVE_RETURN_IF_ERROR(MendLog());
      CLEAVE_RETURN_IF_ERROR(MendVoxels());
      CLEAVE_RETURN_IF_ERROR(Judge(plan_.after));
      CLEAVE_RETURN_IF_ERROR(MendCells());
      CLEAVE_RETURN_IF_ERROR(BuildAnew());
    }
    return Take();
  }

 private:
  // What fsck would find with the mends so far, and with `more` rows.
  absl::Status Judge(FsckReport& report, std::span<const table::RowMutation> more = {}) {
    return Judge(report, more, options_);
  }
  absl::Status JudgeNewest(FsckReport& report, std::span<const table::RowMutation> more = {}) {
    FsckOptions newest = options_;
    newest.past_operations_max = 0;
    return Judge(report, more, newest);
  }
  absl::Status Judge(FsckReport& report, std::span<const table::RowMutation> more, const FsckOptions& options) {
    table::OverlayTable overlay(dataset_.table(), Later());
    CLEAVE_RETURN_IF_ERROR(overlay.Add(RowsOfMends(plan_.mends)));
    CLEAVE_RETURN_IF_ERROR(overlay.Add(more));
    const FsckOverlay what_if{&overlay, plan_.plan.voxels, shown_voxels_, plan_.plan.changed_boxes};
    CLEAVE_ASSIGN_OR_RETURN(report, FsckOver(dataset_, what_if, options, progress_));
    return absl::OkStatus();
  }

  // After every stored cell.
  absl::Time Later() const { return clock_.Now() + absl::Hours(24); }

  absl::Status MendLog() {
    CLEAVE_ASSIGN_OR_RETURN(const OperationLog::Rows log, OperationLog::ReadEach(dataset_.table()));
    Mends mends;
    CLEAVE_RETURN_IF_ERROR(MendOperations(dataset_, log.records, clock_.Now(), mends));
    CLEAVE_RETURN_IF_ERROR(Accept(mends));
    // An operation that has taken effect after all explains lineage and voxels.
    table::OverlayTable overlay(dataset_.table(), Later());
    CLEAVE_RETURN_IF_ERROR(overlay.Add(RowsOfMends(plan_.mends)));
    CLEAVE_ASSIGN_OR_RETURN(log_, OperationLog::ReadEach(overlay));
    CLEAVE_ASSIGN_OR_RETURN(former_of_, FormersOf(dataset_.layout(), dataset_.table(), log_.records));
    Mends lineage;
    CLEAVE_RETURN_IF_ERROR(MendLineage(dataset_, SuspectsOf(plan_.before), log_, former_of_, lineage));
    CLEAVE_RETURN_IF_ERROR(Accept(lineage));
    Mends events;
    CLEAVE_RETURN_IF_ERROR(MendEvents(dataset_, log_, events));
    for (const OperationRecord& record : log_.records) {
      // Whoever follows the voxels may be past the event's time: the repair's own event tells of them again.
      const auto is_put_back = [&](const Mend& mend) { return std::ranges::count(mend.ids, Value(record.id)) > 0; };
      if (record.status == OperationStatus::kSuccess && std::ranges::any_of(events.mends, is_put_back)) {
        plan_.plan.changed_boxes.insert(plan_.plan.changed_boxes.end(), record.changed_boxes.begin(),
                                        record.changed_boxes.end());
      }
    }
    return Accept(events);
  }

  // A later mend of a cell replaces an earlier one, which knew less.
  absl::Status Accept(Mends& mends) {
    std::set<std::tuple<std::string, table::Column, std::optional<absl::Time>>> again;
    for (const Mend& mend : mends.mends) {
      for (const CellChange& change : mend.cells) {
        again.emplace(change.row, change.column, change.time);
      }
    }
    for (Mend& mend : plan_.mends) {
      std::erase_if(mend.cells, [&](const CellChange& change) {
        return again.contains({change.row, change.column, change.time});
      });
    }
    std::erase_if(plan_.mends, [](const Mend& mend) { return mend.cells.empty() && mend.voxels.empty(); });
    CLEAVE_RETURN_IF_ERROR(FillBefore(dataset_.table(), mends.mends));
    std::ranges::move(mends.mends, std::back_inserter(plan_.mends));
    for (std::string& doubt : mends.doubts) {
      if (std::ranges::count(plan_.doubts, doubt) == 0) {
        plan_.doubts.push_back(std::move(doubt));
      }
    }
    return absl::OkStatus();
  }

  absl::Status MendVoxels() {
    GenerationSpan span;
    CLEAVE_ASSIGN_OR_RETURN(span.base, dataset_.BaseGeneration());
    CLEAVE_ASSIGN_OR_RETURN(span.newest, VoxelGeneration(dataset_));
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<ForeignChange> changes,
                            FindForeignChanges(dataset_, log_.records, span, {}));
    CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Snapshot newest, dataset_.database().At(ocdbt::GenerationNumber{span.newest}));
    for (const ForeignChange& change : changes) {
      if (change.built_upon) {
        plan_.doubts.push_back(absl::StrCat("voxels of ", ToString(change.box),
                                            " were changed by no operation before generation ", change.seen_generation,
                                            ", and a later operation has built on that"));
        continue;
      }
      CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Snapshot then,
                              dataset_.database().At(ocdbt::GenerationNumber{change.expected_generation}));
      CLEAVE_ASSIGN_OR_RETURN(store::ReadResult value, then.Read(change.key));
      CLEAVE_ASSIGN_OR_RETURN(const store::Generation now, newest.KeyGeneration(change.key));
      plan_.plan.voxels.push_back({change.key, std::move(value.value), now});
      CLEAVE_ASSIGN_OR_RETURN(
          const std::unique_ptr<volume::Volume> volume,
          dataset_.SegmentationAt({.generation = change.expected_generation, .time = std::nullopt}));
      CLEAVE_ASSIGN_OR_RETURN(store::ReadResult seen, volume->store().Read(change.key));
      shown_voxels_.push_back({change.key, std::move(seen.value), std::nullopt});
      Mend mend;
      mend.invariant = 5;
      mend.what = absl::StrCat("voxels of ", ToString(change.box), " were changed by no operation");
      mend.evidence = absl::StrCat("generation ", change.expected_generation, ", the last in which ",
                                   change.expected_generation == span.base ? "ingest" : "an operation", " wrote there");
      mend.where = change.box;
      mend.voxels = {{change.key, change.expected_generation, change.seen_generation}};
      plan_.mends.push_back(std::move(mend));
      plan_.plan.changed_boxes.push_back(change.box);
    }
    return absl::OkStatus();
  }

  // In rounds: where several cells are damaged, the ones put back are witnesses for the others.
  absl::Status MendCells() {
    for (int round = 0; round < kHierarchyRounds && !plan_.after.clean(); ++round) {
      table::OverlayTable overlay(dataset_.table(), Later());
      CLEAVE_RETURN_IF_ERROR(overlay.Add(RowsOfMends(plan_.mends)));
      Mends mends;
      CLEAVE_RETURN_IF_ERROR(
          MendHierarchy(dataset_, overlay, SuspectsOf(plan_.after), log_.records, former_of_, mends));
      const std::vector<Mend> mends_before = plan_.mends;
      CLEAVE_RETURN_IF_ERROR(Accept(mends));
      if (plan_.mends == mends_before) {
        return absl::OkStatus();
      }
      FsckReport judged;
      CLEAVE_RETURN_IF_ERROR(Judge(judged));
      if (judged.total_found() >= plan_.after.total_found()) {
        plan_.mends = mends_before;
        plan_.doubts.push_back("what the rows next to each other say of the hierarchy does not lead to a whole one");
        return absl::OkStatus();
      }
      plan_.after = std::move(judged);
    }
    return absl::OkStatus();
  }

  absl::Status BuildAnew() {
    // Only where parents and children agree: else a node that has lost its children would be built away.
    FsckReport newest;
    CLEAVE_RETURN_IF_ERROR(JudgeNewest(newest));
    if (newest.found[3] == 0 || newest.found[0] > 0 || newest.found[2] > 0) {
      return absl::OkStatus();
    }
    table::OverlayTable overlay(dataset_.table(), Later());
    CLEAVE_RETURN_IF_ERROR(overlay.Add(RowsOfMends(plan_.mends)));
    CLEAVE_ASSIGN_OR_RETURN(plan_.operation, dataset_.ids().NewOperation());
    absl::StatusOr<Rebuild> rebuild = PlanRebuild(dataset_, overlay, SuspectsOf(newest), plan_.operation);
    if (!rebuild.ok()) {
      plan_.doubts.push_back(absl::StrCat("the hierarchy cannot be built anew: ", rebuild.status().message()));
      return absl::OkStatus();
    }
    std::vector<table::RowMutation> rows = rebuild->plan.prepare;
    rows.insert(rows.end(), rebuild->plan.flip.begin(), rebuild->plan.flip.end());
    if (rows.empty()) {
      return absl::OkStatus();
    }
    FsckReport judged;
    CLEAVE_RETURN_IF_ERROR(JudgeNewest(judged, rows));
    const bool better = judged.total_found() < newest.total_found();
    CLEAVE_RETURN_IF_ERROR(Judge(judged, rows));
    if (!better || judged.total_found() > plan_.after.total_found()) {
      plan_.doubts.push_back("building the hierarchy anew from its edges would leave as much wrong as there is");
      return absl::OkStatus();
    }
    plan_.after = std::move(judged);
    plan_.plan.prepare = std::move(rebuild->plan.prepare);
    rebuilt_flip_ = std::move(rebuild->plan.flip);
    plan_.plan.old_roots = std::move(rebuild->plan.old_roots);
    plan_.plan.new_roots = std::move(rebuild->plan.new_roots);
    rebuilt_ = std::move(rebuild->mend);
    return absl::OkStatus();
  }

  absl::StatusOr<RepairPlan> Take() {
    plan_.plan.flip = RowsOfMends(plan_.mends);
    std::ranges::move(rebuilt_flip_, std::back_inserter(plan_.plan.flip));
    if (rebuilt_.has_value()) {
      plan_.mends.push_back(*std::move(rebuilt_));
    }
    if (plan_.mends.empty()) {
      plan_.operation = {};
    } else if (plan_.operation == graph::OperationId{}) {
      CLEAVE_ASSIGN_OR_RETURN(plan_.operation, dataset_.ids().NewOperation());
    }
    for (FsckReport* report : {&plan_.before, &plan_.after}) {
      if (static_cast<int64_t>(report->findings.size()) > shown_) {
        report->findings.resize(static_cast<size_t>(shown_));
      }
    }
    return std::move(plan_);
  }

  graph::Dataset& dataset_;
  FsckOptions options_;
  const int64_t shown_;
  Clock& clock_;
  Progress& progress_;
  OperationLog::Rows log_;
  FormerOf former_of_;
  std::vector<store::KeyedWrite> shown_voxels_;
  std::vector<table::RowMutation> rebuilt_flip_;
  std::optional<Mend> rebuilt_;
  RepairPlan plan_;
};

}  // namespace

absl::StatusOr<RepairPlan> PlanRepair(graph::Dataset& dataset, const FsckOptions& options, Clock& clock,
                                      Progress& progress) {
  return Repairer(dataset, options, clock, progress).Run();
}

absl::StatusOr<RepairReport> ApplyRepair(graph::Dataset& dataset, Clock& clock, RepairPlan plan,
                                         const std::string& user, const FsckOptions& options, Progress& progress) {
  if (plan.mends.empty()) {
    return absl::FailedPreconditionError("there is nothing that a repair could mend");
  }
  OperationRecord record;
  record.id = plan.operation;
  record.kind = OperationKind::kRepair;
  record.user = user;
  CLEAVE_ASSIGN_OR_RETURN(record.read_generation, VoxelGeneration(dataset));
  plan.plan.flip.push_back(RepairRow(plan.operation, plan.mends));
  Session session(dataset, clock, std::move(record));
  // Nothing else runs, and the damage may be in the very locks: none are taken.
  CLEAVE_RETURN_IF_ERROR(session.Begin({}));
  RepairReport report;
  Stages stages;
  CLEAVE_ASSIGN_OR_RETURN(report.record, session.Commit(std::move(plan.plan), stages));
  CLEAVE_RETURN_IF_ERROR(RecoverOperations(dataset, clock).status());
  CLEAVE_ASSIGN_OR_RETURN(report.after, Fsck(dataset, options, progress));
  return report;
}

}  // namespace cleave::edit
