// Holds the points of each group together before an object is cut.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

#include "cut/growth.h"

namespace cleave::cut {

// Writes 1 + g into `sides` at the points of group g and along ways that join them, ways of different groups having no
// voxel in common, and returns all these voxels. `groups` are grid indices, no voxel in two groups; `sides` is all 0.
// Errors: FAILED_PRECONDITION when points of one group lie in different pieces of the object, or cannot be joined
// without passing through another group's ways; the message names the group and a point, in indices of the mask.
[[nodiscard]] absl::StatusOr<std::vector<uint32_t>> JoinGroups(const MaskGrid& grid, const TravelCost& cost,
                                                               std::span<const std::vector<uint32_t>> groups,
                                                               Sides& sides);

}  // namespace cleave::cut
