// The first task of ingest, chunk by chunk: labels become supervoxels.
//
// A supervoxel is one 26-connected piece of one (fused) label inside one chunk; its segment numbers it by first
// appearance in memory order, so ids follow from the labels alone. No chunk needs to know any other. What the next
// task needs of a chunk's neighbours is kept in ChunkSupervoxels: a few bytes for each voxel of the chunk's surface.
//
// An overlay takes supervoxels as they are: the ids of the original, which need be neither consecutive nor connected.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

#include "base/array.h"
#include "graph/ids.h"
#include "ingest/contacts.h"
#include "ingest/label_map.h"

namespace cleave::ingest {

// The supervoxels of one chunk, called by their places in the order of ids, from 1. Place 0 is background.
struct ChunkSupervoxels {
  ChunkPoint position;
  std::vector<graph::NodeId> ids;           // of each place, ascending; the first entry is the background's, 0
  std::vector<uint64_t> labels;             // likewise: what the supervoxel is a piece of
  std::vector<uint64_t> objects;            // likewise
  std::vector<Contact<uint32_t>> contacts;  // inside the chunk, ascending by places
  // The chunk's six outermost planes: faces[axis][0] at the low side, [1] at the high side; extent 1 along the axis.
  std::array<std::array<Array3<uint32_t>, 2>, 3> faces;

  [[nodiscard]] uint32_t count() const { return static_cast<uint32_t>(labels.size()) - 1; }
  [[nodiscard]] std::span<const graph::NodeId> supervoxels() const { return std::span(ids).subspan(1); }
};

// Finds the supervoxels of the chunk at `position`, whose labels are `voxels`, and replaces every label by its
// supervoxel's id. RESOURCE_EXHAUSTED when the chunk has more pieces than ids. REQUIRES: `voxels` has the extent of the
// chunk.
[[nodiscard]] absl::StatusOr<ChunkSupervoxels> MakeSupervoxels(const graph::IdLayout& layout, const LabelMap& label_map,
                                                               ChunkPoint position, ArrayView3<uint64_t> voxels);

// What the supervoxels of an overlay belong to.
struct GivenSupervoxels {
  const LabelMap& label_map;  // the object of each label
  const LabelMap& pieces;     // as "objects": the label of each supervoxel; itself when it is not listed
};

// Takes the supervoxels of the chunk at `position`, whose ids are `voxels`. INVALID_ARGUMENT names the first voxel
// whose value is neither 0 nor the id of a supervoxel in this chunk.
[[nodiscard]] absl::StatusOr<ChunkSupervoxels> TakeSupervoxels(const graph::IdLayout& layout,
                                                               const GivenSupervoxels& given, ChunkPoint position,
                                                               ArrayView3<const uint64_t> voxels);

}  // namespace cleave::ingest
