// A minimum cut per pair of sides.
//
// 1. The zone of a pair: pieces that one of them won and the other came near to.
// 2. An edge joins pieces that touch; cutting it costs the area of their contact. Neighbours outside the zone are fixed
//    and stand for the terminals.
// 3. Costs rise towards the edge of the zone, so that among equal cross-sections the middle one is taken, and a surface
//    moves only for a real gain.
#include "cut/surface.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "cut/max_flow.h"

namespace cleave::cut {
namespace {

constexpr uint32_t kOutside = std::numeric_limits<uint32_t>::max();
constexpr double kUnitsPerArea = 1e5;

// Pieces contested by one pair of sides, ascending.
struct Zone {
  uint8_t low;   // the smaller side
  uint8_t high;  // the larger
  std::vector<uint32_t> pieces;
};

class ZoneCutter {
 public:
  ZoneCutter(const PieceGraph& pieces, const SurfaceOptions& options, Contest& contest)
      : pieces_(pieces), options_(options), contest_(contest), node_(pieces.size(), kOutside) {}

  void Cut(const Zone& zone) {
    const uint32_t low_terminal = static_cast<uint32_t>(zone.pieces.size());
    for (uint32_t node = 0; node < low_terminal; ++node) {
      node_[zone.pieces[node]] = node;
    }
    std::vector<CapacityEdge> edges;
    for (uint32_t node = 0; node < low_terminal; ++node) {
      AddEdges(zone, node, edges);
    }
    MaxFlow flow(low_terminal + 2, edges);
    flow.Solve(low_terminal, low_terminal + 1);
    for (uint32_t node = 0; node < low_terminal; ++node) {
      contest_.winner[zone.pieces[node]] = flow.OnSourceSide(node) ? zone.low : zone.high;
    }
    for (const uint32_t piece : zone.pieces) {
      node_[piece] = kOutside;
    }
  }

 private:
  void AddEdges(const Zone& zone, uint32_t node, std::vector<CapacityEdge>& edges) const {
    const uint32_t low_terminal = static_cast<uint32_t>(zone.pieces.size());
    const uint32_t piece = zone.pieces[node];
    int64_t low = 0;
    int64_t high = 0;
    for (const PieceGraph::Arc& arc : pieces_.arcs(piece)) {
      if (node_[arc.to] == kOutside) {
        const int64_t capacity = Capacity(arc.area, Weight(piece));
        low += contest_.winner[arc.to] == zone.low ? capacity : 0;
        high += contest_.winner[arc.to] == zone.high ? capacity : 0;
      } else if (arc.to > piece) {
        edges.push_back({node, node_[arc.to], Capacity(arc.area, (Weight(piece) + Weight(arc.to)) / 2)});
      }
    }
    if (low > 0) {
      edges.push_back({low_terminal, node, low});
    }
    if (high > 0) {
      edges.push_back({node, low_terminal + 1, high});
    }
  }

  // 1 where both sides come at once, 1 + reluctance at the edge of the zone.
  [[nodiscard]] double Weight(uint32_t piece) const {
    const double distance = (1 - contest_.Closeness(piece)) / (1 - options_.least_closeness);
    return 1 + options_.reluctance * distance * distance;
  }

  [[nodiscard]] static int64_t Capacity(float area, double weight) {
    return std::max<int64_t>(1, std::llround(kUnitsPerArea * area * weight));
  }

  const PieceGraph& pieces_;
  const SurfaceOptions& options_;
  Contest& contest_;
  std::vector<uint32_t> node_;  // of each piece, in the zone at hand
};

// Keeps the most contested pieces of a zone that is too large.
void Limit(const Contest& contest, size_t most_pieces, std::vector<uint32_t>& zone) {
  if (zone.size() <= most_pieces) {
    return;
  }
  const auto is_nearer = [&](uint32_t a, uint32_t b) {
    return std::pair(-contest.Closeness(a), a) < std::pair(-contest.Closeness(b), b);
  };
  std::nth_element(zone.begin(), zone.begin() + static_cast<std::ptrdiff_t>(most_pieces), zone.end(), is_nearer);
  zone.resize(most_pieces);
  std::sort(zone.begin(), zone.end());
}

std::vector<Zone> FindZones(std::span<const uint32_t> owned, const SurfaceOptions& options, Contest& contest) {
  for (const uint32_t piece : owned) {
    contest.rival[piece] = 0;
  }
  std::map<std::pair<uint8_t, uint8_t>, std::vector<uint32_t>> zones;
  for (uint32_t piece = 0; piece < contest.winner.size(); ++piece) {
    if (contest.Closeness(piece) >= options.least_closeness) {
      zones[std::minmax(contest.winner[piece], contest.rival[piece])].push_back(piece);
    }
  }
  std::vector<Zone> result;
  for (auto& [sides, zone] : zones) {
    Limit(contest, options.most_pieces, zone);
    result.push_back({sides.first, sides.second, std::move(zone)});
  }
  return result;
}

}  // namespace

void TightenSurfaces(const PieceGraph& pieces, std::span<const uint32_t> owned, const SurfaceOptions& options,
                     Contest& contest) {
  ZoneCutter cutter(pieces, options, contest);
  for (const Zone& zone : FindZones(owned, options, contest)) {
    cutter.Cut(zone);
  }
}

}  // namespace cleave::cut
