// 1. All points are claimed first, so that no way runs over another group's point.
// 2. One group after the other claims the cheapest ways from its first point to its others.
// 3. A group that finds its way barred gives up; it goes to the front of the order and all start again. When a group
//    fails that has been at the front, there is no way round.
#include "cut/join_groups.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include "absl/strings/str_cat.h"

namespace cleave::cut {
namespace {

struct Failure {
  size_t group;
  uint32_t point;
};

// Steps 1 and 2. Appends what it claims to `claimed`.
std::optional<Failure> ClaimWays(Growth& growth, std::span<const std::vector<uint32_t>> groups,
                                 std::span<const size_t> order, Sides& sides, std::vector<uint32_t>& claimed) {
  for (size_t group = 0; group < groups.size(); ++group) {
    for (const uint32_t point : groups[group]) {
      sides[point] = static_cast<uint8_t>(group + 1);
      claimed.push_back(point);
    }
  }
  for (const size_t group : order) {
    if (groups[group].size() == 1) {
      continue;
    }
    const uint8_t owner = static_cast<uint8_t>(group + 1);
    const Growth::Ways ways = growth.FindWays(groups[group].front(), std::span(groups[group]).subspan(1), owner, sides);
    if (ways.unreachable) {
      return Failure{group, *ways.unreachable};
    }
    for (const uint32_t voxel : ways.voxels) {
      if (sides[voxel] == 0) {
        sides[voxel] = owner;
        claimed.push_back(voxel);
      }
    }
  }
  return std::nullopt;
}

absl::Status Explain(const MaskGrid& grid, Growth& growth, std::span<const std::vector<uint32_t>> groups,
                     const Failure& failure) {
  const Sides nobody(grid.size());
  const uint32_t first = groups[failure.group].front();
  const uint32_t target[] = {failure.point};
  const bool apart = growth.FindWays(first, target, 1, nobody).unreachable.has_value();
  const std::string points = absl::StrCat("group ", failure.group + 1, ": point ", ToString(grid.Point(failure.point)));
  return absl::FailedPreconditionError(
      apart ? absl::StrCat(points, " lies in another piece of the object than point ", ToString(grid.Point(first)),
                           "; put the points of one group into one connected piece")
            : absl::StrCat(points, " cannot be joined with point ", ToString(grid.Point(first)),
                           " without passing through another group; move the points or cut in several steps"));
}

}  // namespace

absl::StatusOr<std::vector<uint32_t>> JoinGroups(const MaskGrid& grid, const TravelCost& cost,
                                                 std::span<const std::vector<uint32_t>> groups, Sides& sides) {
  Growth growth(grid, cost);
  std::vector<size_t> order(groups.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::vector<bool> has_led(groups.size(), false);
  while (true) {
    std::vector<uint32_t> claimed;
    const std::optional<Failure> failure = ClaimWays(growth, groups, order, sides, claimed);
    if (!failure) {
      return claimed;
    }
    for (const uint32_t voxel : claimed) {
      sides[voxel] = 0;
    }
    if (has_led[failure->group]) {
      return Explain(grid, growth, groups, *failure);
    }
    has_led[failure->group] = true;
    std::erase(order, failure->group);
    order.insert(order.begin(), failure->group);
  }
}

}  // namespace cleave::cut
