// For tests only: every voxel of an extent.
#pragma once

#include "base/geometry.h"

namespace cleave::cut {

// Calls `function` with each point, x fastest.
template <typename Function>
void ForEachPoint(Extent3 extent, Function function) {
  for (int64_t z = 0; z < extent.z; ++z) {
    for (int64_t y = 0; y < extent.y; ++y) {
      for (int64_t x = 0; x < extent.x; ++x) {
        function(VoxelPoint{x, y, z});
      }
    }
  }
}

}  // namespace cleave::cut
