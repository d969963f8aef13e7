// A picture in memory: rows from top to bottom, pixels from left to right.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cleave::cli {

// sRGB, 8 bits a channel.
struct Color {
  uint8_t red = 0;
  uint8_t green = 0;
  uint8_t blue = 0;
  friend bool operator==(const Color&, const Color&) = default;
};

struct Pixel {
  int64_t x = 0;
  int64_t y = 0;
};

struct PixelExtent {
  int64_t width = 0;
  int64_t height = 0;
  friend bool operator==(const PixelExtent&, const PixelExtent&) = default;
};

class Image {
 public:
  Image() = default;
  explicit Image(PixelExtent extent, Color fill = {})
      : extent_(extent), pixels_(static_cast<size_t>(extent.width * extent.height), fill) {}

  [[nodiscard]] PixelExtent extent() const { return extent_; }
  [[nodiscard]] bool Contains(Pixel p) const {
    return p.x >= 0 && p.y >= 0 && p.x < extent_.width && p.y < extent_.height;
  }
  // REQUIRES: Contains(p).
  [[nodiscard]] Color& operator[](Pixel p) { return pixels_[static_cast<size_t>(p.x + p.y * extent_.width)]; }
  [[nodiscard]] const Color& operator[](Pixel p) const {
    return pixels_[static_cast<size_t>(p.x + p.y * extent_.width)];
  }

 private:
  PixelExtent extent_;
  std::vector<Color> pixels_;
};

}  // namespace cleave::cli
