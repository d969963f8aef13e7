// 1. The zone: pieces that touch a piece of another side, and are nobody's own.
// 2. All other voxels take the side of their piece.
// 3. Growth into the zone, cheapest first, from the voxels around it. The cost of a step is its length times the mean
// of
//    depth ^ -1.5 at both ends, so fronts are slow where the object is thin and meet there.
#include "cut/refine.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "cut/radix_heap.h"

namespace cleave::cut {
namespace {

std::vector<bool> FindZone(const PieceGraph& pieces, std::span<const uint32_t> owned, const PieceSides& sides) {
  std::vector<bool> is_zone(pieces.size(), false);
  for (uint32_t piece = 0; piece < pieces.size(); ++piece) {
    const auto arcs = pieces.arcs(piece);
    is_zone[piece] = std::any_of(arcs.begin(), arcs.end(),
                                 [&](const PieceGraph::Arc& arc) { return sides[arc.to] != sides[piece]; });
  }
  for (const uint32_t piece : owned) {
    is_zone[piece] = false;
  }
  return is_zone;
}

class ZoneGrowth {
 public:
  ZoneGrowth(const MaskGrid& grid, const LazyArray<float>& depth_nm, Sides& sides)
      : grid_(grid), depth_nm_(depth_nm), sides_(sides), time_(grid.size()) {
    unit_nm_ = static_cast<float>(std::min({grid.voxel_size_nm().x, grid.voxel_size_nm().y, grid.voxel_size_nm().z}));
    for (size_t i = 0; i < half_length_.size(); ++i) {
      half_length_[i] = static_cast<float>(grid.steps()[i].length_nm / 2);
    }
  }

  // `zone` are voxels of the object that have no side yet.
  void Run(const std::vector<uint32_t>& zone) {
    for (const uint32_t voxel : zone) {
      time_[voxel] = std::numeric_limits<float>::infinity();
    }
    for (const uint32_t voxel : zone) {
      for (size_t i = 0; i < half_length_.size(); ++i) {
        const uint32_t around = static_cast<uint32_t>(voxel + grid_.steps()[i].offset);
        if (depth_nm_[around] != 0 && time_[around] == 0) {
          Offer(voxel, half_length_[i] * (Cost(voxel) + Cost(around)), sides_[around]);
        }
      }
    }
    while (!open_.empty()) {
      const auto [time, voxel] = open_.Pop();
      if (time > time_[voxel]) {
        continue;
      }
      for (size_t i = 0; i < half_length_.size(); ++i) {
        const uint32_t next = static_cast<uint32_t>(voxel + grid_.steps()[i].offset);
        if (time_[next] > time) {
          Offer(next, time + half_length_[i] * (Cost(voxel) + Cost(next)), sides_[voxel]);
        }
      }
    }
  }

 private:
  void Offer(uint32_t voxel, float time, uint8_t side) {
    if (side != 0 && time < time_[voxel]) {
      time_[voxel] = time;
      sides_[voxel] = side;
      open_.Push(time, voxel);
    }
  }

  [[nodiscard]] float Cost(uint32_t voxel) const {
    const float ratio = unit_nm_ / depth_nm_[voxel];
    return ratio * std::sqrt(ratio);
  }

  const MaskGrid& grid_;
  const LazyArray<float>& depth_nm_;
  Sides& sides_;
  LazyArray<float> time_;  // above 0 in the zone only
  float unit_nm_;
  std::array<float, 26> half_length_{};
  RadixHeap open_;
};

}  // namespace

void RefineToVoxels(const MaskGrid& grid, const LazyArray<float>& depth_nm, const PieceGraph& pieces,
                    std::span<const uint32_t> owned, const PieceSides& piece_sides, Sides& sides) {
  const std::vector<bool> is_zone = FindZone(pieces, owned, piece_sides);
  std::vector<uint32_t> zone;
  for (const PieceGraph::Segment& segment : pieces.segments()) {
    for (uint32_t voxel = segment.begin; voxel < segment.end; ++voxel) {
      if (is_zone[segment.piece]) {
        zone.push_back(voxel);
      } else {
        sides[voxel] = piece_sides[segment.piece];
      }
    }
  }
  ZoneGrowth(grid, depth_nm, sides).Run(zone);
}

}  // namespace cleave::cut
