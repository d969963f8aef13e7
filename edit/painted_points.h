// Paint as points: the painted voxels of one object.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

#include "edit/draft.h"
#include "edit/paint.h"
#include "edit/split_plan.h"
#include "graph/ids.h"

namespace cleave::edit {

inline constexpr int64_t kPaintedVoxelsMax = 1'000'000;
inline constexpr int64_t kPaintedBoxVoxelsMax = int64_t{1} << 27;

// The painted voxels of one object by side, `side_count` of them, in the order of the array: those of `root`, or
// without one, of the only object that is painted for every side. Errors: INVALID_ARGUMENT for a side that is not
// there, boxes that are empty, and too much paint (above); OUT_OF_RANGE for paint outside of the volume;
// FAILED_PRECONDITION where no object, or more than one, is painted for every side.
[[nodiscard]] absl::StatusOr<std::vector<std::vector<MarkedPoint>>> FindPainted(const Draft& draft, const Paint& paint,
                                                                                size_t side_count, graph::NodeId root);

}  // namespace cleave::edit
