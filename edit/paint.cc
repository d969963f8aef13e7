#include "edit/paint.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace cleave::edit {
namespace {

Box ArrayBox(const Paint& paint) { return paint.sides == nullptr ? Box{} : BoxAt(paint.corner, paint.sides->extent()); }

}  // namespace

size_t GreatestSide(const Paint& paint) {
  uint8_t greatest = 0;
  if (paint.sides != nullptr && paint.sides->size() > 0) {
    greatest = *std::max_element(paint.sides->data(), paint.sides->data() + paint.sides->size());
  }
  for (const PaintedBox& painted : paint.boxes) {
    greatest = std::max(greatest, painted.side);
  }
  return greatest;
}

Box EnvelopeOf(const Paint& paint) {
  Box envelope = ArrayBox(paint);
  for (const PaintedBox& painted : paint.boxes) {
    envelope = envelope.empty() ? painted.box : Envelope(envelope, painted.box);
  }
  return envelope;
}

Array3<uint8_t> Flatten(const Paint& paint, const Box& envelope) {
  Array3<uint8_t> sides(envelope.extent());
  if (const Box box = ArrayBox(paint); !box.empty()) {
    CopyArray(paint.sides->view(), sides.view().Crop(BoxAt(box.lo - envelope.lo, box.extent())));
  }
  for (const PaintedBox& painted : paint.boxes) {
    const ArrayView3<uint8_t> part = sides.view().Crop(BoxAt(painted.box.lo - envelope.lo, painted.box.extent()));
    for (int64_t z = 0; z < part.extent().z; ++z) {
      for (int64_t y = 0; y < part.extent().y; ++y) {
        std::fill_n(part.Row(y, z), part.extent().x, painted.side);
      }
    }
  }
  return sides;
}

std::string TextOf(const Paint& paint) {
  std::string text = cleave::ToString(paint.corner);
  if (paint.sides != nullptr) {
    absl::StrAppend(&text, cleave::ToString(paint.sides->extent()), ":");
    for (int64_t i = 0; i < paint.sides->size();) {
      const uint8_t side = paint.sides->data()[i];
      const int64_t start = i;
      while (i < paint.sides->size() && paint.sides->data()[i] == side) {
        ++i;
      }
      absl::StrAppend(&text, i - start, "x", side, " ");
    }
  }
  for (const PaintedBox& painted : paint.boxes) {
    absl::StrAppend(&text, cleave::ToString(painted.box), "=", painted.side, " ");
  }
  return text;
}

}  // namespace cleave::edit
