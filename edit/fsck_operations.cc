// Invariants 5 and 6, operation by operation.
//
// An operation's voxels are compared with the version before it, in the chunks of its fragments. Operations whose
// commits were joined share a version, and are looked at together.
#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/array.h"
#include "base/parallel.h"
#include "base/status.h"
#include "cut/graph_cut.h"
#include "edit/fsck_checks.h"

namespace cleave::edit {
namespace {

using graph::NodeId;

constexpr absl::string_view kReportAdvice =
    "plan a repair; if it leaves this, read the voxels as they were at the generation before, and report a defect";

// What an operation may do to a voxel.
class Moves {
 public:
  // Voxels of `from` go to `to`, all of them, and to no other.
  void Allow(NodeId from, NodeId to) {
    allowed_.insert({Value(from), Value(to)});
    from_.insert(Value(from));
    to_.insert(Value(to));
  }

  struct Tally {
    std::map<std::pair<uint64_t, uint64_t>, int64_t> wrong;  // voxels by label before and after
    absl::flat_hash_set<uint64_t> fresh;                     // that have voxels
  };

  // Rows are read in runs of equal pairs.
  Tally Compare(const Array3<uint64_t>& before, const Array3<uint64_t>& after) const {
    Tally tally;
    std::pair<uint64_t, uint64_t> last;
    bool last_is_right = true;
    for (int64_t i = 0; i < before.size(); ++i) {
      const std::pair<uint64_t, uint64_t> pair{before.data()[i], after.data()[i]};
      if (pair != last) {
        last = pair;
        last_is_right = IsRight(pair.first, pair.second);
        if (to_.contains(pair.second)) {
          tally.fresh.insert(pair.second);
        }
      }
      if (!last_is_right) {
        ++tally.wrong[last];
      }
    }
    return tally;
  }

 private:
  bool IsRight(uint64_t before, uint64_t after) const {
    if (from_.contains(before)) {
      return allowed_.contains({before, after});
    }
    return before == after && !to_.contains(after);
  }

  absl::flat_hash_set<std::pair<uint64_t, uint64_t>> allowed_;
  absl::flat_hash_set<uint64_t> from_;
  absl::flat_hash_set<uint64_t> to_;
};

std::vector<uint64_t> IdsOf(const std::vector<const OperationRecord*>& records) {
  std::vector<uint64_t> ids;
  ids.reserve(records.size());
  for (const OperationRecord* record : records) {
    ids.push_back(Value(record->id));
  }
  return ids;
}

}  // namespace

absl::Status FsckRun::CheckMovedVoxels(uint64_t generation, const std::vector<const OperationRecord*>& records) {
  const graph::IdLayout& layout = dataset_.layout();
  std::vector<NodeId> fragments;
  for (const OperationRecord* record : records) {
    fragments.insert(fragments.end(), record->fragments.begin(), record->fragments.end());
  }
  std::erase_if(fragments, [&](NodeId id) { return !layout.Validate(id).ok(); });
  NodeHistories histories(layout, table_);
  CLEAVE_RETURN_IF_ERROR(histories.Load(fragments, NodeHistories::Above::kNothing));
  Moves moves;
  for (const NodeId fragment : fragments) {
    moves.Allow(histories.Of(fragment).former, fragment);
  }
  std::set<NodeId> fresh(fragments.begin(), fragments.end());
  std::set<ChunkPoint> written;
  for (const OperationRecord* record : records) {
    written.merge(ChunksWrittenBy(layout, *record));
    for (const Restored& restored : record->restored) {
      moves.Allow(restored.fragment, restored.supervoxel);
      fresh.insert(restored.supervoxel);
    }
  }
  const std::vector<ChunkPoint> chunks(written.begin(), written.end());
  CLEAVE_ASSIGN_OR_RETURN(const volume::Volume* before, VolumeAt(generation - 1));
  CLEAVE_ASSIGN_OR_RETURN(const volume::Volume* after, VolumeAt(generation));
  const std::string name = absl::StrCat("operation ", absl::StrJoin(IdsOf(records), " or "));
  return ParallelFor(static_cast<int64_t>(chunks.size()), options_.threads, [&](int64_t i) -> absl::Status {
    const ChunkPoint chunk = chunks[static_cast<size_t>(i)];
    const Box box = layout.ChunkBox({graph::kSupervoxelLayer, chunk});
    CLEAVE_ASSIGN_OR_RETURN(const Array3<uint64_t> old_labels, before->ReadBox(0, box));
    CLEAVE_ASSIGN_OR_RETURN(const Array3<uint64_t> new_labels, after->ReadBox(0, box));
    const Moves::Tally tally = moves.Compare(old_labels, new_labels);
    findings_.Count(5, Count(box.extent()));
    for (const auto& [pair, voxels] : tally.wrong) {
      findings_.Add({5,
                     absl::StrCat(name, " moved ", voxels, " voxels from id ", pair.first, " to id ", pair.second,
                                  ", which is not what it became"),
                     {pair.first, pair.second},
                     box,
                     std::string(kReportAdvice)});
    }
    for (const NodeId id : fresh) {
      if (layout.Validate(id).ok() && layout.ChunkOf(id).position == chunk && !tally.fresh.contains(Value(id))) {
        findings_.Add({5,
                       absl::StrCat(name, " made the supervoxel ", Value(id), ", which has no voxels"),
                       {Value(id)},
                       box,
                       std::string(kReportAdvice)});
      }
    }
    return absl::OkStatus();
  });
}

namespace {

// The points of one side of a split, and the supervoxels that the log has for them.
struct LoggedSide {
  std::vector<VoxelPoint> points;
  std::vector<NodeId> supervoxels;
};

std::vector<LoggedSide> LoggedSides(const OperationRecord& record) {
  std::vector<LoggedSide> sides = {{record.sources, record.source_supervoxels},
                                   {record.sinks, record.sink_supervoxels}};
  for (const SidePoint& point : record.more_points) {
    sides.resize(std::max(sides.size(), static_cast<size_t>(point.side)));
    sides[static_cast<size_t>(point.side) - 1].points.push_back(point.point);
    sides[static_cast<size_t>(point.side) - 1].supervoxels.push_back(point.supervoxel);
  }
  return sides;
}

// Damaged rows may lead in circles: each is followed once.
absl::Status LoadWithFormers(std::vector<NodeId> supervoxels, NodeHistories& histories) {
  std::set<NodeId> seen;
  while (!supervoxels.empty()) {
    CLEAVE_RETURN_IF_ERROR(histories.Load(supervoxels));
    std::vector<NodeId> formers;
    for (const NodeId supervoxel : supervoxels) {
      const NodeId former = histories.Of(supervoxel).former;
      if (former != NodeId{} && seen.insert(former).second) {
        formers.push_back(former);
      }
    }
    supervoxels = std::move(formers);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<NodeId>> FsckRun::RootsAt(std::span<const NodeId> supervoxels, absl::Time time) {
  absl::StatusOr<std::vector<NodeId>> roots = View(time).Roots(supervoxels);
  if (!absl::IsDataLoss(roots.status())) {
    return roots;
  }
  // A cell on the way cannot be decoded, or leads down: it counts as missing.
  NodeHistories histories(dataset_.layout(), table_, &edited_rows_);
  CLEAVE_RETURN_IF_ERROR(histories.Load(supervoxels));
  roots.emplace();
  for (const NodeId supervoxel : supervoxels) {
    roots->push_back(histories.RootAt(supervoxel, time));
  }
  return roots;
}

absl::StatusOr<bool> FsckRun::AgreesWithLog(const OperationRecord& record, const std::vector<NodeId>& found,
                                            const std::vector<NodeId>& logged) {
  if (found == logged) {
    return true;
  }
  NodeHistories histories(dataset_.layout(), table_, &edited_rows_);
  CLEAVE_RETURN_IF_ERROR(LoadWithFormers(found, histories));
  const Moment moment{record.time, GenerationAt(record.time)};
  return std::ranges::any_of(found, [&](NodeId supervoxel) { return CameBackUnseen(histories, supervoxel, moment); });
}

absl::Status FsckRun::CheckSplitApart(const OperationRecord& record) {
  CLEAVE_ASSIGN_OR_RETURN(const volume::Volume* volume, VolumeAt(GenerationAt(record.time)));
  findings_.Count(6, 1);
  std::map<NodeId, size_t> side_of_root;
  const std::vector<LoggedSide> sides = LoggedSides(record);
  for (size_t side = 0; side < sides.size(); ++side) {
    const auto& [points, supervoxels] = sides[side];
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<uint64_t> labels, volume->ReadVoxels(0, points));
    CLEAVE_ASSIGN_OR_RETURN(const bool agrees, AgreesWithLog(record, graph::ToNodeIds(labels), supervoxels));
    if (!agrees) {
      findings_.Add(
          {6,
           absl::StrCat("the points of split ", Value(record.id), " hold the supervoxels ", absl::StrJoin(labels, ", "),
                        ", its log says ", absl::StrJoin(graph::ToIntegers(supervoxels), ", ")),
           {Value(record.id)},
           std::nullopt,
           std::string(kReportAdvice)});
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> roots, RootsAt(supervoxels, record.time));
    for (const NodeId root : roots) {
      const size_t other = root == NodeId{} ? side : side_of_root.try_emplace(root, side).first->second;
      if (other != side) {
        findings_.Add({6,
                       absl::StrCat("split ", Value(record.id), " left a ", cut::RoleOfTeam(other), " and a ",
                                    cut::RoleOfTeam(side), " in root ", Value(root)),
                       {Value(record.id), Value(root)},
                       std::nullopt,
                       "split the object again"});
      }
    }
  }
  return absl::OkStatus();
}

absl::Status FsckRun::CheckOperations() {
  std::map<uint64_t, std::vector<const OperationRecord*>> by_generation;
  progress_.Begin("operations", static_cast<int64_t>(log_.size()), "operations");
  for (const OperationRecord& record : log_) {
    if (record.status == OperationStatus::kSuccess && record.written_generation.has_value()) {
      by_generation[*record.written_generation].push_back(&record);
    }
    const bool parts_points =
        record.kind == OperationKind::kSplit || (record.kind == OperationKind::kRedo && !record.sources.empty());
    if (record.status == OperationStatus::kSuccess && parts_points) {
      CLEAVE_RETURN_IF_ERROR(CheckSplitApart(record));
    }
    progress_.Advance(1);
  }
  for (const auto& [generation, records] : by_generation) {
    CLEAVE_RETURN_IF_ERROR(CheckMovedVoxels(generation, records));
  }
  CLEAVE_RETURN_IF_ERROR(CheckForeignVoxels());
  progress_.End();
  return absl::OkStatus();
}

}  // namespace cleave::edit
