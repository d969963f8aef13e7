// Finds the edges that a merge makes active.
//
//   1. The edges of the objects around the given pairs of supervoxels, and the pieces that active edges hold together
//      there.
//   2. A pair of two objects: inactive edges between the two pieces, if there are any, take its place: the objects
//      touch, and were parted (or never joined) there. Else the pair gets an edge of its own, a fake one.
//   3. A pair of one object: the pair itself, as a stored edge if it has one, else as a fake one.
#pragma once

#include <span>
#include <vector>

#include "absl/status/statusor.h"

#include "base/geometry.h"
#include "base/stages.h"
#include "edit/draft.h"
#include "graph/edges.h"
#include "graph/ids.h"

namespace cleave::edit {

// A pair of supervoxels to be joined, and their roots.
struct MergePair {
  graph::EdgeEnds ends;
  graph::EdgeEnds roots;
};

struct MergeEdges {
  std::vector<graph::EdgeEnds> active;  // to be made active, ends sorted, each once, ascending
  std::vector<graph::EdgeEnds> fake;    // those of them that have to be stored first
};

// `around`: the box of what a user marked, in voxels; it is grown by the field's margin. FAILED_PRECONDITION when an
// active edge joins a pair already.
[[nodiscard]] absl::StatusOr<MergeEdges> FindMergeEdges(const Draft& draft, std::span<const MergePair> pairs,
                                                        const Box& around, Stages& stages);

}  // namespace cleave::edit
