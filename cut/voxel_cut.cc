// The voxel cut.
//
// 1. The object's tight box becomes the working grid; points off the object move to its nearest voxel.
// 2. Depth: the distance of every voxel of the object from the background, exact and in nm.
// 3. The object becomes a graph of some thousand pieces (piece_graph.h); of a small object each voxel is one.
// 4. The points of each group are joined by ways through deep parts of the object, so that a group starts whole.
// 5. All groups grow at once over one queue. Shallow places are dear, so fronts are slow in narrow ones. A piece's
// owner
//    reached it through pieces of its own, so each side is whole.
// 6. Where two sides touch, the border moves to the neck on the way between their points: the cross-section that is
//    small beside the largest before and behind it, and lies in a furrow of the surface (neck.h).
// 7. Pieces at the borders are given anew voxel by voxel, and sides made whole once more.
// 8. Parts of the object that no group can reach go to the nearest side.
// Steps 4 and on are repeated with smaller pieces when groups bar each other's way.
#include "cut/voxel_cut.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "cut/depth.h"
#include "cut/islands.h"
#include "cut/join_groups.h"
#include "cut/mask_grid.h"
#include "cut/neck.h"
#include "cut/piece_graph.h"
#include "cut/refine.h"
#include "cut/rim.h"
#include "cut/snap.h"
#include "cut/travel.h"
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
  assert(request.most_cells >= 1);
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

// About cubic in nm, with `edge` voxels along the axis of the smallest voxel size.
Extent3 CellOf(VoxelSizeNm size, int64_t edge) {
  const double edge_nm = static_cast<double>(edge) * std::min({size.x, size.y, size.z});
  const auto voxels = [&](double nm) { return std::max<int64_t>(1, std::llround(edge_nm / nm)); };
  return {voxels(size.x), voxels(size.y), voxels(size.z)};
}

// The smallest power of two whose cells are few enough for the object.
int64_t FirstCellEdge(const MaskGrid& grid, int64_t most_cells) {
  int64_t edge = 1;
  while (grid.voxel_count() / Count(CellOf(grid.voxel_size_nm(), edge)) > most_cells) {
    edge *= 2;
  }
  return edge;
}

// Steps 3 to 8. Returns how many voxels no group can reach. Errors are those of JoinGroups; `sides` is written only on
// success.
absl::StatusOr<int64_t> CutInPieces(const MaskGrid& grid, const LazyArray<float>& depth_nm,
                                    std::span<const std::vector<uint32_t>> groups, int64_t cell_edge, Sides& sides) {
  const VoxelSizeNm size = grid.voxel_size_nm();
  const float unit_nm = static_cast<float>(std::min({size.x, size.y, size.z}));
  const PieceGraph pieces(grid, depth_nm, CellOf(size, cell_edge));
  PieceSides piece_sides(pieces.size(), 0);
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<uint32_t> owned,
                          JoinGroups(grid, pieces, CostFromDepth(pieces, unit_nm, kJoinExponent), groups, piece_sides));
  const TravelCost cost = CostFromDepth(pieces, unit_nm, kGrowthExponent);
  Grow(pieces, cost, owned, piece_sides);
  MoveToNecks(pieces, Rim(grid, pieces), cost, owned, piece_sides);
  KeepWhole(pieces, owned, piece_sides);
  if (cell_edge == 1) {
    for (const PieceGraph::Segment& segment : pieces.segments()) {
      sides[segment.begin] = piece_sides[segment.piece];
    }
  } else {
    RefineToVoxels(grid, depth_nm, pieces, owned, piece_sides, sides);
    std::vector<uint32_t> owned_voxels;
    owned_voxels.reserve(owned.size());
    for (const uint32_t piece : owned) {
      owned_voxels.push_back(pieces.FirstVoxel(piece));
    }
    KeepWhole(grid, owned_voxels, sides);
  }
  return GiveIslandsToNearest(grid, pieces, std::move(piece_sides), sides);
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
  const std::vector<std::vector<uint32_t>> groups = Indices(grid, cut.seeds);
  Sides sides(grid.size());
  absl::StatusOr<int64_t> unreached = absl::AbortedError("");
  for (int64_t edge = FirstCellEdge(grid, request.most_cells); edge > 0 && absl::IsAborted(unreached.status());
       edge /= 2) {
    unreached = CutInPieces(grid, depth_nm, groups, edge, sides);
  }
  if (absl::IsAborted(unreached.status())) {
    return absl::FailedPreconditionError(unreached.status().message());
  }
  CLEAVE_ASSIGN_OR_RETURN(cut.unreached, unreached);
  cut.side = ToArray(grid, sides);
  return cut;
}

}  // namespace cleave::cut
