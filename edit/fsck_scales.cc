// Invariant 8: each coarser scale against the scale below it, block by block. Where each is the downsample of the one
// below, all are that of the finest.
#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/parallel.h"
#include "base/status.h"
#include "edit/event_index.h"
#include "edit/fsck_checks.h"
#include "graph/scales.h"
#include "volume/pyramid_blocks.h"

namespace cleave::edit {
namespace {

constexpr int64_t kScalesMemoryBytes = int64_t{256} << 20;

}  // namespace

// The voxels over which workers have not caught up: those of events that the group has not acknowledged, and of
// operations that were taken back.
absl::StatusOr<std::vector<Box>> FsckRun::WaitingBoxes() const {
  CLEAVE_ASSIGN_OR_RETURN(const absl::Time acknowledged, ReadAcknowledged(table_, kDownsampleGroup));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<graph::OperationId> reverted, ListRevertedVoxels(table_));
  std::vector<Box> boxes(overlay_.changed.begin(), overlay_.changed.end());
  for (const OperationRecord& record : log_) {
    const bool waits = record.status == OperationStatus::kSuccess && record.time > acknowledged;
    if (waits || std::ranges::count(reverted, record.id) > 0) {
      boxes.insert(boxes.end(), record.changed_boxes.begin(), record.changed_boxes.end());
    }
  }
  return boxes;
}

absl::Status FsckRun::CheckScales() {
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<absl::Time> filled, graph::ReadScalesFilled(table_));
  if (!filled.has_value()) {
    return absl::OkStatus();
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<Box> waiting, WaitingBoxes());
  CLEAVE_ASSIGN_OR_RETURN(const volume::Volume* const newest, VolumeAt(span_.newest));
  CLEAVE_ASSIGN_OR_RETURN(
      const volume::PyramidBlocks blocks,
      volume::PyramidBlocks::Create(newest->info(), kScalesMemoryBytes / std::max(1, options_.threads)));
  std::vector<volume::PyramidBlock> todo;
  for (int tier = 0; tier < blocks.tier_count(); ++tier) {
    for (const ChunkPoint position : blocks.BlocksOver(tier, std::nullopt)) {
      todo.push_back({tier, position});
    }
  }
  progress_.Begin("coarser scales", static_cast<int64_t>(todo.size()), "blocks");
  const auto check = [&](int64_t i) -> absl::Status {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<volume::ScalePart> parts,
                            blocks.Downsample(*newest, todo[static_cast<size_t>(i)], std::nullopt));
    for (const volume::ScalePart& part : parts) {
      const volume::ChunkGrid& grid = newest->grid(part.scale);
      const std::vector<ChunkPoint> chunks = grid.ChunksOver(part.box);
      findings_.Count(8, std::ssize(chunks));
      CLEAVE_ASSIGN_OR_RETURN(const std::vector<store::KeyedWrite> differ, volume::CompareWithStored(*newest, part));
      for (const ChunkPoint chunk : chunks) {
        const Box box = grid.BoxOf(chunk);
        const bool waits = std::ranges::any_of(
            waiting, [&](const Box& changed) { return !Intersect(blocks.AtScale(changed, part.scale), box).empty(); });
        const std::string key = newest->ChunkKey(part.scale, chunk);
        if (!waits && std::ranges::count(differ, key, &store::KeyedWrite::key) > 0) {
          findings_.Add({8,
                         absl::StrCat("chunk ", key, " of scale ", part.scale, ", voxels ", ToString(box),
                                      " of that scale, is not the downsample of scale ", part.scale - 1),
                         {},
                         std::nullopt,
                         "run `cleave worker downsample PROJECT --all`"});
        }
      }
    }
    progress_.Advance(1);
    return absl::OkStatus();
  };
  CLEAVE_RETURN_IF_ERROR(ParallelFor(std::ssize(todo), options_.threads, check));
  progress_.End();
  return absl::OkStatus();
}

}  // namespace cleave::edit
