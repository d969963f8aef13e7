#include "ingest/coarse_scales.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/crash_point.h"
#include "base/parallel.h"
#include "base/status.h"
#include "graph/scales.h"
#include "ocdbt/bulk_writer.h"
#include "volume/pyramid_blocks.h"
#include "volume/volume.h"

namespace cleave::ingest {
namespace {

constexpr int64_t kMemoryBytes = int64_t{512} << 20;  // for all threads together

absl::Status FillTier(const Workplace& workplace, const volume::PyramidBlocks& blocks, int tier) {
  const volume::Volume& volume = workplace.dataset.segmentation();
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<ocdbt::BulkWriter> bulk,
                          ocdbt::BulkWriter::Create(workplace.dataset.database()));
  const std::vector<ChunkPoint> positions = blocks.BlocksOver(tier, std::nullopt);
  const auto fill = [&](int64_t i) -> absl::Status {
    const volume::PyramidBlock block{tier, positions[static_cast<size_t>(i)]};
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<volume::ScalePart> parts, blocks.Downsample(volume, block, std::nullopt));
    for (const volume::ScalePart& part : parts) {
      CLEAVE_RETURN_IF_ERROR(PutChunks(
          volume, part, [&](absl::string_view key, absl::string_view value) { return bulk->Put(key, value); }));
    }
    workplace.progress.Advance(Count(blocks.BoxToRead(block, std::nullopt).extent()));
    return absl::OkStatus();
  };
  CLEAVE_RETURN_IF_ERROR(ParallelFor(static_cast<int64_t>(positions.size()), workplace.threads, fill));
  return bulk->Finish().status();
}

}  // namespace

absl::Status PutChunks(const volume::Volume& volume, const volume::ScalePart& part,
                       absl::FunctionRef<absl::Status(absl::string_view, absl::string_view)> put) {
  const volume::ChunkGrid& grid = volume.grid(part.scale);
  for (const ChunkPoint chunk : grid.ChunksOver(part.box)) {
    const Box box = grid.BoxOf(chunk);
    const ArrayView3<const uint64_t> labels = part.labels.view().Crop({box.lo - part.box.lo, box.hi - part.box.lo});
    CLEAVE_ASSIGN_OR_RETURN(const store::KeyedWrite write,
                            volume.EncodeChunkWrite(part.scale, chunk, labels, std::nullopt));
    if (write.value.has_value()) {
      CLEAVE_RETURN_IF_ERROR(put(write.key, *write.value));
    }
  }
  return absl::OkStatus();
}

absl::Status FillCoarserScales(const Workplace& workplace) {
  graph::Dataset& dataset = workplace.dataset;
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<absl::Time> filled, graph::ReadScalesFilled(dataset.table()));
  if (filled.has_value()) {
    return absl::OkStatus();
  }
  CLEAVE_ASSIGN_OR_RETURN(
      const volume::PyramidBlocks blocks,
      volume::PyramidBlocks::Create(dataset.segmentation().info(), kMemoryBytes / workplace.threads));
  int64_t voxels = 0;
  for (int tier = 0; tier < blocks.tier_count(); ++tier) {
    voxels += Count(blocks.AtScale(std::nullopt, blocks.tier(tier).base).extent());
  }
  workplace.progress.Begin("coarser scales", voxels, "voxels");
  for (int tier = 0; tier < blocks.tier_count(); ++tier) {
    CLEAVE_RETURN_IF_ERROR(
        workplace.clock.Time(Step::kCoarserScales, [&] { return FillTier(workplace, blocks, tier); }));
    CrashPoint("ingest.scales_filled");
  }
  const table::RowMutation rows[] = {graph::ScalesFilledRow(dataset.meta().ingested)};
  CLEAVE_RETURN_IF_ERROR(dataset.ApplyUnsynced(rows));
  workplace.progress.End();
  return absl::OkStatus();
}

}  // namespace cleave::ingest
