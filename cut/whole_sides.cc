// 1. Cut every row into runs of one side and join the runs that touch (see components.cc).
// 2. Runs in no set with an owned voxel are strays: their voxels lose their side.
// 3. Growth gives strays to the kept voxels next to them. The object's pieces are connected, so none is left over.
#include "cut/whole_sides.h"

#include <algorithm>
#include <vector>

#include "cut/disjoint_sets.h"

namespace cleave::cut {
namespace {

struct Run {
  uint32_t begin;  // grid indices
  uint32_t end;
  uint8_t side;
};

// The runs of voxels that have a side, ascending.
std::vector<Run> FindRuns(const MaskGrid& grid, const Sides& sides) {
  std::vector<Run> runs;
  grid.ForEachRun([&](int64_t begin, int64_t end, int64_t y, int64_t z) {
    const uint32_t first = grid.Index({begin, y, z});
    const uint32_t last = first + static_cast<uint32_t>(end - begin);
    for (uint32_t voxel = first; voxel < last;) {
      const uint32_t run_begin = voxel;
      const uint8_t side = sides[voxel];
      while (voxel < last && sides[voxel] == side) {
        ++voxel;
      }
      if (side != 0) {
        runs.push_back({run_begin, voxel, side});
      }
    }
  });
  return runs;
}

// Joins each run with those that touch it in the row that lies `offset` before. The grid's rim keeps rows apart.
void JoinWithRow(const std::vector<Run>& runs, int64_t offset, DisjointSets& sets) {
  size_t first = 0;
  for (size_t i = 0; i < runs.size(); ++i) {
    const int64_t begin = runs[i].begin - offset;
    const int64_t end = runs[i].end - offset;
    while (first < runs.size() && runs[first].end < begin) {
      ++first;
    }
    for (size_t j = first; j < runs.size() && runs[j].begin <= end; ++j) {
      if (j != i && runs[j].side == runs[i].side) {
        sets.Join(static_cast<uint32_t>(i), static_cast<uint32_t>(j));
      }
    }
  }
}

}  // namespace

void KeepWhole(const MaskGrid& grid, const TravelCost& cost, std::span<const uint32_t> owned, Sides& sides) {
  const std::vector<Run> runs = FindRuns(grid, sides);
  DisjointSets sets(static_cast<uint32_t>(runs.size()));
  const int64_t y = grid.y_stride();
  const int64_t z = grid.z_stride();
  for (const int64_t offset : {y, z - y, z, z + y}) {
    JoinWithRow(runs, offset, sets);
  }
  std::vector<bool> is_kept(runs.size(), false);
  for (const uint32_t voxel : owned) {
    const auto after =
        std::upper_bound(runs.begin(), runs.end(), voxel, [](uint32_t v, const Run& run) { return v < run.begin; });
    is_kept[sets.Find(static_cast<uint32_t>(after - runs.begin() - 1))] = true;
  }
  std::vector<uint32_t> strays;
  for (uint32_t i = 0; i < runs.size(); ++i) {
    if (!is_kept[sets.Find(i)]) {
      for (uint32_t voxel = runs[i].begin; voxel < runs[i].end; ++voxel) {
        sides[voxel] = 0;
        strays.push_back(voxel);
      }
    }
  }
  std::vector<uint32_t> shore;  // kept voxels next to a stray
  for (const uint32_t voxel : strays) {
    for (const MaskGrid::Step& step : grid.steps()) {
      const uint32_t next = static_cast<uint32_t>(voxel + step.offset);
      if (sides[next] != 0) {
        shore.push_back(next);
      }
    }
  }
  std::sort(shore.begin(), shore.end());
  shore.erase(std::unique(shore.begin(), shore.end()), shore.end());
  Growth(grid, cost).GrowAll(shore, sides);
}

}  // namespace cleave::cut
