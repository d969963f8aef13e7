// Pieces are few: flood from the owned ones, then let the flooded ones spread over what is left.
//
// Voxels are many, and hardly any is ever astray:
// 1. Cut every row into runs of one side and join the runs that touch (see components.cc).
// 2. Runs in no set with an owned voxel are strays: their voxels lose their side.
// 3. Strays are taken by the voxels next to them, breadth first. The object's parts are connected, so none is left
// over.
#include "cut/whole_sides.h"

#include <algorithm>
#include <vector>

#include "cut/disjoint_sets.h"

namespace cleave::cut {
namespace {

struct LabelRun {
  uint32_t begin;  // grid indices
  uint32_t end;
  uint8_t side;
};

// The runs of voxels that have a side, ascending.
std::vector<LabelRun> FindRuns(const MaskGrid& grid, const Sides& sides) {
  std::vector<LabelRun> runs;
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
void JoinWithRow(const std::vector<LabelRun>& runs, int64_t offset, DisjointSets& sets) {
  size_t first = 0;
  for (size_t i = 0; i < runs.size(); ++i) {
    const int64_t begin = runs[i].begin - offset;
    const int64_t end = runs[i].end - offset;
    while (runs[first].end < begin) {
      ++first;
    }
    for (size_t j = first; j < i && runs[j].begin <= end; ++j) {
      if (runs[j].side == runs[i].side) {
        sets.Join(static_cast<uint32_t>(i), static_cast<uint32_t>(j));
      }
    }
  }
}

// Steps 1 and 2. Returns the voxels that lost their side.
std::vector<uint32_t> LoseStrays(const MaskGrid& grid, std::span<const uint32_t> owned, Sides& sides) {
  const std::vector<LabelRun> runs = FindRuns(grid, sides);
  DisjointSets sets(static_cast<uint32_t>(runs.size()));
  const int64_t y = grid.y_stride();
  const int64_t z = grid.z_stride();
  for (const int64_t offset : {y, z - y, z, z + y}) {
    JoinWithRow(runs, offset, sets);
  }
  std::vector<bool> is_kept(runs.size(), false);
  for (const uint32_t voxel : owned) {
    const auto after = std::upper_bound(runs.begin(), runs.end(), voxel,
                                        [](uint32_t v, const LabelRun& run) { return v < run.begin; });
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
  return strays;
}

}  // namespace

void KeepWhole(const PieceGraph& pieces, std::span<const uint32_t> owned, PieceSides& sides) {
  std::vector<bool> is_kept(pieces.size(), false);
  std::vector<uint32_t> kept(owned.begin(), owned.end());
  for (const uint32_t piece : owned) {
    is_kept[piece] = true;
  }
  for (const bool only_own : {true, false}) {
    for (size_t i = 0; i < kept.size(); ++i) {
      for (const PieceGraph::Arc& arc : pieces.arcs(kept[i])) {
        if (!is_kept[arc.to] && (!only_own || sides[arc.to] == sides[kept[i]])) {
          is_kept[arc.to] = true;
          sides[arc.to] = sides[kept[i]];
          kept.push_back(arc.to);
        }
      }
    }
  }
}

void KeepWhole(const MaskGrid& grid, std::span<const uint32_t> owned, Sides& sides) {
  const std::vector<uint32_t> strays = LoseStrays(grid, owned, sides);
  std::vector<uint32_t> open;  // voxels with a side, next to a stray
  for (const uint32_t voxel : strays) {
    for (const MaskGrid::Step& step : grid.steps()) {
      const uint32_t next = static_cast<uint32_t>(voxel + step.offset);
      if (sides[next] != 0) {
        open.push_back(next);
      }
    }
  }
  std::sort(open.begin(), open.end());
  open.erase(std::unique(open.begin(), open.end()), open.end());
  const auto is_stray = [&](uint32_t voxel) { return std::binary_search(strays.begin(), strays.end(), voxel); };
  for (size_t i = 0; i < open.size(); ++i) {
    for (const MaskGrid::Step& step : grid.steps()) {
      const uint32_t next = static_cast<uint32_t>(open[i] + step.offset);
      if (sides[next] == 0 && is_stray(next)) {
        sides[next] = sides[open[i]];
        open.push_back(next);
      }
    }
  }
}

}  // namespace cleave::cut
