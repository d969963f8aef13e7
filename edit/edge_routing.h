// Gives the edges of supervoxels that were cut to their fragments.
#pragma once

#include <span>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"

#include "base/geometry.h"
#include "edit/fragment_contacts.h"
#include "edit/voxel_split.h"
#include "graph/edges.h"
#include "graph/ids.h"

namespace cleave::edit {

// The affinity between two fragments that a cut has parted: low, so that a graph cut takes it, but enough to join them
// again (source: the field's value for edges between the parts of one supervoxel).
inline constexpr float kPartedAffinity = 0.001F;

// An edge and whether its ends were (and so far are) held together by it.
struct RoutedEdge {
  graph::Edge edge;
  bool active = false;
};

// `old_edges`: every edge with an end among the supervoxels that were cut. `pieces`: the whole family in the region, as
// it was before. The rules, in order:
//
//   1. An infinite edge inside the family goes to the fragments that touch there across the chunk border. It stays
//      infinite between one side and itself, and towards a supervoxel outside the region, whose side nobody knows;
//      between two sides it becomes a low, finite edge. An end that touches nothing takes the nearest fragment of its
//      side.
//   2. Any other edge goes to every fragment that touches the partner, affinity and area shared by contact area. Where
//      none touches, it goes whole to the fragment nearest to the partner (in nm, between boxes of voxels).
//   3. Two fragments of different sides that share a face get a low, finite edge with that area.
//
// Every edge between one pair of ends is given once. DATA_LOSS when voxels cannot be read.
[[nodiscard]] absl::StatusOr<std::vector<RoutedEdge>> RouteEdges(const PlannedVolume& planned,
                                                                 const graph::IdLayout& layout,
                                                                 VoxelSizeNm voxel_size_nm, const VoxelSplit& split,
                                                                 const FragmentContacts& contacts,
                                                                 std::span<const RoutedEdge> old_edges);

}  // namespace cleave::edit
