#include "edit/painted_points.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "volume/volume.h"

namespace cleave::edit {
namespace {

using graph::NodeId;

absl::Status CheckPaint(const Draft& draft, const Paint& paint, size_t side_count) {
  for (const PaintedBox& painted : paint.boxes) {
    if (painted.box.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("the painted box ", cleave::ToString(painted.box), " is empty"));
    }
    if (painted.side == 0) {
      return absl::InvalidArgumentError("a painted box needs a side: 1 for sources, 2 for sinks, 3 and so on");
    }
  }
  if (const size_t greatest = GreatestSide(paint); greatest > side_count) {
    return absl::InvalidArgumentError(absl::StrCat("side ", greatest, " is painted, but side ", greatest - 1,
                                                   " or one before it has neither points nor paint"));
  }
  const Box envelope = EnvelopeOf(paint);
  if (envelope.empty()) {
    return absl::InvalidArgumentError("the painted array is empty");
  }
  if (Count(envelope.extent()) > kPaintedBoxVoxelsMax) {
    return absl::InvalidArgumentError(absl::StrCat("the paint covers ", cleave::ToString(envelope), ", more than ",
                                                   kPaintedBoxVoxelsMax, " voxels; paint near the cut only"));
  }
  const Box& volume = draft.dataset().meta().volume;
  if (!volume.Contains(envelope)) {
    return absl::OutOfRangeError(absl::StrCat("the paint covers ", cleave::ToString(envelope),
                                              ", which leaves the volume ", cleave::ToString(volume)));
  }
  return absl::OkStatus();
}

// Calls visit(place in the envelope, side, label) for every painted voxel that is not background.
template <typename Visit>
void ForEachPainted(const Array3<uint8_t>& sides, const Array3<uint64_t>& labels, Visit visit) {
  for (int64_t z = 0; z < sides.extent().z; ++z) {
    for (int64_t y = 0; y < sides.extent().y; ++y) {
      const uint8_t* side = sides.view().Row(y, z);
      const uint64_t* label = labels.view().Row(y, z);
      for (int64_t x = 0; x < sides.extent().x; ++x) {
        if (side[x] != 0 && label[x] != 0) {
          visit(VoxelPoint{x, y, z}, side[x], NodeId{label[x]});
        }
      }
    }
  }
}

using RootOf = absl::flat_hash_map<NodeId, NodeId>;

absl::StatusOr<RootOf> RootsOfPainted(const Draft& draft, const Array3<uint8_t>& sides,
                                      const Array3<uint64_t>& labels) {
  absl::flat_hash_set<NodeId> supervoxels;
  ForEachPainted(sides, labels, [&](VoxelPoint, uint8_t, NodeId id) { supervoxels.insert(id); });
  const std::vector<NodeId> list(supervoxels.begin(), supervoxels.end());
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> roots, draft.Now().Roots(list));
  RootOf root_of;
  for (size_t i = 0; i < list.size(); ++i) {
    root_of[list[i]] = roots[i];
  }
  return root_of;
}

// The only object that is painted for every side.
absl::StatusOr<NodeId> FindObject(const Array3<uint8_t>& sides, const Array3<uint64_t>& labels, const RootOf& root_of,
                                  size_t side_count) {
  absl::flat_hash_map<NodeId, absl::flat_hash_set<uint8_t>> painted;
  ForEachPainted(sides, labels, [&](VoxelPoint, uint8_t side, NodeId id) { painted[root_of.at(id)].insert(side); });
  std::vector<NodeId> candidates;
  for (const auto& [root, its_sides] : painted) {
    if (its_sides.size() == side_count) {
      candidates.push_back(root);
    }
  }
  std::ranges::sort(candidates);
  if (candidates.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("no object is painted for all ", side_count, " sides; paint both sides of the cut on the object"));
  }
  if (candidates.size() > 1) {
    return absl::FailedPreconditionError(
        absl::StrCat("objects ", Value(candidates[0]), " and ", Value(candidates[1]),
                     " are both painted for all sides; paint on one of them only, or give a point too"));
  }
  return candidates.front();
}

}  // namespace

absl::StatusOr<std::vector<std::vector<MarkedPoint>>> FindPainted(const Draft& draft, const Paint& paint,
                                                                  size_t side_count, NodeId root) {
  CLEAVE_RETURN_IF_ERROR(CheckPaint(draft, paint, side_count));
  const Box envelope = EnvelopeOf(paint);
  const Array3<uint8_t> sides = Flatten(paint, envelope);
  CLEAVE_ASSIGN_OR_RETURN(const Array3<uint64_t> labels, draft.segmentation().ReadBox(volume::kFinestScale, envelope));
  CLEAVE_ASSIGN_OR_RETURN(const RootOf root_of, RootsOfPainted(draft, sides, labels));
  if (root == NodeId{}) {
    CLEAVE_ASSIGN_OR_RETURN(root, FindObject(sides, labels, root_of, side_count));
  }
  std::vector<std::vector<MarkedPoint>> found(side_count);
  int64_t count = 0;
  ForEachPainted(sides, labels, [&](VoxelPoint place, uint8_t side, NodeId id) {
    if (root_of.at(id) == root && ++count <= kPaintedVoxelsMax) {
      found[side - 1U].push_back({envelope.lo + place, id});
    }
  });
  if (count > kPaintedVoxelsMax) {
    return absl::InvalidArgumentError(absl::StrCat(count, " voxels of object ", Value(root), " are painted; at most ",
                                                   kPaintedVoxelsMax, " are taken: a thin stroke is enough"));
  }
  return found;
}

}  // namespace cleave::edit
