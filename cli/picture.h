// Pictures of labels: one section, each id in a colour of its own that it keeps in every picture.
#pragma once

#include <cstdint>
#include <vector>

#include "cli/image.h"

#include "base/array.h"
#include "base/geometry.h"

namespace cleave::cli {

// A point that is marked: sources as a cross, sinks as a disc.
struct Mark {
  VoxelPoint point;  // in the coordinates of the picture's box
  bool source = true;
};

struct PictureOptions {
  // The first of these ids gets the first colour of a palette of strong, well-told-apart colours, and so on; all other
  // ids are dimmed. Empty: no id is dimmed.
  std::vector<uint64_t> highlighted;
  std::vector<Mark> marks;
  // Pixels of a voxel along x and y.
  int64_t scale = 1;
};

// The colour of an id: always the same, never near black. 0 is background, dark.
[[nodiscard]] Color ColorOf(uint64_t id);

// Draws labels of one section (extent.z = 1), whose voxel (0, 0, 0) is `origin`. Borders between ids are drawn dark.
// Marks of another section are drawn hollow; those outside are left out. y points down, as viewers of the field have
// it.
[[nodiscard]] Image DrawLabels(ArrayView3<const uint64_t> labels, VoxelPoint origin, const PictureOptions& options);

// Pictures of equal height from left to right, parted by a light gap. REQUIRES: at least one.
[[nodiscard]] Image Beside(const std::vector<Image>& pictures);

// The scale at which a section is readable on a screen: its longer side takes about 800 pixels, never below 1.
[[nodiscard]] int64_t ReadableScale(Extent3 extent);

}  // namespace cleave::cli
