#include "ingest/supervoxels.h"

#include <algorithm>
#include <cassert>

#include "absl/strings/str_cat.h"

#include "cut/components.h"

namespace cleave::ingest {
namespace {

using graph::NodeId;
using graph::Segment;

// Notes the label of each segment, in order of first appearance, and turns labels into ids.
std::vector<uint64_t> ReplaceLabels(ArrayView3<const uint32_t> segments, NodeId chunk_id, ArrayView3<uint64_t> voxels) {
  std::vector<uint64_t> labels = {0};
  const Extent3 extent = voxels.extent();
  for (int64_t z = 0; z < extent.z; ++z) {
    for (int64_t y = 0; y < extent.y; ++y) {
      const uint32_t* segment = segments.Row(y, z);
      uint64_t* voxel = voxels.Row(y, z);
      for (int64_t x = 0; x < extent.x; ++x) {
        if (segment[x] == labels.size()) {
          labels.push_back(voxel[x]);
        }
        voxel[x] = segment[x] == 0 ? 0 : Value(chunk_id) + segment[x];
      }
    }
  }
  return labels;
}

Array3<uint32_t> CopyPlane(ArrayView3<const uint32_t> segments, const Box& plane) {
  Array3<uint32_t> copy(plane.extent());
  CopyArray(segments.Crop(plane), copy.view());
  return copy;
}

void CopyFaces(ArrayView3<const uint32_t> segments, ChunkSupervoxels& chunk) {
  const Box all = BoxAt({}, segments.extent());
  for (int axis = 0; axis < 3; ++axis) {
    Box low = all;
    low.hi[axis] = 1;
    Box high = all;
    high.lo[axis] = high.hi[axis] - 1;
    chunk.faces[static_cast<size_t>(axis)] = {CopyPlane(segments, low), CopyPlane(segments, high)};
  }
}

}  // namespace

absl::StatusOr<ChunkSupervoxels> MakeSupervoxels(const graph::IdLayout& layout, const LabelMap& label_map,
                                                 ChunkPoint position, ArrayView3<uint64_t> voxels) {
  assert(voxels.extent() == layout.ChunkBox({graph::kSupervoxelLayer, position}).extent());
  label_map.FuseInPlace(voxels);
  Array3<uint32_t> segments(voxels.extent());
  const uint32_t count = cut::LabelComponents<uint64_t>(voxels, segments.view());
  if (count > Value(layout.SegmentLimit(graph::kSupervoxelLayer))) {
    return absl::ResourceExhaustedError(
        absl::StrCat("chunk ", ToString(position), " has ", count, " pieces of labels, more than the ",
                     Value(layout.SegmentLimit(graph::kSupervoxelLayer)), " ids of a chunk; use smaller chunks"));
  }
  ChunkSupervoxels chunk;
  chunk.position = position;
  const NodeId chunk_id = layout.MakeNode({graph::kSupervoxelLayer, position}, Segment{0});
  chunk.labels = ReplaceLabels(segments.view(), chunk_id, voxels);
  assert(chunk.count() == count);
  chunk.objects.resize(chunk.labels.size());
  std::ranges::transform(chunk.labels, chunk.objects.begin(), [&](uint64_t l) { return label_map.Object(l); });
  ContactCounter<uint32_t> contacts;
  contacts.AddInside(segments.view());
  chunk.contacts = contacts.Take();
  CopyFaces(segments.view(), chunk);
  return chunk;
}

}  // namespace cleave::ingest
