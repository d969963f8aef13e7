// The second task of ingest, chunk by chunk: supervoxels that touch get edges.
//
// Inside a chunk, and between chunks, two supervoxels of different labels that share voxel faces get one edge: its area
// counts the faces, its affinity is their area in square micrometres. Pieces of one label in neighbouring chunks that
// touch (26-adjacent, so also across the edges and corners of chunks) get one `cross` edge.
//
// An edge is active when the graph holds its ends together: always for `cross`, else when both belong to one object.
#pragma once

#include <array>
#include <vector>

#include "base/geometry.h"
#include "graph/edges.h"
#include "graph/ids.h"
#include "ingest/supervoxels.h"

namespace cleave::ingest {

// A chunk and those around it; nullptr where the volume ends.
class Neighbourhood {
 public:
  // `offset` is -1, 0 or 1 along each axis.
  [[nodiscard]] const ChunkSupervoxels* At(ChunkPoint offset) const { return chunks_[Index(offset)]; }
  void Set(ChunkPoint offset, const ChunkSupervoxels* chunk) { chunks_[Index(offset)] = chunk; }
  // REQUIRES: the middle is set.
  [[nodiscard]] const ChunkSupervoxels& middle() const { return *At({0, 0, 0}); }

 private:
  static size_t Index(ChunkPoint offset) {
    return static_cast<size_t>(offset.x + 1 + 3 * (offset.y + 1) + 9 * (offset.z + 1));
  }
  std::array<const ChunkSupervoxels*, 27> chunks_ = {};
};

// The edges of one chunk, and which of them are active. All lists ascend by (node1, node2); in edges have the smaller
// id first, all others the id in this chunk.
struct AtomicEdges {
  graph::ChunkEdges all;
  std::vector<graph::EdgeEnds> active_inside;
  std::vector<graph::EdgeEnds> active_leaving;
};

// The edges of the middle chunk. The same edge comes out of both its chunks with the same weights.
[[nodiscard]] AtomicEdges MakeEdges(const VoxelSizeNm& voxel_size_nm, const Neighbourhood& neighbourhood);

}  // namespace cleave::ingest
