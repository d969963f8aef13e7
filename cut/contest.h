// Growth of all sides at once, with the runner-up of every piece that is contested.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cut/travel.h"

namespace cleave::cut {

// Who reaches each piece of the object first, and who second.
struct Contest {
  PieceSides winner;  // 0 where nobody comes
  PieceSides rival;   // the second side; 0 where none comes within the reach asked for
  std::vector<float> winner_time;
  std::vector<float> rival_time;

  // How near the rival came: the winner's cost over the rival's, 0 (no rival) to 1 (a tie).
  [[nodiscard]] float Closeness(uint32_t piece) const {
    return rival[piece] == 0 ? 0 : winner_time[piece] / rival_time[piece];
  }
};

// Grows from `owned` pieces, whose owners stand in `sides`. The winner of a piece is the side whose way is cheapest,
// and its pieces are as connected as its owned ones were. A rival's way is followed as long as Closeness is at least
// `least_closeness`. REQUIRES: least_closeness > 0; no other piece has a side.
[[nodiscard]] Contest RunContest(const PieceGraph& pieces, const TravelCost& cost, std::span<const uint32_t> owned,
                                 const PieceSides& sides, float least_closeness);

}  // namespace cleave::cut
