// Voxels painted for the sides of a split, instead of points or beside them: a label array, or boxes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/array.h"
#include "base/geometry.h"

namespace cleave::edit {

struct PaintedBox {
  Box box;
  uint8_t side = 0;  // 1: sources, 2: sinks, 3 and more: further sides
};

// What a brush leaves. Paint on background, and on objects other than the one that is split, counts for nothing.
struct Paint {
  VoxelPoint corner = {};  // of `sides` in the volume, scale 0
  std::shared_ptr<const Array3<uint8_t>> sides =
      {};                              // shape (x, y, z), x fastest; 0: not painted, else a side; or null
  std::vector<PaintedBox> boxes = {};  // over it; a later box lies over an earlier one

  [[nodiscard]] bool empty() const { return sides == nullptr && boxes.empty(); }
};

// The greatest side that is painted; 0 when nothing is.
[[nodiscard]] size_t GreatestSide(const Paint& paint);

// The box of all paint; an empty one when nothing is painted.
[[nodiscard]] Box EnvelopeOf(const Paint& paint);

// The side of each voxel of `envelope`, which is EnvelopeOf(paint).
[[nodiscard]] Array3<uint8_t> Flatten(const Paint& paint, const Box& envelope);

// Equal for equal paint, and for no other.
[[nodiscard]] std::string TextOf(const Paint& paint);

}  // namespace cleave::edit
