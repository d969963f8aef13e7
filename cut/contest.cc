// Dijkstra's algorithm with two labels a piece.
//
// A piece keeps the two cheapest ways of different sides. As ways leave the queue in the order of their cost, the first
// that leaves at a piece is the winner's, for good, and the next of another side the rival's.
#include "cut/contest.h"

#include "cut/radix_heap.h"

namespace cleave::cut {
namespace {

enum Settled : uint8_t { kNone, kWinner, kBoth };

class TwoLabelGrowth {
 public:
  TwoLabelGrowth(const PieceGraph& pieces, const TravelCost& cost, float least_closeness, const PieceSides& sides)
      : pieces_(pieces), cost_(cost), least_closeness_(least_closeness), settled_(pieces.size(), kNone) {
    contest_.winner = sides;
    contest_.rival.resize(pieces.size());
    contest_.winner_time.resize(pieces.size());
    contest_.rival_time.resize(pieces.size());
  }

  Contest Run(std::span<const uint32_t> owned) {
    for (const uint32_t piece : owned) {
      open_.Push(0, piece);
    }
    while (!open_.empty()) {
      const auto [time, piece] = open_.Pop();
      if (settled_[piece] == kNone) {
        settled_[piece] = kWinner;
        Spread(piece, time, contest_.winner[piece]);
      } else if (settled_[piece] == kWinner && contest_.rival[piece] != 0 && time == contest_.rival_time[piece]) {
        settled_[piece] = kBoth;
        if (contest_.Closeness(piece) >= least_closeness_) {
          Spread(piece, time, contest_.rival[piece]);
        } else {
          contest_.rival[piece] = 0;
        }
      }
    }
    return std::move(contest_);
  }

 private:
  void Spread(uint32_t piece, float time, uint8_t side) {
    for (const PieceGraph::Arc& arc : pieces_.arcs(piece)) {
      if (settled_[arc.to] != kBoth) {
        Offer(arc.to, time + arc.length_nm * (cost_[piece] + cost_[arc.to]) / 2, side);
      }
    }
  }

  void Offer(uint32_t piece, float time, uint8_t side) {
    uint8_t& winner = contest_.winner[piece];
    uint8_t& rival = contest_.rival[piece];
    float& winner_time = contest_.winner_time[piece];
    float& rival_time = contest_.rival_time[piece];
    if (winner == 0) {
      winner = side;
      winner_time = time;
    } else if (winner == side) {
      if (time >= winner_time) {
        return;
      }
      winner_time = time;
    } else if (time < winner_time) {
      rival = winner;
      rival_time = winner_time;
      winner = side;
      winner_time = time;
    } else {
      const bool is_too_late = settled_[piece] == kWinner && winner_time < least_closeness_ * time;
      if (is_too_late || (rival != 0 && time >= rival_time)) {
        return;
      }
      rival = side;
      rival_time = time;
    }
    open_.Push(time, piece);
  }

  const PieceGraph& pieces_;
  const TravelCost& cost_;
  const float least_closeness_;
  Contest contest_;
  std::vector<Settled> settled_;
  RadixHeap open_;
};

}  // namespace

Contest RunContest(const PieceGraph& pieces, const TravelCost& cost, std::span<const uint32_t> owned,
                   const PieceSides& sides, float least_closeness) {
  return TwoLabelGrowth(pieces, cost, least_closeness, sides).Run(owned);
}

}  // namespace cleave::cut
