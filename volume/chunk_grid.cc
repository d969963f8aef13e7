#include "volume/chunk_grid.h"

#include "absl/strings/str_cat.h"

namespace cleave::volume {

Extent3 ChunkGrid::count() const {
  const Extent3 size = bounds.extent();
  return {CeilDivide(size.x, chunk_size.x), CeilDivide(size.y, chunk_size.y), CeilDivide(size.z, chunk_size.z)};
}

bool ChunkGrid::Contains(ChunkPoint chunk) const {
  const Extent3 chunks = count();
  return chunk.x >= 0 && chunk.x < chunks.x && chunk.y >= 0 && chunk.y < chunks.y && chunk.z >= 0 && chunk.z < chunks.z;
}

ChunkPoint ChunkGrid::ChunkOf(VoxelPoint point) const {
  const VoxelPoint p = point - bounds.lo;
  return {FloorDivide(p.x, chunk_size.x), FloorDivide(p.y, chunk_size.y), FloorDivide(p.z, chunk_size.z)};
}

Box ChunkGrid::BoxOf(ChunkPoint chunk) const {
  const VoxelPoint lo = bounds.lo + VoxelPoint{chunk.x * chunk_size.x, chunk.y * chunk_size.y, chunk.z * chunk_size.z};
  return Intersect(BoxAt(lo, chunk_size), bounds);
}

std::vector<ChunkPoint> ChunkGrid::ChunksOver(const Box& box) const {
  std::vector<ChunkPoint> chunks;
  const Box inside = Intersect(box, bounds);
  if (inside.empty()) {
    return chunks;
  }
  const ChunkPoint first = ChunkOf(inside.lo);
  const ChunkPoint last = ChunkOf(inside.hi - VoxelPoint{1, 1, 1});
  for (int64_t z = first.z; z <= last.z; ++z) {
    for (int64_t y = first.y; y <= last.y; ++y) {
      for (int64_t x = first.x; x <= last.x; ++x) {
        chunks.push_back({x, y, z});
      }
    }
  }
  return chunks;
}

std::string ChunkGrid::ChunkName(ChunkPoint chunk) const {
  const Box box = BoxOf(chunk);
  return absl::StrCat(box.lo.x, "-", box.hi.x, "_", box.lo.y, "-", box.hi.y, "_", box.lo.z, "-", box.hi.z);
}

}  // namespace cleave::volume
