// 1. All points are claimed first, so that no way runs over another group's point.
// 2. One group after the other claims the cheapest ways from its first point to its others.
// 3. A group that finds its way barred gives up; it goes to the front of the order and all start again. When a group
//    fails that has been at the front, there is no way round.
#include "cut/join_groups.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"

namespace cleave::cut {
namespace {

using Groups = std::vector<std::vector<uint32_t>>;

struct Failure {
  size_t group;
  uint32_t piece;
};

class GroupJoiner {
 public:
  GroupJoiner(const PieceGraph& pieces, const TravelCost& cost, const Groups& groups, PieceSides& sides)
      : pieces_(pieces), cost_(cost), groups_(groups), sides_(sides) {}

  // Steps 1 and 2, from the start.
  std::optional<Failure> ClaimWays(std::span<const size_t> order) {
    for (const uint32_t piece : claimed_) {
      sides_[piece] = 0;
    }
    claimed_.clear();
    for (size_t group = 0; group < groups_.size(); ++group) {
      Claim(groups_[group], group);
    }
    for (const size_t group : order) {
      const Ways ways = FindWays(pieces_, cost_, groups_[group].front(), std::span(groups_[group]).subspan(1),
                                 static_cast<uint8_t>(group + 1), sides_);
      if (ways.unreachable) {
        return Failure{group, *ways.unreachable};
      }
      Claim(ways.pieces, group);
    }
    return std::nullopt;
  }

  [[nodiscard]] std::vector<uint32_t> TakeClaimed() { return std::move(claimed_); }

 private:
  void Claim(std::span<const uint32_t> pieces, size_t group) {
    for (const uint32_t piece : pieces) {
      if (sides_[piece] == 0) {
        sides_[piece] = static_cast<uint8_t>(group + 1);
        claimed_.push_back(piece);
      }
    }
  }

  const PieceGraph& pieces_;
  const TravelCost& cost_;
  const Groups& groups_;
  PieceSides& sides_;
  std::vector<uint32_t> claimed_;
};

absl::StatusOr<Groups> ToPieces(const PieceGraph& pieces, std::span<const std::vector<uint32_t>> groups) {
  Groups result;
  PieceSides owner(pieces.size(), 0);
  for (size_t group = 0; group < groups.size(); ++group) {
    result.emplace_back();
    for (const uint32_t voxel : groups[group]) {
      const uint32_t piece = pieces.PieceOf(voxel);
      if (owner[piece] != 0 && owner[piece] != group + 1) {
        return absl::AbortedError("points of two groups lie in one piece");
      }
      owner[piece] = static_cast<uint8_t>(group + 1);
      result.back().push_back(piece);
    }
  }
  return result;
}

absl::Status Explain(const MaskGrid& grid, const PieceGraph& pieces, const TravelCost& cost, const Groups& in_pieces,
                     std::span<const std::vector<uint32_t>> groups, const Failure& failure) {
  const std::vector<uint32_t>& group = in_pieces[failure.group];
  const uint32_t target[] = {failure.piece};
  const PieceSides nobody(pieces.size(), 0);
  const bool is_apart = FindWays(pieces, cost, group.front(), target, 1, nobody).unreachable.has_value();
  const auto place = std::find(group.begin(), group.end(), failure.piece) - group.begin();
  const std::string start = absl::StrCat("group ", failure.group + 1, ": point ",
                                         ToString(grid.Point(groups[failure.group][static_cast<size_t>(place)])));
  const std::string first = ToString(grid.Point(groups[failure.group].front()));
  if (is_apart) {
    return absl::FailedPreconditionError(absl::StrCat(start, " lies in another piece of the object than point ", first,
                                                      "; put the points of one group into one connected piece"));
  }
  return absl::AbortedError(absl::StrCat(start, " cannot be joined with point ", first,
                                         " without passing through another group; move the points or cut in several "
                                         "steps"));
}

}  // namespace

absl::StatusOr<std::vector<uint32_t>> JoinGroups(const MaskGrid& grid, const PieceGraph& pieces, const TravelCost& cost,
                                                 std::span<const std::vector<uint32_t>> groups, PieceSides& sides) {
  absl::StatusOr<Groups> in_pieces = ToPieces(pieces, groups);
  if (!in_pieces.ok()) {
    return in_pieces.status();
  }
  GroupJoiner joiner(pieces, cost, *in_pieces, sides);
  std::vector<size_t> order(groups.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::vector<bool> has_led(groups.size(), false);
  while (const std::optional<Failure> failure = joiner.ClaimWays(order)) {
    if (has_led[failure->group]) {
      return Explain(grid, pieces, cost, *in_pieces, groups, *failure);
    }
    has_led[failure->group] = true;
    std::erase(order, failure->group);
    order.insert(order.begin(), failure->group);
  }
  return joiner.TakeClaimed();
}

}  // namespace cleave::cut
