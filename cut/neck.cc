// The border between two sides could run wherever a front passes that spreads from the one and dies at the other.
// These fronts are the cross-sections of the way between the points; the best of them is the border.
//
// 1. In the pieces of both sides together, what it costs to come from each side's points: two searches.
// 2. The place of a piece is the difference of the two, over the cost of the whole way: -1 to 1. All pieces up to a
//    place are connected with the points of the one side, all others with those of the other: whoever lies on a
//    cheapest way to a piece lies nearer to where the way starts.
// 3. In the order of places, pieces go over from one side to the other, and the area between the two parts is kept up.
// 4. A neck is narrow beside what is before it and behind it. The least area alone would cut off a thin twig in which
//    a point happens to lie; a twig is narrow, but not narrower than itself.
// 5. Where two bodies touch, the surface has a furrow around their contact (rim.h). That tells a contact from a twig
//    even where the contact is broad.
// 6. The price of a cross-section rises towards the points, so that without any neck the border stays where ways from
//    both are equally long.
#include "cut/neck.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <set>
#include <utility>
#include <vector>

#include "base/parallel.h"

namespace cleave::cut {
namespace {

constexpr uint32_t kPiecesForTwoThreads = 4000;
constexpr double kLeastRimArea = 1e-3;
constexpr double kLeastFill = 1e-3;

struct Pair {
  uint8_t low;
  uint8_t high;
  friend auto operator<=>(const Pair&, const Pair&) = default;
};

struct Place {
  float place;
  uint32_t piece;
  friend auto operator<=>(const Place&, const Place&) = default;
};

std::set<Pair> TouchingPairs(const PieceGraph& pieces, const PieceSides& sides) {
  std::set<Pair> pairs;
  for (uint32_t piece = 0; piece < pieces.size(); ++piece) {
    for (const PieceGraph::Arc& arc : pieces.arcs(piece)) {
      if (sides[piece] != 0 && sides[piece] < sides[arc.to]) {
        pairs.insert({sides[piece], sides[arc.to]});
      }
    }
  }
  return pairs;
}

class Mover {
 public:
  Mover(const PieceGraph& pieces, const Rim& rim, const TravelCost& cost, std::span<const uint32_t> owned,
        PieceSides& sides)
      : pieces_(pieces), rim_(rim), cost_(cost), sides_(sides), is_owned_(pieces.size(), false), owned_(owned) {
    for (const uint32_t piece : owned) {
      is_owned_[piece] = true;
    }
  }

  void Move(Pair pair) {
    const std::vector<Place> places = FindPlaces(pair);
    const float neck = FindNeck(FindSections(pair, places));
    for (const Place& at : places) {
      sides_[at.piece] = at.place <= neck ? pair.low : pair.high;
    }
  }

 private:
  // Steps 1 and 2. Pieces that are not owned and that both sides can reach, by place.
  [[nodiscard]] std::vector<Place> FindPlaces(Pair pair) const {
    std::array<std::vector<float>, 2> times;
    const absl::Status done =
        ParallelFor(2, pieces_.size() < kPiecesForTwoThreads ? 1 : DefaultThreadCount(), [&](int64_t i) {
          times[i] = TimesFrom(i == 0 ? pair.low : pair.high, pair);
          return absl::OkStatus();
        });
    assert(done.ok());
    const auto& [low, high] = times;
    float whole = std::numeric_limits<float>::infinity();
    for (const uint32_t piece : owned_) {
      whole = sides_[piece] == pair.high ? std::min(whole, low[piece]) : whole;
    }
    std::vector<Place> places;
    for (uint32_t piece = 0; piece < pieces_.size() && std::isfinite(whole); ++piece) {
      if (!is_owned_[piece] && std::isfinite(low[piece]) && std::isfinite(high[piece])) {
        places.push_back({std::clamp((low[piece] - high[piece]) / whole, -1.0f, 1.0f), piece});
      }
    }
    std::sort(places.begin(), places.end());
    return places;
  }

  [[nodiscard]] bool IsIn(Pair pair, uint32_t piece) const {
    return sides_[piece] == pair.low || sides_[piece] == pair.high;
  }

  // A way ends at the other side's owned pieces.
  [[nodiscard]] std::vector<float> TimesFrom(uint8_t side, Pair pair) const {
    std::vector<uint32_t> starts;
    std::copy_if(owned_.begin(), owned_.end(), std::back_inserter(starts),
                 [&](uint32_t piece) { return sides_[piece] == side; });
    return FindTimes(pieces_, cost_, starts, [&](uint32_t from, uint32_t to) {
      return IsIn(pair, to) && (!is_owned_[from] || sides_[from] == side);
    });
  }

  // The contacts between the two parts.
  struct Sum {
    double area = 0;
    double rim_area = 0;
    double rim_fill = 0;  // times area
  };

  // Step 3. Pieces that are not in `places` stay where they are.
  [[nodiscard]] std::vector<CrossSection> FindSections(Pair pair, const std::vector<Place>& places) const {
    std::vector<bool> is_low(pieces_.size());
    for (uint32_t piece = 0; piece < pieces_.size(); ++piece) {
      is_low[piece] = sides_[piece] == pair.low;
    }
    for (const Place& at : places) {
      is_low[at.piece] = false;
    }
    Sum sum;
    for (uint32_t piece = 0; piece < pieces_.size(); ++piece) {
      if (is_low[piece]) {
        AddContacts(pair, piece, is_low, false, 1, sum);
      }
    }
    std::vector<CrossSection> sections;
    for (size_t i = 0; i + 1 < places.size(); ++i) {
      const uint32_t piece = places[i].piece;
      AddContacts(pair, piece, is_low, true, -1, sum);
      AddContacts(pair, piece, is_low, false, 1, sum);
      is_low[piece] = true;
      if (places[i].place < places[i + 1].place) {
        const double fill = sum.rim_fill / std::max(sum.rim_area, kLeastRimArea);
        sections.push_back({(places[i].place + places[i + 1].place) / 2, sum.area, fill});
      }
    }
    return sections;
  }

  // Adds the contacts of a piece with pieces of the pair that are low, or are not.
  void AddContacts(Pair pair, uint32_t piece, const std::vector<bool>& is_low, bool low, double sign, Sum& sum) const {
    for (const PieceGraph::Arc& arc : pieces_.arcs(piece)) {
      if (is_low[arc.to] != low || !IsIn(pair, arc.to)) {
        continue;
      }
      const double area = sign * static_cast<double>(arc.area);
      sum.area += area;
      if (rim_.Has(piece, arc.to)) {
        sum.rim_area += area;
        sum.rim_fill += area * static_cast<double>(rim_.Fill(piece, arc.to));
      }
    }
  }

  const PieceGraph& pieces_;
  const Rim& rim_;
  const TravelCost& cost_;
  PieceSides& sides_;
  std::vector<bool> is_owned_;
  std::span<const uint32_t> owned_;
};

}  // namespace

float FindNeck(std::span<const CrossSection> sections) {
  std::vector<double> largest_behind(sections.size() + 1, 0);
  for (size_t i = sections.size(); i-- > 0;) {
    largest_behind[i] = std::max(largest_behind[i + 1], sections[i].area);
  }
  float neck = 0;
  double least = std::numeric_limits<double>::infinity();
  double largest_before = 0;
  for (size_t i = 0; i < sections.size(); ++i) {
    largest_before = std::max(largest_before, sections[i].area);
    const double place = sections[i].place;
    const double narrowness = sections[i].area / std::sqrt(largest_before * largest_behind[i]);
    const double fill = std::max(sections[i].fill, kLeastFill);
    const double middle = std::max(1 - place * place, kLeastFill);
    const double price = narrowness / (fill * fill) / (middle * middle);
    if (price < least) {
      least = price;
      neck = sections[i].place;
    }
  }
  return neck;
}

void MoveToNecks(const PieceGraph& pieces, const Rim& rim, const TravelCost& cost, std::span<const uint32_t> owned,
                 PieceSides& sides) {
  Mover mover(pieces, rim, cost, owned, sides);
  for (const Pair pair : TouchingPairs(pieces, sides)) {
    mover.Move(pair);
  }
}

}  // namespace cleave::cut
