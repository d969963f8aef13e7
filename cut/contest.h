// Growth of all sides at once, with the runner-up of every voxel that is contested.
#pragma once

#include <cstdint>
#include <span>

#include "cut/growth.h"

namespace cleave::cut {

// Who reaches each voxel of the object first, and who second. Indexed like the grid.
struct Contest {
  Sides winner;           // 0 where nobody comes
  LazyArray<float> time;  // cost of the winner's way plus 1; 0 where nobody comes
  Sides rival;            // the second side; 0 where none comes within the reach asked for
  LazyArray<float> rival_time;

  explicit Contest(uint64_t size) : winner(size), time(size), rival(size), rival_time(size) {}
  // How near the rival came: the winner's cost over the rival's, 0 (no rival) to 1 (a tie).
  [[nodiscard]] float Closeness(uint32_t voxel) const {
    return rival[voxel] == 0 ? 0 : (time[voxel] - 1) / (rival_time[voxel] - 1);
  }
};

// Grows from `owned` voxels, whose owners stand in `contest.winner`. The winner is the side whose way is cheapest, and
// its voxels are as connected as its owned ones were. A rival's way is followed as long as Closeness is at least
// `least_closeness`. REQUIRES: the contest is otherwise untouched; least_closeness > 0.
void RunContest(const MaskGrid& grid, const TravelCost& cost, std::span<const uint32_t> owned, float least_closeness,
                Contest& contest);

}  // namespace cleave::cut
