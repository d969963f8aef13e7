// The voxel cut.
//
// 1. The object's tight box becomes the working grid; points off the object move to its nearest voxel.
// 2. Depth: the distance of every voxel of the object from the background, exact and in nm.
// 3. The points of each group are joined by ways through deep parts of the object, so that a group starts whole.
// 4. All groups grow at once over one queue. Shallow places are dear, so fronts meet in necks. A voxel's owner reached
//    it through voxels of its own, so each side is one piece.
// 5. Where two fronts came nearly at once, the surface between them moves to the least cross-section: a minimum cut.
// 6. That may part a side; the part without points then falls to its neighbours.
// 7. Pieces of the object that no group can reach go to the nearest side.
#include "cut/voxel_cut.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "cut/contest.h"
#include "cut/depth.h"
#include "cut/growth.h"
#include "cut/islands.h"
#include "cut/join_groups.h"
#include "cut/mask_grid.h"
#include "cut/snap.h"
#include "cut/surface.h"
#include "cut/whole_sides.h"

namespace cleave::cut {
namespace {

// How dear shallow places are. Growth shuns necks; ways that join a group are straighter, as a way that is drawn to the
// deepest parts of the object leads through the other body. Chosen on the seeded problems (voxel_cut_benchmark); the
// result hardly depends on them between 1 and 2.
constexpr float kGrowthExponent = 1.5f;
constexpr float kJoinExponent = 1;

constexpr size_t kMostGroups = 200;
constexpr int64_t kFarthestCoordinate = int64_t{1} << 40;

absl::Status CheckRequest(const VoxelCutRequest& request) {
  const VoxelSizeNm size = request.voxel_size_nm;
  for (const double nm : {size.x, size.y, size.z}) {
    if (!std::isfinite(nm) || nm <= 0) {
      return absl::InvalidArgumentError(absl::StrCat("voxel size ", nm, " nm is not above 0"));
    }
  }
  if (request.groups.size() < 2 || request.groups.size() > kMostGroups) {
    return absl::InvalidArgumentError(
        absl::StrCat("a cut takes 2 to ", kMostGroups, " groups of points, not ", request.groups.size()));
  }
  for (size_t group = 0; group < request.groups.size(); ++group) {
    if (request.groups[group].empty()) {
      return absl::InvalidArgumentError(absl::StrCat("group ", group + 1, " has no point"));
    }
    for (const VoxelPoint point : request.groups[group]) {
      if (std::max({std::abs(point.x), std::abs(point.y), std::abs(point.z)}) > kFarthestCoordinate) {
        return absl::InvalidArgumentError(
            absl::StrCat("group ", group + 1, ": point ", ToString(point), " is nowhere near the object"));
      }
    }
  }
  return absl::OkStatus();
}

// Step 1. Two groups must not end up in the same voxel.
absl::StatusOr<std::vector<std::vector<VoxelPoint>>> SnapGroups(const MaskGrid& grid, const VoxelCutRequest& request) {
  std::vector<std::vector<VoxelPoint>> seeds;
  std::map<VoxelPoint, size_t> owner;
  for (size_t group = 0; group < request.groups.size(); ++group) {
    seeds.emplace_back();
    for (const VoxelPoint point : request.groups[group]) {
      const VoxelPoint seed = SnapToMask(grid, point);
      const size_t first = owner.try_emplace(seed, group).first->second;
      if (first != group) {
        return absl::InvalidArgumentError(
            absl::StrCat("groups ", first + 1, " and ", group + 1, " both have a point in voxel ", ToString(seed),
                         seed == point ? "" : absl::StrCat(" (the nearest of the object to ", ToString(point), ")")));
      }
      seeds.back().push_back(seed);
    }
  }
  return seeds;
}

std::vector<std::vector<uint32_t>> Indices(const MaskGrid& grid, const std::vector<std::vector<VoxelPoint>>& seeds) {
  std::vector<std::vector<uint32_t>> groups;
  for (const std::vector<VoxelPoint>& points : seeds) {
    groups.emplace_back();
    for (const VoxelPoint point : points) {
      groups.back().push_back(grid.Index(point));
    }
  }
  return groups;
}

Array3<uint8_t> ToArray(const MaskGrid& grid, const Sides& sides) {
  Array3<uint8_t> result(grid.mask().extent());
  grid.ForEachRun([&](int64_t begin, int64_t end, int64_t y, int64_t z) {
    const uint8_t* row = &sides[grid.Index({begin, y, z})];
    std::copy(row, row + (end - begin), result.view().Row(y, z) + begin);
  });
  return result;
}

}  // namespace

absl::StatusOr<VoxelCut> CutVoxels(const VoxelCutRequest& request) {
  CLEAVE_RETURN_IF_ERROR(CheckRequest(request));
  CLEAVE_ASSIGN_OR_RETURN(const MaskGrid grid, MaskGrid::Make(request.mask, request.voxel_size_nm));
  VoxelCut cut;
  CLEAVE_ASSIGN_OR_RETURN(cut.seeds, SnapGroups(grid, request));
  const LazyArray<float> depth_nm = DepthNm(grid);
  const TravelCost cost = CostFromDepth(grid, depth_nm, kGrowthExponent);
  Contest contest(grid.size());
  Sides& sides = contest.winner;
  CLEAVE_ASSIGN_OR_RETURN(
      const std::vector<uint32_t> owned,
      JoinGroups(grid, CostFromDepth(grid, depth_nm, kJoinExponent), Indices(grid, cut.seeds), sides));
  const SurfaceOptions options;
  RunContest(grid, cost, owned, options.least_closeness, contest);
  TightenSurfaces(grid, cost, owned, options, contest);
  KeepWhole(grid, cost, owned, sides);
  cut.unreached = GiveIslandsToNearest(grid, cost, sides);
  cut.side = ToArray(grid, sides);
  return cut;
}

}  // namespace cleave::cut
