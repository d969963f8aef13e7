// A minimum cut per pair of sides (Y. Boykov, V. Kolmogorov: Computing geodesics and minimal surfaces via graph cuts,
// 2003).
//
// 1. The zone of a pair: voxels that one of them won and the other came near to.
// 2. An edge joins each voxel of the zone to its 26 neighbours; cutting it costs about the area of surface that passes
//    between the two. Neighbours outside the zone are fixed and stand for the terminals.
// 3. Costs rise towards the edge of the zone, so that among equal cross-sections the middle one is taken, and a surface
//    moves only for a real gain.
#include "cut/surface.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "cut/max_flow.h"

namespace cleave::cut {
namespace {

// Voxels contested by one pair of sides, ascending.
struct Zone {
  uint8_t low;   // the smaller side
  uint8_t high;  // the larger
  std::vector<uint32_t> voxels;
};

// The area of surface that an edge along each step stands for, as whole numbers.
std::array<double, 26> StepAreas(const MaskGrid& grid) {
  std::array<double, 26> area{};
  for (size_t i = 0; i < area.size(); ++i) {
    const size_t code = i < 13 ? i : i + 1;
    const int moved_axes = (code % 3 != 1) + (code / 3 % 3 != 1) + (code / 9 != 1);
    area[i] = 1 / (grid.steps()[i].length_nm * moved_axes * moved_axes);
  }
  const double largest = *std::max_element(area.begin(), area.end());
  for (double& a : area) {
    a *= 1e6 / largest;
  }
  return area;
}

class ZoneCutter {
 public:
  ZoneCutter(const MaskGrid& grid, const TravelCost& cost, const SurfaceOptions& options, Contest& contest)
      : grid_(grid), cost_(cost), options_(options), contest_(contest), area_(StepAreas(grid)), node_(grid.size()) {}

  void Cut(const Zone& zone) {
    for (size_t i = 0; i < zone.voxels.size(); ++i) {
      node_[zone.voxels[i]] = static_cast<uint32_t>(i + 1);
    }
    const uint32_t low_terminal = static_cast<uint32_t>(zone.voxels.size());
    const uint32_t high_terminal = low_terminal + 1;
    std::vector<CapacityEdge> edges;
    edges.reserve(zone.voxels.size() * 14);
    for (uint32_t i = 0; i < zone.voxels.size(); ++i) {
      AddEdges(zone, i, edges);
    }
    MaxFlow flow(high_terminal + 1, edges);
    flow.Solve(low_terminal, high_terminal);
    for (uint32_t i = 0; i < zone.voxels.size(); ++i) {
      contest_.winner[zone.voxels[i]] = flow.OnSourceSide(i) ? zone.low : zone.high;
    }
    for (const uint32_t voxel : zone.voxels) {
      node_[voxel] = 0;
    }
  }

 private:
  void AddEdges(const Zone& zone, uint32_t i, std::vector<CapacityEdge>& edges) const {
    const uint32_t voxel = zone.voxels[i];
    const uint32_t low_terminal = static_cast<uint32_t>(zone.voxels.size());
    int64_t low = 0;
    int64_t high = 0;
    for (size_t k = 0; k < area_.size(); ++k) {
      const uint32_t next = static_cast<uint32_t>(voxel + grid_.steps()[k].offset);
      if (cost_[next] == 0) {
        continue;
      }
      if (node_[next] != 0) {
        if (k >= 13) {
          edges.push_back({i, node_[next] - 1, Capacity(k, (Weight(voxel) + Weight(next)) / 2)});
        }
      } else if (contest_.winner[next] == zone.low) {
        low += Capacity(k, Weight(voxel));
      } else if (contest_.winner[next] == zone.high) {
        high += Capacity(k, Weight(voxel));
      }
    }
    if (low > 0) {
      edges.push_back({low_terminal, i, low});
    }
    if (high > 0) {
      edges.push_back({i, low_terminal + 1, high});
    }
  }

  // 1 where both sides come at once, 1 + reluctance at the edge of the zone.
  [[nodiscard]] double Weight(uint32_t voxel) const {
    const double distance = (1 - contest_.Closeness(voxel)) / (1 - options_.least_closeness);
    return 1 + options_.reluctance * distance * distance;
  }

  [[nodiscard]] int64_t Capacity(size_t step, double weight) const { return std::llround(area_[step] * weight); }

  const MaskGrid& grid_;
  const TravelCost& cost_;
  const SurfaceOptions& options_;
  Contest& contest_;
  const std::array<double, 26> area_;
  LazyArray<uint32_t> node_;  // 1 + index in the zone at hand
};

std::vector<Zone> FindZones(const MaskGrid& grid, std::span<const uint32_t> owned, const SurfaceOptions& options,
                            Contest& contest) {
  for (const uint32_t voxel : owned) {
    contest.rival[voxel] = 0;
  }
  std::map<std::pair<uint8_t, uint8_t>, Zone> zones;
  grid.ForEachRun([&](int64_t begin, int64_t end, int64_t y, int64_t z) {
    const uint32_t first = grid.Index({begin, y, z});
    for (uint32_t voxel = first; voxel < first + (end - begin); ++voxel) {
      if (contest.rival[voxel] != 0 && contest.Closeness(voxel) >= options.least_closeness) {
        const auto [low, high] = std::minmax(contest.winner[voxel], contest.rival[voxel]);
        zones.try_emplace({low, high}, Zone{low, high, {}}).first->second.voxels.push_back(voxel);
      }
    }
  });
  std::vector<Zone> result;
  for (auto& [sides, zone] : zones) {
    if (zone.voxels.size() > options.most_voxels) {
      const auto nearer = [&](uint32_t a, uint32_t b) {
        return std::pair(-contest.Closeness(a), a) < std::pair(-contest.Closeness(b), b);
      };
      std::nth_element(zone.voxels.begin(), zone.voxels.begin() + options.most_voxels, zone.voxels.end(), nearer);
      zone.voxels.resize(options.most_voxels);
      std::sort(zone.voxels.begin(), zone.voxels.end());
    }
    result.push_back(std::move(zone));
  }
  return result;
}

}  // namespace

void TightenSurfaces(const MaskGrid& grid, const TravelCost& cost, std::span<const uint32_t> owned,
                     const SurfaceOptions& options, Contest& contest) {
  ZoneCutter cutter(grid, cost, options, contest);
  for (const Zone& zone : FindZones(grid, owned, options, contest)) {
    cutter.Cut(zone);
  }
}

}  // namespace cleave::cut
