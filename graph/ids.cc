#include "graph/ids.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cleave::graph {
namespace {

constexpr int kLayerBits = 8;
constexpr int kLeastSpatialBits = 10;
constexpr int kLeastSegmentBits = 16;

// ceil(log2(count)) by integers. REQUIRES: count >= 1.
int CeilLog2(int64_t count) {
  int log = 0;
  while ((int64_t{1} << log) < count) {
    ++log;
  }
  return log;
}

// How many layer-2 chunks one chunk of `layer` spans on each axis, as a power of two.
int SpanLog2(int layer) { return std::max(layer - kL2Layer, 0); }

}  // namespace

std::string ToString(NodeId id) { return absl::StrCat(Value(id)); }
std::string ToString(OperationId id) { return absl::StrCat(Value(id)); }

std::vector<uint64_t> ToIntegers(const std::vector<NodeId>& ids) {
  std::vector<uint64_t> values(ids.size());
  std::ranges::transform(ids, values.begin(), [](NodeId id) { return Value(id); });
  return values;
}

std::vector<NodeId> ToNodeIds(const std::vector<uint64_t>& values) {
  std::vector<NodeId> ids(values.size());
  std::ranges::transform(values, ids.begin(), [](uint64_t value) { return NodeId{value}; });
  return ids;
}

absl::StatusOr<IdLayout> IdLayout::Create(const Box& volume, Extent3 chunk_size) {
  if (volume.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("the volume ", cleave::ToString(volume), " is empty"));
  }
  if (chunk_size.x <= 0 || chunk_size.y <= 0 || chunk_size.z <= 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("chunk size ", cleave::ToString(chunk_size), " must be positive on every axis"));
  }
  IdLayout layout;
  layout.volume_ = volume;
  layout.chunk_size_ = chunk_size;
  int64_t most_chunks = 1;
  for (int axis = 0; axis < 3; ++axis) {
    most_chunks = std::max(most_chunks, CeilDivide(volume.extent()[axis], chunk_size[axis]));
  }
  layout.layer_count_ = CeilLog2(most_chunks) + 2;
  if (layout.layer_count_ < 3) {
    layout.layer_count_ = 3;  // a volume of one chunk still has roots above its L2 nodes
  }
  if (64 - kLayerBits - 3 * layout.SpatialBits(kL2Layer) < kLeastSegmentBits) {
    return absl::InvalidArgumentError(
        absl::StrCat("chunk size ", cleave::ToString(chunk_size), " makes ", most_chunks,
                     " chunks along one axis, too many for 64-bit ids; use larger chunks"));
  }
  return layout;
}

int IdLayout::SpatialBits(int layer) const {
  assert(layer >= kSupervoxelLayer && layer <= layer_count_);
  return layer <= kL2Layer ? std::max(kLeastSpatialBits, layer_count_ - kL2Layer) : std::max(1, layer_count_ - layer);
}

ChunkPoint IdLayout::ChunkCounts(int layer) const {
  ChunkPoint counts;
  for (int axis = 0; axis < 3; ++axis) {
    const int64_t chunks = CeilDivide(volume_.extent()[axis], chunk_size_[axis]);
    counts[axis] = CeilDivide(chunks, int64_t{1} << SpanLog2(layer));
  }
  return counts;
}

Segment IdLayout::SegmentLimit(int layer) const {
  return Segment{(uint64_t{1} << (64 - kLayerBits - 3 * SpatialBits(layer))) - 1};
}

NodeId IdLayout::MakeNode(const ChunkAddress& chunk, Segment segment) const {
  const int bits = SpatialBits(chunk.layer);
  const ChunkPoint counts = ChunkCounts(chunk.layer);
  uint64_t id = static_cast<uint64_t>(chunk.layer);
  for (int axis = 0; axis < 3; ++axis) {
    assert(chunk.position[axis] >= 0 && chunk.position[axis] < counts[axis]);
    id = id << bits | static_cast<uint64_t>(chunk.position[axis]);
  }
  assert(Value(segment) <= Value(SegmentLimit(chunk.layer)));
  return NodeId{id << (64 - kLayerBits - 3 * bits) | Value(segment)};
}

NodeId IdLayout::ChunkIdOf(NodeId id) const { return NodeId{Value(id) & ~Value(SegmentLimit(LayerOf(id)))}; }

ChunkAddress IdLayout::ChunkOf(NodeId id) const {
  ChunkAddress chunk{LayerOf(id), {}};
  const int bits = SpatialBits(chunk.layer);
  const uint64_t mask = (uint64_t{1} << bits) - 1;
  for (int axis = 0; axis < 3; ++axis) {
    chunk.position[axis] = static_cast<int64_t>(Value(id) >> (64 - kLayerBits - (axis + 1) * bits) & mask);
  }
  return chunk;
}

Segment IdLayout::SegmentOf(NodeId id) const { return Segment{Value(id) & Value(SegmentLimit(LayerOf(id)))}; }

absl::Status IdLayout::Validate(NodeId id) const {
  const int layer = LayerOf(id);
  if (layer < kSupervoxelLayer || layer > layer_count_) {
    return absl::InvalidArgumentError(absl::StrCat("id ", Value(id), " is not a node: its layer is ", layer,
                                                   ", this graph has layers 1 to ", layer_count_));
  }
  const ChunkAddress chunk = ChunkOf(id);
  const ChunkPoint counts = ChunkCounts(layer);
  for (int axis = 0; axis < 3; ++axis) {
    if (chunk.position[axis] >= counts[axis]) {
      return absl::InvalidArgumentError(
          absl::StrCat("id ", Value(id), " is not a node: its chunk ", cleave::ToString(chunk.position), " of layer ",
                       layer, " lies outside the graph's ", cleave::ToString(counts), " chunks"));
    }
  }
  if (Value(SegmentOf(id)) == 0) {
    return absl::InvalidArgumentError(absl::StrCat("id ", Value(id), " names a chunk, not a node"));
  }
  return absl::OkStatus();
}

ChunkPoint IdLayout::ChunkAt(VoxelPoint voxel) const {
  assert(volume_.Contains(voxel));
  const VoxelPoint local = voxel - volume_.lo;
  return {local.x / chunk_size_.x, local.y / chunk_size_.y, local.z / chunk_size_.z};
}

Box IdLayout::ChunkBox(const ChunkAddress& chunk) const {
  Box box;
  for (int axis = 0; axis < 3; ++axis) {
    const int64_t size = chunk_size_[axis] << SpanLog2(chunk.layer);
    box.lo[axis] = volume_.lo[axis] + chunk.position[axis] * size;
    box.hi[axis] = box.lo[axis] + size;
  }
  return Intersect(box, volume_);
}

ChunkAddress IdLayout::AncestorChunk(const ChunkAddress& chunk, int layer) const {
  assert(layer >= chunk.layer && layer <= layer_count_);
  if (layer == layer_count_) {
    return {layer, {}};
  }
  const int shift = SpanLog2(layer) - SpanLog2(chunk.layer);
  return {layer, {chunk.position.x >> shift, chunk.position.y >> shift, chunk.position.z >> shift}};
}

std::vector<ChunkAddress> IdLayout::ChildChunks(const ChunkAddress& chunk) const {
  if (chunk.layer <= kSupervoxelLayer) {
    return {};
  }
  if (chunk.layer == kL2Layer) {
    return {{kSupervoxelLayer, chunk.position}};
  }
  const int layer = chunk.layer - 1;
  const ChunkPoint counts = ChunkCounts(layer);
  std::vector<ChunkAddress> children;
  for (int64_t z = 2 * chunk.position.z; z < std::min(2 * chunk.position.z + 2, counts.z); ++z) {
    for (int64_t y = 2 * chunk.position.y; y < std::min(2 * chunk.position.y + 2, counts.y); ++y) {
      for (int64_t x = 2 * chunk.position.x; x < std::min(2 * chunk.position.x + 2, counts.x); ++x) {
        children.push_back({layer, {x, y, z}});
      }
    }
  }
  return children;
}

std::vector<ChunkPoint> IdLayout::ChunksOverlapping(const Box& box) const {
  const Box clipped = Intersect(box, volume_);
  std::vector<ChunkPoint> chunks;
  if (clipped.empty()) {
    return chunks;
  }
  const ChunkPoint first = ChunkAt(clipped.lo);
  const ChunkPoint last = ChunkAt(clipped.hi - Extent3{1, 1, 1});
  for (int64_t z = first.z; z <= last.z; ++z) {
    for (int64_t y = first.y; y <= last.y; ++y) {
      for (int64_t x = first.x; x <= last.x; ++x) {
        chunks.push_back({x, y, z});
      }
    }
  }
  return chunks;
}

Box IdLayout::AlignToChunks(const Box& box) const {
  const Box clipped = Intersect(box, volume_);
  if (clipped.empty()) {
    return clipped;
  }
  return Envelope(ChunkBox({kL2Layer, ChunkAt(clipped.lo)}),
                  ChunkBox({kL2Layer, ChunkAt(clipped.hi - Extent3{1, 1, 1})}));
}

int IdLayout::EdgeLayer(NodeId a, NodeId b) const {
  const ChunkPoint p = ChunkOf(a).position;
  const ChunkPoint q = ChunkOf(b).position;
  const auto differing = static_cast<uint64_t>((p.x ^ q.x) | (p.y ^ q.y) | (p.z ^ q.z));
  return 1 + static_cast<int>(std::bit_width(differing));
}

}  // namespace cleave::graph
