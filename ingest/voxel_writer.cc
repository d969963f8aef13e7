#include "ingest/voxel_writer.h"

#include <utility>

#include "base/status.h"
#include "ocdbt/bulk_writer.h"
#include "volume/volume.h"

namespace cleave::ingest {

struct VoxelWriter::State {
  volume::Volume& volume;
  std::unique_ptr<ocdbt::BulkWriter> bulk;
};

VoxelWriter::VoxelWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
VoxelWriter::~VoxelWriter() = default;

absl::StatusOr<std::unique_ptr<VoxelWriter>> VoxelWriter::Create(graph::Dataset& dataset) {
  CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<ocdbt::BulkWriter> bulk, ocdbt::BulkWriter::Create(dataset.database()));
  return std::unique_ptr<VoxelWriter>(
      new VoxelWriter(std::make_unique<State>(State{dataset.segmentation(), std::move(bulk)})));
}

absl::Status VoxelWriter::Write(const Box& box, ArrayView3<const uint64_t> ids, StepClock& clock) {
  const volume::ChunkGrid& grid = state_->volume.grid(0);
  for (const ChunkPoint chunk : grid.ChunksOver(box)) {
    const Box chunk_box = grid.BoxOf(chunk);
    const ArrayView3<const uint64_t> voxels = ids.Crop({chunk_box.lo - box.lo, chunk_box.hi - box.lo});
    CLEAVE_ASSIGN_OR_RETURN(const store::KeyedWrite write, clock.Time(Step::kEncodeVoxels, [&] {
      return state_->volume.EncodeChunkWrite(0, chunk, voxels, std::nullopt);
    }));
    // A chunk of background has no key, and the base is new: there is none to delete.
    if (write.value.has_value()) {
      CLEAVE_RETURN_IF_ERROR(
          clock.Time(Step::kWriteVoxels, [&] { return state_->bulk->Put(write.key, *write.value); }));
    }
  }
  return absl::OkStatus();
}

absl::Status VoxelWriter::Finish() { return state_->bulk->Finish().status(); }

}  // namespace cleave::ingest
