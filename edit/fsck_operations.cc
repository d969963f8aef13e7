// Invariants 5 and 6, operation by operation.
//
// An operation's voxels are compared with the version before it, in the chunks of its fragments. Operations whose
// commits were joined share a version, and are looked at together.
#include <algorithm>
#include <optional>

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
  explicit Moves(const absl::flat_hash_map<NodeId, NodeId>& former_of) {
    for (const auto& [fragment, former] : former_of) {
      former_of_[Value(fragment)] = Value(former);
      formers_.insert(Value(former));
    }
  }

  struct Tally {
    std::map<std::pair<uint64_t, uint64_t>, int64_t> wrong;  // voxels by label before and after
    absl::flat_hash_set<uint64_t> fragments;                 // that have voxels
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
        if (former_of_.contains(pair.second)) {
          tally.fragments.insert(pair.second);
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
    if (formers_.contains(before)) {
      const auto former = former_of_.find(after);
      return former != former_of_.end() && former->second == before;
    }
    return before == after && !former_of_.contains(after);
  }

  absl::flat_hash_map<uint64_t, uint64_t> former_of_;
  absl::flat_hash_set<uint64_t> formers_;
};

std::vector<uint64_t> IdsOf(const std::vector<const OperationRecord*>& records) {
  std::vector<uint64_t> ids;
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
  NodeHistories histories(layout, table_);
  CLEAVE_RETURN_IF_ERROR(histories.Load(fragments));
  absl::flat_hash_map<NodeId, NodeId> former_of;
  std::vector<ChunkPoint> chunks;
  std::erase_if(fragments, [&](NodeId id) { return !layout.Validate(id).ok(); });
  for (const NodeId fragment : fragments) {
    former_of[fragment] = histories.Of(fragment).former;
    chunks.push_back(layout.ChunkOf(fragment).position);
  }
  std::ranges::sort(chunks);
  chunks.erase(std::ranges::unique(chunks).begin(), chunks.end());
  const Moves moves(former_of);
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
                                  ", which is no fragment of it"),
                     {pair.first, pair.second},
                     box,
                     std::string(kReportAdvice)});
    }
    for (const NodeId fragment : fragments) {
      if (layout.ChunkOf(fragment).position == chunk && !tally.fragments.contains(Value(fragment))) {
        findings_.Add({5,
                       absl::StrCat(name, " made the fragment ", Value(fragment), ", which has no voxels"),
                       {Value(fragment)},
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

}  // namespace

absl::Status FsckRun::CheckSplitApart(const OperationRecord& record) {
  NodeHistories histories(dataset_.layout(), table_);
  CLEAVE_ASSIGN_OR_RETURN(const volume::Volume* volume, VolumeAt(GenerationAt(record.time)));
  findings_.Count(6, 1);
  std::map<NodeId, size_t> side_of_root;
  const std::vector<LoggedSide> sides = LoggedSides(record);
  for (size_t side = 0; side < sides.size(); ++side) {
    const auto& [points, supervoxels] = sides[side];
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<uint64_t> labels, volume->ReadVoxels(0, points));
    if (graph::ToNodeIds(labels) != supervoxels) {
      findings_.Add(
          {6,
           absl::StrCat("the points of split ", Value(record.id), " hold the supervoxels ", absl::StrJoin(labels, ", "),
                        ", its log says ", absl::StrJoin(graph::ToIntegers(supervoxels), ", ")),
           {Value(record.id)},
           std::nullopt,
           std::string(kReportAdvice)});
    }
    CLEAVE_RETURN_IF_ERROR(histories.Load(supervoxels));
    for (const NodeId supervoxel : supervoxels) {
      const NodeId root = histories.RootAt(supervoxel, record.time);
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
    if (record.status == OperationStatus::kSuccess && record.kind == OperationKind::kSplit) {
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
