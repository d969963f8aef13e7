#include "ingest/supervoxels.h"

#include <algorithm>
#include <cassert>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
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

void FindContacts(ArrayView3<const uint32_t> segments, ChunkSupervoxels& chunk) {
  ContactCounter<uint32_t> contacts;
  contacts.AddInside(segments);
  chunk.contacts = contacts.Take();
  CopyFaces(segments, chunk);
}

// Calls visit(value, x of the first voxel, y, z, count) for every run of equal values along x.
template <typename Visit>
absl::Status ForEachRun(ArrayView3<const uint64_t> voxels, Visit visit) {
  const Extent3 extent = voxels.extent();
  for (int64_t z = 0; z < extent.z; ++z) {
    for (int64_t y = 0; y < extent.y; ++y) {
      const uint64_t* row = voxels.Row(y, z);
      for (int64_t x = 0; x < extent.x;) {
        int64_t end = x + 1;
        while (end < extent.x && row[end] == row[x]) {
          ++end;
        }
        CLEAVE_RETURN_IF_ERROR(visit(row[x], VoxelPoint{x, y, z}, end - x));
        x = end;
      }
    }
  }
  return absl::OkStatus();
}

absl::Status CheckId(const graph::IdLayout& layout, ChunkPoint position, uint64_t value, VoxelPoint inside) {
  const NodeId id{value};
  absl::Status valid = layout.Validate(id);
  if (valid.ok() && layout.LayerOf(id) != graph::kSupervoxelLayer) {
    valid = absl::InvalidArgumentError(absl::StrCat("it is a node of layer ", layout.LayerOf(id)));
  }
  if (valid.ok() && layout.ChunkOf(id).position != position) {
    valid = absl::InvalidArgumentError(absl::StrCat("it names chunk ", ToString(layout.ChunkOf(id).position)));
  }
  if (valid.ok()) {
    return valid;
  }
  const VoxelPoint voxel = layout.ChunkBox({graph::kSupervoxelLayer, position}).lo + inside;
  return absl::InvalidArgumentError(
      absl::StrCat("voxel ", ToString(voxel), " has the value ", value, ", which is no supervoxel id of the chunk ",
                   ToString(position), " that it lies in, for chunks of ", ToString(layout.chunk_size()),
                   " voxels: ", valid.message(),
                   ". An overlay reads voxels where they are, so they must be supervoxel ids already (layer 1, chunk, "
                   "segment); make "
                   "a copy of plain labels, or give the chunk size with which the ids were made"));
}

}  // namespace

// 1. One pass over runs collects the distinct ids and checks each once. 2. Their order gives the places. 3. A second
// pass writes the places.
absl::StatusOr<ChunkSupervoxels> TakeSupervoxels(const graph::IdLayout& layout, const GivenSupervoxels& given,
                                                 ChunkPoint position, ArrayView3<const uint64_t> voxels) {
  assert(voxels.extent() == layout.ChunkBox({graph::kSupervoxelLayer, position}).extent());
  ChunkSupervoxels chunk;
  chunk.position = position;
  absl::flat_hash_map<uint64_t, uint32_t> place_of = {{0, 0}};
  CLEAVE_RETURN_IF_ERROR(ForEachRun(voxels, [&](uint64_t value, VoxelPoint inside, int64_t) {
    return place_of.try_emplace(value).second ? CheckId(layout, position, value, inside) : absl::OkStatus();
  }));
  for (const auto& [value, place] : place_of) {
    chunk.ids.push_back(NodeId{value});
  }
  std::ranges::sort(chunk.ids);
  for (size_t place = 0; place < chunk.ids.size(); ++place) {
    const uint64_t id = Value(chunk.ids[place]);
    place_of[id] = static_cast<uint32_t>(place);
    chunk.labels.push_back(given.pieces.Object(id));
    chunk.objects.push_back(given.label_map.Object(chunk.labels.back()));
  }
  Array3<uint32_t> places(voxels.extent());
  CLEAVE_RETURN_IF_ERROR(ForEachRun(voxels, [&](uint64_t value, VoxelPoint inside, int64_t count) {
    std::fill_n(places.view().Row(inside.y, inside.z) + inside.x, count, place_of.at(value));
    return absl::OkStatus();
  }));
  FindContacts(places.view(), chunk);
  return chunk;
}

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
  chunk.ids.push_back(NodeId{0});
  for (uint64_t segment = 1; segment <= count; ++segment) {
    chunk.ids.push_back(NodeId{Value(chunk_id) + segment});
  }
  chunk.objects.resize(chunk.labels.size());
  std::ranges::transform(chunk.labels, chunk.objects.begin(), [&](uint64_t l) { return label_map.Object(l); });
  FindContacts(segments.view(), chunk);
  return chunk;
}

}  // namespace cleave::ingest
