// Where the fragments of a voxel cut touch: each other, and everything around them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"

#include "edit/voxel_split.h"
#include "graph/edges.h"
#include "graph/ids.h"

namespace cleave::edit {

struct FragmentContacts {
  // Voxel faces shared by a fragment and any other supervoxel, by the axis normal to the face; ends sorted.
  absl::flat_hash_map<graph::EdgeEnds, std::array<int64_t, 3>> faces;
  // Pairs of a fragment and a supervoxel of another chunk that touch by a face, an edge or a corner; ends sorted.
  absl::flat_hash_set<graph::EdgeEnds> across;

  // All faces of a pair; 0 when it does not touch.
  [[nodiscard]] uint64_t FaceCount(graph::EdgeEnds ends) const;
};

// Looks at the changed boxes and one voxel around them, in the planned segmentation. Uses several threads.
[[nodiscard]] absl::StatusOr<FragmentContacts> FindContacts(const PlannedVolume& planned, const graph::IdLayout& layout,
                                                            const VoxelSplit& split);

}  // namespace cleave::edit
