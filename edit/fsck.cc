#include "edit/fsck.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "edit/apply.h"
#include "edit/fsck_checks.h"
#include "edit/overlay_store.h"
#include "table/row_keys.h"
#include "table/row_locks.h"

namespace cleave::edit {

using graph::NodeId;

int64_t FsckReport::total_found() const { return std::accumulate(found.begin(), found.end(), int64_t{0}); }

absl::string_view DescribeInvariant(int invariant) {
  static constexpr std::array<absl::string_view, kInvariantCount> kTexts = {
      "every supervoxel leads to one root, at every time",
      "supervoxels lie in their chunk, fragments are in one piece",
      "parents, children and lineage agree, at every time",
      "roots are the connected components of active edges",
      "only edits moved voxels, of the edited supervoxels only",
      "sources and sinks of splits have different roots",
      "no lock or operation is left behind",
      "coarser scales are the downsample of the finest",
      "events are the successful operations, in order",
  };
  return kTexts.at(static_cast<size_t>(invariant - 1));
}

void FsckFindings::Count(int invariant, int64_t checked) {
  const std::lock_guard lock(mutex_);
  report_.checked[static_cast<size_t>(invariant - 1)] += checked;
}

void FsckFindings::Add(FsckFinding finding) {
  const std::lock_guard lock(mutex_);
  ++report_.found[static_cast<size_t>(finding.invariant - 1)];
  if (static_cast<int64_t>(report_.findings.size()) < findings_max_) {
    report_.findings.push_back(std::move(finding));
  }
}

FsckReport FsckFindings::Take() {
  const std::lock_guard lock(mutex_);
  std::ranges::sort(report_.findings, {}, [](const FsckFinding& finding) {
    return std::tuple(finding.invariant, finding.ids, finding.what);
  });
  return std::move(report_);
}

std::set<ChunkPoint> ChunksWrittenBy(const graph::IdLayout& layout, const OperationRecord& record) {
  std::set<ChunkPoint> chunks;
  const auto add = [&](NodeId supervoxel) {
    if (layout.Validate(supervoxel).ok()) {
      chunks.insert(layout.ChunkOf(supervoxel).position);
    }
  };
  std::ranges::for_each(record.fragments, add);
  std::ranges::for_each(record.restored, add, &Restored::supervoxel);
  return chunks;
}

absl::Status FsckRun::Prepare() {
  CLEAVE_ASSIGN_OR_RETURN(OperationLog::Rows rows, OperationLog::ReadEach(table_));
  log_ = std::move(rows.records);
  for (const auto& [id, why] : rows.unreadable) {
    unreadable_.insert(id);
    findings_.Add({7,
                   absl::StrCat("the row of the operation cannot be read: ", why.message()),
                   {Value(id)},
                   std::nullopt,
                   "what it did can still be seen in the rows of its roots; restore its own row from a backup"});
  }
  CLEAVE_ASSIGN_OR_RETURN(span_.base, dataset_.BaseGeneration());
  CLEAVE_ASSIGN_OR_RETURN(span_.newest, VoxelGeneration(dataset_));
  moments_ = MomentsOf(dataset_.meta().ingested, log_, span_, options_.past_operations_max);
  for (const OperationRecord& record : log_) {
    if (record.status != OperationStatus::kSuccess || !record.written_generation.has_value()) {
      continue;
    }
    for (const NodeId fragment : record.fragments) {
      if (absl::Status status = dataset_.layout().Validate(fragment); !status.ok()) {
        findings_.Add(
            {7,
             absl::StrCat("operation ", Value(record.id), " names a fragment that cannot be: ", status.message()),
             {Value(record.id), Value(fragment)},
             std::nullopt,
             "restore the operation's row from a backup"});
      }
    }
    versions_.push_back({record.time, *record.written_generation});
    for (const ChunkPoint chunk : ChunksWrittenBy(dataset_.layout(), record)) {
      changes_[chunk].push_back(*record.written_generation);
    }
  }
  std::ranges::sort(versions_, {}, &Moment::time);
  uint64_t newest = span_.base;
  for (Moment& version : versions_) {
    version.generation = newest = std::max(newest, version.generation);
  }
  for (auto& [chunk, generations] : changes_) {
    std::ranges::sort(generations);
    generations.erase(std::ranges::unique(generations).begin(), generations.end());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<volume::Volume>> FsckRun::OpenVolume(uint64_t generation) {
  if (generation != span_.newest || overlay_.shown.empty()) {
    return dataset_.SegmentationAt({.generation = generation, .time = std::nullopt});
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<volume::Volume> newest,
                          dataset_.SegmentationAt({.generation = generation, .time = std::nullopt}));
  auto store = std::make_shared<OverlayStore>(dataset_.segmentation().store());
  for (const store::KeyedWrite& write : overlay_.shown) {
    store->Plan(write);
  }
  return volume::Volume::Over(store, newest->prefix(), newest->info());
}

absl::StatusOr<const volume::Volume*> FsckRun::VolumeAt(uint64_t generation) {
  const std::lock_guard lock(volumes_mutex_);
  std::unique_ptr<volume::Volume>& volume = volumes_[generation];
  if (volume == nullptr) {
    CLEAVE_ASSIGN_OR_RETURN(volume, OpenVolume(generation));
  }
  return volume.get();
}

bool FsckRun::CameBackUnseen(const NodeHistories& histories, NodeId supervoxel, const Moment& moment) const {
  const NodeHistory* history = &histories.Of(supervoxel);
  while (history->born > moment.time && history->former != NodeId{}) {
    const NodeHistory* former = &histories.Of(history->former);
    if (former->born >= history->born) {
      return false;  // a damaged row: what came later is no origin
    }
    history = former;
  }
  const auto back = std::ranges::upper_bound(history->restored, moment.time);
  return history->IsReplacedAt(moment.time) && back != history->restored.end() &&
         GenerationAt(*back) <= moment.generation;
}

uint64_t FsckRun::GenerationAt(absl::Time time) const {
  const auto later = std::ranges::upper_bound(versions_, time, {}, &Moment::time);
  return later == versions_.begin() ? span_.base : std::prev(later)->generation;
}

absl::Status FsckRun::CheckLocks() {
  constexpr absl::string_view kAdvice = "open the project once: that finishes what an earlier process left behind";
  progress_.Begin("locks", 0, "");
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<InFlight> in_flight, OperationLog::ListInFlight(table_));
  std::set<uint64_t> running;
  for (const InFlight& operation : in_flight) {
    running.insert(Value(operation.id));
    if (!options_.operations_may_run) {
      findings_.Add({7,
                     absl::StrCat("operation ", Value(operation.id), " is still in flight"),
                     {Value(operation.id)},
                     std::nullopt,
                     std::string(kAdvice)});
    }
  }
  const graph::IdLayout& layout = dataset_.layout();
  const graph::ChunkAddress top{layout.layer_count(), {}};
  const table::RowRange roots =
      table::NodeRowRange({.first = Value(layout.MakeNode(top, graph::Segment{1})),
                           .last = Value(layout.MakeNode(top, layout.SegmentLimit(top.layer)))});
  int64_t looked_at = static_cast<int64_t>(in_flight.size());
  for (const table::RowRange& range : {roots, table::ChunkLockRowRange()}) {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::RowLockState> locks, table::ListLocks(table_, range));
    looked_at += static_cast<int64_t>(locks.size());
    for (const table::RowLockState& lock : locks) {
      for (const std::optional<table::LockHolder>& holder : {lock.temporal, lock.indefinite}) {
        if (holder.has_value() && !(options_.operations_may_run && running.contains(holder->operation_id))) {
          findings_.Add({7,
                         absl::StrCat("row ", lock.key, " is locked by operation ", holder->operation_id),
                         {holder->operation_id},
                         std::nullopt,
                         std::string(kAdvice)});
        }
      }
    }
  }
  findings_.Count(7, looked_at);
  absl::Status status = CheckEnded(running);
  progress_.End();
  return status;
}

// Whoever is not in flight has ended, and its row says how.
absl::Status FsckRun::CheckEnded(const std::set<uint64_t>& running) {
  // Who was seen at work first, and was not in flight afterwards, has its last word in its row by now.
  absl::flat_hash_map<uint64_t, OperationRecord> at_last;
  if (options_.operations_may_run) {
    CLEAVE_ASSIGN_OR_RETURN(OperationLog::Rows rows, OperationLog::ReadEach(table_));
    for (OperationRecord& record : rows.records) {
      at_last[Value(record.id)] = std::move(record);
    }
  }
  for (const OperationRecord& seen : log_) {
    const auto last = at_last.find(Value(seen.id));
    const OperationRecord& record = last == at_last.end() ? seen : last->second;
    if (record.status == OperationStatus::kSuccess || running.contains(Value(record.id))) {
      continue;
    }
    CLEAVE_ASSIGN_OR_RETURN(const bool effective, HasTakenEffect(table_, record));
    if (!effective && record.status == OperationStatus::kException) {
      continue;
    }
    findings_.Add({7,
                   absl::StrCat("operation ", Value(record.id), " has ",
                                effective ? "been carried out" : "ended, and nothing of it is in the graph",
                                ", but its row says '", Name(record.status), "'"),
                   {Value(record.id)},
                   std::nullopt,
                   "plan a repair"});
  }
  findings_.Count(7, static_cast<int64_t>(log_.size()));
  return absl::OkStatus();
}

FsckReport FsckRun::Take() {
  FsckReport report = findings_.Take();
  report.times = static_cast<int64_t>(moments_.size());
  return report;
}

absl::StatusOr<FsckReport> FsckOver(graph::Dataset& dataset, const FsckOverlay& overlay, const FsckOptions& options,
                                    Progress& progress) {
  FsckRun run(dataset, overlay, options, progress);
  CLEAVE_RETURN_IF_ERROR(run.Prepare());
  if (options.check_voxels) {
    CLEAVE_RETURN_IF_ERROR(run.CheckVoxels());
  }
  if (options.check_hierarchy) {
    CLEAVE_RETURN_IF_ERROR(run.CheckHierarchy());
    CLEAVE_RETURN_IF_ERROR(run.CheckLineage());
  }
  if (options.check_operations) {
    CLEAVE_RETURN_IF_ERROR(run.CheckOperations());
  }
  if (options.check_locks) {
    CLEAVE_RETURN_IF_ERROR(run.CheckLocks());
  }
  if (options.check_scales && !options.operations_may_run) {
    CLEAVE_RETURN_IF_ERROR(run.CheckScales());
  }
  if (options.check_events && !options.operations_may_run) {
    CLEAVE_RETURN_IF_ERROR(run.CheckEvents());
  }
  return run.Take();
}

absl::StatusOr<FsckReport> Fsck(graph::Dataset& dataset, const FsckOptions& options, Progress& progress) {
  return FsckOver(dataset, {}, options, progress);
}

}  // namespace cleave::edit
