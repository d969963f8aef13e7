// Node ids and the chunk lattice they name.
//
// An id is 64 bits, most significant first (source: the chunked-graph id layout used throughout the field):
//
//   | layer : 8 | x : b(L) | y : b(L) | z : b(L) | segment : the rest |
//
// with b(L) = max(1, layer_count - L) for L >= 3 and b(1) = b(2) = max(10, layer_count - 2). Layer 1 are supervoxels,
// layer 2 the connected pieces inside a chunk, the top layer are roots. Layers 1 and 2 share one lattice of chunks; the
// chunks of layer L >= 3 are 2^(L-2) times as large on each axis. The lattice starts at the volume's lower corner, not
// at zero. Ids of one chunk are consecutive integers. Id 0 is never a node: it means "no node", and background in
// voxels.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "base/geometry.h"

namespace cleave::graph {

enum class NodeId : uint64_t {};       // a node of any layer
enum class OperationId : uint64_t {};  // one edit; 0 means none
enum class Segment : uint64_t {};      // the number of a node inside its chunk, from 1

[[nodiscard]] constexpr uint64_t Value(NodeId id) { return static_cast<uint64_t>(id); }
[[nodiscard]] constexpr uint64_t Value(OperationId id) { return static_cast<uint64_t>(id); }
[[nodiscard]] constexpr uint64_t Value(Segment segment) { return static_cast<uint64_t>(segment); }
[[nodiscard]] std::string ToString(NodeId id);
[[nodiscard]] std::string ToString(OperationId id);
[[nodiscard]] std::vector<uint64_t> ToIntegers(const std::vector<NodeId>& ids);
[[nodiscard]] std::vector<NodeId> ToNodeIds(const std::vector<uint64_t>& values);

// One chunk of one layer.
struct ChunkAddress {
  int layer = 0;
  ChunkPoint position;
  friend constexpr auto operator<=>(const ChunkAddress&, const ChunkAddress&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const ChunkAddress& a) {
    return H::combine(std::move(state), a.layer, a.position);
  }
};

inline constexpr int kSupervoxelLayer = 1;
inline constexpr int kL2Layer = 2;

// The lattice and the bits of one graph. Immutable; copy it, share it between threads.
class IdLayout {
 public:
  // INVALID_ARGUMENT when the volume is empty, a chunk size is not positive, or the ids do not fit 64 bits.
  [[nodiscard]] static absl::StatusOr<IdLayout> Create(const Box& volume, Extent3 chunk_size);

  [[nodiscard]] const Box& volume() const { return volume_; }
  [[nodiscard]] Extent3 chunk_size() const { return chunk_size_; }
  // The top layer, where the roots are.
  [[nodiscard]] int layer_count() const { return layer_count_; }
  // Bits an axis takes in the ids of a layer. REQUIRES: 1 <= layer <= layer_count().
  [[nodiscard]] int SpatialBits(int layer) const;
  // Chunks along each axis. REQUIRES: 1 <= layer <= layer_count().
  [[nodiscard]] ChunkPoint ChunkCounts(int layer) const;
  // The largest segment an id of this layer can hold.
  [[nodiscard]] Segment SegmentLimit(int layer) const;

  // REQUIRES: the address lies inside the lattice and the segment within its limit.
  [[nodiscard]] NodeId MakeNode(const ChunkAddress& chunk, Segment segment) const;
  // The id with segment 0: the field's "chunk id".
  [[nodiscard]] NodeId ChunkIdOf(NodeId id) const;
  [[nodiscard]] int LayerOf(NodeId id) const { return static_cast<int>(Value(id) >> 56); }
  [[nodiscard]] ChunkAddress ChunkOf(NodeId id) const;
  [[nodiscard]] Segment SegmentOf(NodeId id) const;
  // INVALID_ARGUMENT, saying why, unless `id` names a possible node: layer, chunk inside the lattice, segment > 0.
  [[nodiscard]] absl::Status Validate(NodeId id) const;

  // The chunk of layer 1 or 2 that holds a voxel. REQUIRES: the voxel lies inside the volume.
  [[nodiscard]] ChunkPoint ChunkAt(VoxelPoint voxel) const;
  // The voxels of a chunk, clipped to the volume.
  [[nodiscard]] Box ChunkBox(const ChunkAddress& chunk) const;
  // The chunk of a higher layer that holds this one. REQUIRES: layer >= chunk.layer.
  [[nodiscard]] ChunkAddress AncestorChunk(const ChunkAddress& chunk, int layer) const;
  // The chunks one layer below, inside the lattice. Layer 3 has children in layer 2; layer 2 has itself in layer 1.
  [[nodiscard]] std::vector<ChunkAddress> ChildChunks(const ChunkAddress& chunk) const;
  // All chunks of layer 2 that overlap `box` (clipped to the volume), x fastest.
  [[nodiscard]] std::vector<ChunkPoint> ChunksOverlapping(const Box& box) const;
  // `box` grown outwards to whole chunks, then clipped to the volume.
  [[nodiscard]] Box AlignToChunks(const Box& box) const;

  // The layer of an edge between two supervoxels (or L2 nodes): 1 inside one chunk, else the highest layer at which
  // the ends are still in different chunks. A common parent at the next layer realises the edge.
  [[nodiscard]] int EdgeLayer(NodeId a, NodeId b) const;

 private:
  IdLayout() = default;

  Box volume_;
  Extent3 chunk_size_;
  int layer_count_ = 0;
};

}  // namespace cleave::graph
