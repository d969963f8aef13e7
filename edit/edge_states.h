// Edges that were recorded some time ago, as they are now.
//
// An edge is recorded by its supervoxels. Where one of them was cut in voxels since, its edges went to its fragments
// (edge_routing.h): the recorded edge is now every edge between what became of its two ends. Where fragments are one
// supervoxel again, because the cut was undone with its ids, an edge between two of them is no more, and is not missed.
#pragma once

#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"

#include "edit/draft.h"
#include "graph/edges.h"
#include "graph/ids.h"

namespace cleave::edit {

struct EdgeStates {
  // As they are now, ends sorted, each once, ascending.
  std::vector<graph::EdgeEnds> active;
  std::vector<graph::EdgeEnds> inactive;
  // Recorded edges, as recorded, that are no edge now, though both of their supervoxels still are what they were.
  std::vector<graph::EdgeEnds> missing;
};

// `edges` must all be of one time, so that none of their supervoxels is a part of another.
[[nodiscard]] absl::StatusOr<EdgeStates> FindEdgeStates(const Draft& draft, std::span<const graph::EdgeEnds> edges);

// What each supervoxel is now: itself, or what it was cut into, again and again; or what it was cut from. Ascending.
[[nodiscard]] absl::StatusOr<absl::flat_hash_map<graph::NodeId, std::vector<graph::NodeId>>> FindParts(
    const Draft& draft, std::span<const graph::NodeId> supervoxels);

}  // namespace cleave::edit
