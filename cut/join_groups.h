// Holds the points of each group together before an object is cut.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

#include "cut/travel.h"

namespace cleave::cut {

// Writes 1 + g into `sides` at the pieces of group g's points and along ways that join them, ways of different groups
// having no piece in common, and returns all these pieces. `groups` are grid indices of voxels of the object; `sides`
// is all 0. Errors: ABORTED when points of two groups lie in one piece, or ways bar each other where smaller pieces
// could still leave room: try with smaller cells. FAILED_PRECONDITION when points of one group lie in different parts
// of the object; the message names the group and a point, in indices of the mask.
[[nodiscard]] absl::StatusOr<std::vector<uint32_t>> JoinGroups(const MaskGrid& grid, const PieceGraph& pieces,
                                                               const TravelCost& cost,
                                                               std::span<const std::vector<uint32_t>> groups,
                                                               PieceSides& sides);

}  // namespace cleave::cut
