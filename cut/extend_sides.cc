#include "cut/extend_sides.h"

#include <algorithm>
#include <vector>

#include "base/status.h"
#include "cut/islands.h"
#include "cut/mask_grid.h"
#include "cut/piece_graph.h"
#include "cut/whole_sides.h"

namespace cleave::cut {
namespace {

constexpr int64_t kIslandCellEdge = 8;  // voxels

// Breadth first, from what has a side. Returns whether every voxel of the object has one then.
bool Flood(const MaskGrid& grid, ArrayView3<const uint8_t> known, Sides& sides) {
  LazyArray<uint8_t> is_open(grid.size());  // object voxels without a side
  int64_t open_count = 0;
  grid.ForEachRun([&](int64_t begin, int64_t end, int64_t y, int64_t z) {
    const uint8_t* row = known.Row(y, z);
    for (int64_t x = begin; x < end; ++x) {
      const uint32_t voxel = grid.Index({x, y, z});
      sides[voxel] = row[x];
      is_open[voxel] = row[x] == 0;
      open_count += row[x] == 0;
    }
  });
  std::vector<uint32_t> front;
  const auto claim = [&](uint32_t voxel) {
    for (const MaskGrid::Step& step : grid.steps()) {
      const auto next = static_cast<uint32_t>(voxel + step.offset);
      if (is_open[next] != 0) {
        is_open[next] = 0;
        sides[next] = sides[voxel];
        front.push_back(next);
      }
    }
  };
  if (open_count > 0) {
    grid.ForEachRun([&](int64_t begin, int64_t end, int64_t y, int64_t z) {
      for (int64_t x = begin; x < end; ++x) {
        if (known.Row(y, z)[x] != 0) {
          claim(grid.Index({x, y, z}));
        }
      }
    });
    for (size_t i = 0; i < front.size(); ++i) {
      claim(front[i]);
    }
  }
  return static_cast<int64_t>(front.size()) == open_count;
}

void SettleIslands(const MaskGrid& grid, Sides& sides) {
  const LazyArray<float> depth_nm(grid.size());  // islands need none
  const PieceGraph pieces(grid, depth_nm, {kIslandCellEdge, kIslandCellEdge, kIslandCellEdge});
  PieceSides piece_sides(pieces.size(), 0);
  for (const PieceGraph::Segment& segment : pieces.segments()) {
    piece_sides[segment.piece] = sides[segment.begin];  // a piece is connected: it has a side as a whole, or none
  }
  GiveIslandsToNearest(grid, pieces, std::move(piece_sides), sides);
}

}  // namespace

absl::StatusOr<Array3<uint8_t>> ExtendSides(ArrayView3<const uint8_t> mask, VoxelSizeNm voxel_size_nm,
                                            ArrayView3<const uint8_t> known) {
  CLEAVE_ASSIGN_OR_RETURN(const MaskGrid grid, MaskGrid::Make(mask, voxel_size_nm));
  Sides sides(grid.size());
  const bool is_whole = Flood(grid, known, sides);
  Array3<uint8_t> result(mask.extent());
  bool has_any = false;
  const auto copy = [&] {
    grid.ForEachRun([&](int64_t begin, int64_t end, int64_t y, int64_t z) {
      const uint8_t* row = &sides[grid.Index({begin, y, z})];
      std::copy(row, row + (end - begin), result.view().Row(y, z) + begin);
      has_any = has_any || std::any_of(row, row + (end - begin), [](uint8_t side) { return side != 0; });
    });
  };
  copy();
  if (!has_any) {
    return absl::InvalidArgumentError("no voxel of the object has a known side");
  }
  if (!is_whole) {
    SettleIslands(grid, sides);
    copy();
  }
  return result;
}

}  // namespace cleave::cut
