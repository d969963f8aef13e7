#include "ingest/chunk_lots.h"

#include <algorithm>

namespace cleave::ingest {

constexpr int64_t kVoxelsOfALot = int64_t{1} << 24;

ChunkLots::ChunkLots(const graph::IdLayout& layout, int64_t chunks_per_job)
    : lattice_(layout.ChunkCounts(graph::kL2Layer)) {
  lots_.items = lattice_.x * lattice_.y * lattice_.z;
  const int64_t voxels = Count(layout.ChunkBox({graph::kL2Layer, {}}).extent());
  const int64_t chosen = chunks_per_job == 0 ? kVoxelsOfALot / std::max<int64_t>(voxels, 1) : chunks_per_job;
  lots_.size = std::max({chosen, (lots_.items + kJobsMax - 1) / kJobsMax, int64_t{1}});
}

ChunkPoint ChunkLots::Chunk(int64_t index) const {
  return {index % lattice_.x, index / lattice_.x % lattice_.y, index / (lattice_.x * lattice_.y)};
}

std::vector<ChunkPoint> ChunkLots::ChunksOf(int64_t lot) const {
  std::vector<ChunkPoint> chunks;
  for (int64_t i = lots_.begin(lot); i < lots_.end(lot); ++i) {
    chunks.push_back(Chunk(i));
  }
  return chunks;
}

int64_t ChunkLots::IndexOf(ChunkPoint chunk) const { return chunk.x + lattice_.x * (chunk.y + lattice_.y * chunk.z); }

}  // namespace cleave::ingest
