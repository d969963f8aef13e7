// Islands may be large and lie far off, so nothing here walks over background voxel by voxel.
//
// 1. The grid is covered with blocks. A block with a voxel of some side belongs to it, at distance 0.
// 2. Blocks spread over all others, cheapest first, until each block of an island knows its nearest side and how far
//    that is.
// 3. Each island is flooded, from piece to piece; the nearest of the blocks that it lies in decides.
#include "cut/islands.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>
#include <span>
#include <vector>

#include "cut/radix_heap.h"

namespace cleave::cut {
namespace {

constexpr size_t kNone = std::numeric_limits<size_t>::max();

class BlockMap {
 public:
  explicit BlockMap(const MaskGrid& grid) : lo_(grid.box().lo) {
    const VoxelSizeNm size = grid.voxel_size_nm();
    const double edge_nm = 8 * std::min({size.x, size.y, size.z});
    const std::array<double, 3> nm = {size.x, size.y, size.z};
    for (int axis = 0; axis < 3; ++axis) {
      edge_[axis] = std::max<int64_t>(1, std::llround(edge_nm / nm[axis]));
      edge_nm_[axis] = static_cast<double>(edge_[axis]) * nm[axis];
      count_[axis] = CeilDivide(grid.box().extent()[axis], edge_[axis]);
    }
    side_.assign(static_cast<size_t>(Count(count_)), 0);
    distance_nm_.assign(side_.size(), std::numeric_limits<float>::infinity());
  }

  [[nodiscard]] size_t Block(VoxelPoint p) const {
    return static_cast<size_t>((p.x - lo_.x) / edge_.x +
                               count_.x * ((p.y - lo_.y) / edge_.y + count_.y * ((p.z - lo_.z) / edge_.z)));
  }
  [[nodiscard]] uint8_t side(size_t block) const { return side_[block]; }
  [[nodiscard]] float distance_nm(size_t block) const { return distance_nm_[block]; }

  // Step 1, for a run of voxels that starts at `first`: in each block the first voxel with a side decides. Blocks that
  // have one are passed over whole, so that hardly more than a voxel a block is looked at.
  void Claim(VoxelPoint first, const uint8_t* sides, int64_t count) {
    size_t block = Block(first);
    int64_t in_block = edge_.x - (first.x - lo_.x) % edge_.x;
    for (int64_t begin = 0; begin < count; begin += in_block, in_block = edge_.x, ++block) {
      if (side_[block] == 0) {
        const uint8_t* end = sides + std::min(begin + in_block, count);
        const uint8_t* found = std::find_if(sides + begin, end, [](uint8_t side) { return side != 0; });
        side_[block] = found == end ? 0 : *found;
        distance_nm_[block] = found == end ? distance_nm_[block] : 0;
      }
    }
  }

  // Step 2, until the blocks at both ends of all these segments are reached.
  void SpreadTo(const MaskGrid& grid, std::span<const PieceGraph::Segment> segments) {
    std::vector<bool> is_wanted(side_.size(), false);
    size_t wanted = 0;
    for (const PieceGraph::Segment& segment : segments) {
      for (const uint32_t voxel : {segment.begin, segment.end - 1}) {
        const size_t block = Block(grid.Point(voxel));
        wanted += is_wanted[block] ? 0 : 1;
        is_wanted[block] = true;
      }
    }

    const std::array<Step, 26> steps = Steps();
    const Box all = BoxAt({}, count_);
    RadixHeap open;
    for (size_t block = 0; block < side_.size(); ++block) {
      if (side_[block] != 0) {
        open.Push(0, static_cast<uint32_t>(block));
      }
    }
    while (wanted > 0) {
      const auto [distance, block] = open.Pop();
      if (distance > distance_nm_[block]) {
        continue;
      }
      wanted -= is_wanted[block] ? 1 : 0;
      is_wanted[block] = false;
      const VoxelPoint at{block % count_.x, block / count_.x % count_.y, block / (count_.x * count_.y)};
      for (const Step& step : steps) {
        const VoxelPoint to = at + step.move;
        if (!all.Contains(to)) {
          continue;
        }
        const auto next = static_cast<size_t>(to.x + count_.x * (to.y + count_.y * to.z));
        const float through = distance + step.length_nm;
        if (through < distance_nm_[next]) {
          distance_nm_[next] = through;
          side_[next] = side_[block];
          open.Push(through, static_cast<uint32_t>(next));
        }
      }
    }
  }

 private:
  struct Step {
    VoxelPoint move;
    float length_nm;
  };

  [[nodiscard]] std::array<Step, 26> Steps() const {
    std::array<Step, 26> steps{};
    for (int64_t i = 0; i < 26; ++i) {
      const int64_t code = i < 13 ? i : i + 1;
      const VoxelPoint move{code % 3 - 1, code / 3 % 3 - 1, code / 9 - 1};
      steps[i] = {move, static_cast<float>(std::hypot(static_cast<double>(move.x) * edge_nm_[0],
                                                      static_cast<double>(move.y) * edge_nm_[1],
                                                      static_cast<double>(move.z) * edge_nm_[2]))};
    }
    return steps;
  }

  VoxelPoint lo_;
  Extent3 edge_;  // voxels
  std::array<double, 3> edge_nm_{};
  Extent3 count_;  // blocks
  std::vector<uint8_t> side_;
  std::vector<float> distance_nm_;
};

// The nearest of the blocks that the ends of a piece's segments lie in, for pieces without a side.
std::vector<size_t> NearestBlocks(const MaskGrid& grid, const PieceGraph& pieces, const PieceSides& piece_sides,
                                  const BlockMap& blocks) {
  std::vector<size_t> nearest(pieces.size(), kNone);
  for (const PieceGraph::Segment& segment : pieces.segments()) {
    if (piece_sides[segment.piece] != 0) {
      continue;
    }
    for (const uint32_t voxel : {segment.begin, segment.end - 1}) {
      const size_t block = blocks.Block(grid.Point(voxel));
      size_t& best = nearest[segment.piece];
      best = best == kNone || blocks.distance_nm(block) < blocks.distance_nm(best) ? block : best;
    }
  }
  return nearest;
}

// Step 3.
void Settle(const PieceGraph& pieces, const BlockMap& blocks, const std::vector<size_t>& nearest_block,
            PieceSides& piece_sides) {
  std::vector<bool> is_seen(pieces.size(), false);
  for (uint32_t first = 0; first < pieces.size(); ++first) {
    if (piece_sides[first] != 0) {
      continue;
    }
    std::vector<uint32_t> island = {first};
    is_seen[first] = true;
    size_t nearest = nearest_block[first];
    for (size_t i = 0; i < island.size(); ++i) {
      const size_t block = nearest_block[island[i]];
      nearest = blocks.distance_nm(block) < blocks.distance_nm(nearest) ? block : nearest;
      for (const PieceGraph::Arc& arc : pieces.arcs(island[i])) {
        if (!is_seen[arc.to]) {
          is_seen[arc.to] = true;
          island.push_back(arc.to);
        }
      }
    }
    for (const uint32_t piece : island) {
      piece_sides[piece] = blocks.side(nearest);
    }
  }
}

}  // namespace

int64_t GiveIslandsToNearest(const MaskGrid& grid, const PieceGraph& pieces, PieceSides piece_sides, Sides& sides) {
  std::vector<PieceGraph::Segment> unreached;
  std::copy_if(pieces.segments().begin(), pieces.segments().end(), std::back_inserter(unreached),
               [&](const PieceGraph::Segment& segment) { return piece_sides[segment.piece] == 0; });
  if (unreached.empty()) {
    return 0;
  }
  BlockMap blocks(grid);
  grid.ForEachRun([&](int64_t begin, int64_t end, int64_t y, int64_t z) {
    const VoxelPoint first{begin, y, z};
    blocks.Claim(first, &sides[grid.Index(first)], end - begin);
  });
  blocks.SpreadTo(grid, unreached);
  Settle(pieces, blocks, NearestBlocks(grid, pieces, piece_sides, blocks), piece_sides);
  int64_t given = 0;
  for (const PieceGraph::Segment& segment : unreached) {
    std::fill(&sides[segment.begin], &sides[segment.begin] + (segment.end - segment.begin), piece_sides[segment.piece]);
    given += segment.end - segment.begin;
  }
  return given;
}

}  // namespace cleave::cut
