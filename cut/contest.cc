// Dijkstra's algorithm with two labels a voxel.
//
// A voxel keeps the two cheapest ways of different sides. As ways leave the queue in the order of their cost, the first
// that leaves at a voxel is the winner's, for good, and the next of another side the rival's.
#include "cut/contest.h"

#include <array>

#include "cut/radix_heap.h"

namespace cleave::cut {
namespace {

enum Settled : uint8_t { kNone = 0, kWinner = 1, kBoth = 2 };

class TwoLabelGrowth {
 public:
  TwoLabelGrowth(const MaskGrid& grid, const TravelCost& cost, float least_closeness, Contest& contest)
      : cost_(cost), least_closeness_(least_closeness), contest_(contest), settled_(grid.size()) {
    for (size_t i = 0; i < offset_.size(); ++i) {
      offset_[i] = static_cast<int32_t>(grid.steps()[i].offset);
      half_length_[i] = static_cast<float>(grid.steps()[i].length_nm / 2);
    }
  }

  void Run(std::span<const uint32_t> owned) {
    for (const uint32_t voxel : owned) {
      contest_.time[voxel] = 1;
      open_.Push(1, voxel);
    }
    while (!open_.empty()) {
      const auto [time, voxel] = open_.Pop();
      if (settled_[voxel] == kNone) {
        settled_[voxel] = kWinner;
        Spread(voxel, time, contest_.winner[voxel]);
      } else if (settled_[voxel] == kWinner && time == contest_.rival_time[voxel]) {
        settled_[voxel] = kBoth;
        if (contest_.Closeness(voxel) >= least_closeness_) {
          Spread(voxel, time, contest_.rival[voxel]);
        } else {
          contest_.rival[voxel] = 0;
        }
      }
    }
  }

 private:
  void Spread(uint32_t voxel, float time, uint8_t side) {
    const float here = cost_[voxel];
    for (size_t i = 0; i < offset_.size(); ++i) {
      const uint32_t next = voxel + static_cast<uint32_t>(offset_[i]);
      const float there = cost_[next];
      if (there != 0 && settled_[next] != kBoth) {
        Offer(next, time + half_length_[i] * (here + there), side);
      }
    }
  }

  void Offer(uint32_t voxel, float time, uint8_t side) {
    uint8_t& winner = contest_.winner[voxel];
    uint8_t& rival = contest_.rival[voxel];
    float& winner_time = contest_.time[voxel];
    float& rival_time = contest_.rival_time[voxel];
    if (winner == side || winner == 0) {
      if (winner != 0 && time >= winner_time) {
        return;
      }
      winner = side;
      winner_time = time;
    } else if (time < winner_time) {
      rival = winner;
      rival_time = winner_time;
      winner = side;
      winner_time = time;
    } else {
      if (rival != 0 && time >= rival_time) {
        return;
      }
      if (settled_[voxel] == kWinner && (winner_time - 1) < least_closeness_ * (time - 1)) {
        return;
      }
      rival = side;
      rival_time = time;
    }
    open_.Push(time, voxel);
  }

  const TravelCost& cost_;
  const float least_closeness_;
  Contest& contest_;
  LazyArray<uint8_t> settled_;
  std::array<int32_t, 26> offset_{};
  std::array<float, 26> half_length_{};
  RadixHeap open_;
};

}  // namespace

void RunContest(const MaskGrid& grid, const TravelCost& cost, std::span<const uint32_t> owned, float least_closeness,
                Contest& contest) {
  TwoLabelGrowth(grid, cost, least_closeness, contest).Run(owned);
}

}  // namespace cleave::cut
