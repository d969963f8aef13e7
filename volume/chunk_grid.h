// The lattice of chunks that stores one scale. It starts at the volume's first voxel, not at zero, and its last chunk
// along an axis ends where the volume ends.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "base/geometry.h"

namespace cleave::volume {

// A plain value. REQUIRES (of every call): `chunk_size` positive on every axis, `bounds` not empty.
struct ChunkGrid {
  Box bounds;          // all voxels of the scale
  Extent3 chunk_size;  // voxels of a chunk that no end clips

  friend bool operator==(const ChunkGrid&, const ChunkGrid&) = default;

  // Chunks along each axis.
  [[nodiscard]] Extent3 count() const;
  [[nodiscard]] bool Contains(ChunkPoint chunk) const;
  // The chunk that holds a voxel. A voxel outside of `bounds` gets the chunk it would be in if the lattice went on.
  [[nodiscard]] ChunkPoint ChunkOf(VoxelPoint point) const;
  // The voxels of a chunk, clipped to `bounds`.
  [[nodiscard]] Box BoxOf(ChunkPoint chunk) const;
  // Every chunk that shares a voxel with `box`, x fastest.
  [[nodiscard]] std::vector<ChunkPoint> ChunksOver(const Box& box) const;
  // The last part of a chunk's key: "x0-x1_y0-y1_z0-z1", the corners of BoxOf in decimal.
  [[nodiscard]] std::string ChunkName(ChunkPoint chunk) const;
};

}  // namespace cleave::volume
