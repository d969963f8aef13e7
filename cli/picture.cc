#include "cli/picture.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>

#include "absl/container/flat_hash_map.h"

namespace cleave::cli {
namespace {

constexpr Color kBackground{14, 16, 20};
constexpr Color kGap{244, 244, 244};
constexpr Color kOutline{255, 255, 255};
constexpr Color kShadow{0, 0, 0};
constexpr Color kSourceMark{225, 29, 72};
constexpr Color kSinkMark{29, 78, 216};
constexpr int64_t kReadablePixels = 800;
constexpr int64_t kGapPixels = 12;
// Told apart by people with any colour vision (after M. Okabe, K. Ito: Color Universal Design, 2008).
constexpr std::array<Color, 7> kPalette = {
    {{230, 159, 0}, {86, 180, 233}, {0, 158, 115}, {240, 228, 66}, {204, 121, 167}, {213, 94, 0}, {0, 114, 178}}};

// A well-mixed 64-bit number (D. Stafford's variant 13 of the MurmurHash3 finalizer).
uint64_t Mix(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

struct HueSaturationValue {
  double hue = 0;  // in turns, [0, 1)
  double saturation = 0;
  double value = 0;
};

Color FromHsv(const HueSaturationValue& hsv) {
  const auto channel = [&](double offset) {
    const double k = std::fmod(offset + hsv.hue * 6, 6);
    const double share = hsv.value - hsv.value * hsv.saturation * std::clamp(std::min(k, 4 - k), 0.0, 1.0);
    return static_cast<uint8_t>(std::lround(255 * share));
  };
  return {channel(5), channel(3), channel(1)};
}

Color Blend(Color from, Color to, double share) {
  const auto channel = [&](uint8_t a, uint8_t b) {
    return static_cast<uint8_t>(std::lround(static_cast<double>(a) * (1 - share) + static_cast<double>(b) * share));
  };
  return {channel(from.red, to.red), channel(from.green, to.green), channel(from.blue, to.blue)};
}

// Grey, with a trace of the colour, so that neighbours can still be told apart.
Color Dimmed(Color color) {
  const int luminance = (299 * color.red + 587 * color.green + 114 * color.blue) / 1000;
  const auto grey = static_cast<uint8_t>(38 + luminance / 4);
  return Blend({grey, grey, static_cast<uint8_t>(grey + 5)}, color, 0.08);
}

// Colours of the ids of one picture.
class Colors {
 public:
  explicit Colors(const std::vector<uint64_t>& highlighted) : dims_(!highlighted.empty()) {
    for (size_t i = 0; i < highlighted.size(); ++i) {
      colors_.try_emplace(highlighted[i], kPalette[i % kPalette.size()]);
    }
    highlighted_.insert(highlighted_.end(), highlighted.begin(), highlighted.end());
  }
  Color Of(uint64_t id) {
    const auto [found, inserted] = colors_.try_emplace(id);
    if (inserted) {
      found->second = dims_ && id != 0 ? Dimmed(ColorOf(id)) : ColorOf(id);
    }
    return found->second;
  }
  [[nodiscard]] bool IsHighlighted(uint64_t id) const {
    return std::ranges::find(highlighted_, id) != highlighted_.end();
  }

 private:
  const bool dims_;
  std::vector<uint64_t> highlighted_;
  absl::flat_hash_map<uint64_t, Color> colors_;
};

// Whether the pixel lies at the rim of its voxel towards a voxel of another id.
bool IsBorder(ArrayView3<const uint64_t> labels, Pixel pixel, int64_t scale) {
  const VoxelPoint voxel{pixel.x / scale, pixel.y / scale, 0};
  const auto differs = [&](VoxelPoint other) {
    return other.x < labels.extent().x && other.y < labels.extent().y && labels[other] != labels[voxel];
  };
  return (pixel.x % scale == scale - 1 && differs({voxel.x + 1, voxel.y, 0})) ||
         (pixel.y % scale == scale - 1 && differs({voxel.x, voxel.y + 1, 0}));
}

void PaintLabels(ArrayView3<const uint64_t> labels, const PictureOptions& options, Image& image) {
  constexpr double kBorderShade = 0.55;
  Colors colors(options.highlighted);
  const int64_t scale = options.scale;
  for (int64_t y = 0; y < image.extent().height; ++y) {
    for (int64_t x = 0; x < image.extent().width; ++x) {
      const Color color = colors.Of(labels[{x / scale, y / scale, 0}]);
      const bool border = scale > 1 && IsBorder(labels, {x, y}, scale);
      image[{x, y}] = border ? Blend(color, kShadow, kBorderShade) : color;
    }
  }
}

// Distance of a pixel from the shape of a mark, in pixels: below 0 inside.
double DistanceTo(const Mark& mark, double dx, double dy, double radius) {
  if (!mark.source) {
    return std::hypot(dx, dy) - 0.8 * radius;
  }
  const double thickness = 0.24 * radius;
  const double across = std::abs(dx - dy) / std::sqrt(2.0);
  const double along = std::abs(dx + dy) / std::sqrt(2.0);
  const double one = std::max(across - thickness, along - radius);
  const double other = std::max(along - thickness, across - radius);
  return std::min(one, other);
}

// A shape in its colour with a white outline and a dark rim, so that it is seen on any ground.
void PaintMark(const Mark& mark, Pixel centre, bool hollow, Image& image) {
  constexpr double kRadius = 11;
  constexpr double kOutlineWidth = 2.2;
  constexpr double kRimWidth = 1.2;
  constexpr int64_t kReach = 17;
  for (int64_t dy = -kReach; dy <= kReach; ++dy) {
    for (int64_t dx = -kReach; dx <= kReach; ++dx) {
      const Pixel pixel{centre.x + dx, centre.y + dy};
      const double distance = DistanceTo(mark, static_cast<double>(dx), static_cast<double>(dy), kRadius);
      if (!image.Contains(pixel) || distance > kOutlineWidth + kRimWidth) {
        continue;
      }
      if (distance > kOutlineWidth) {
        image[pixel] = kShadow;
      } else if (distance > 0) {
        image[pixel] = kOutline;
      } else if (!hollow) {
        image[pixel] = mark.source ? kSourceMark : kSinkMark;
      }
    }
  }
}

}  // namespace

Color ColorOf(uint64_t id) {
  if (id == 0) {
    return kBackground;
  }
  const uint64_t bits = Mix(id);
  const auto share = [&](int shift) { return static_cast<double>((bits >> shift) & 0xffff) / 65536; };
  return FromHsv({.hue = share(0), .saturation = 0.42 + 0.38 * share(16), .value = 0.68 + 0.30 * share(32)});
}

Image DrawLabels(ArrayView3<const uint64_t> labels, VoxelPoint origin, const PictureOptions& options) {
  assert(labels.extent().z == 1 && options.scale >= 1);
  const int64_t scale = options.scale;
  Image image({labels.extent().x * scale, labels.extent().y * scale});
  PaintLabels(labels, options, image);
  for (const Mark& mark : options.marks) {
    const VoxelPoint voxel = mark.point - origin;
    const Pixel centre{voxel.x * scale + scale / 2, voxel.y * scale + scale / 2};
    if (image.Contains(centre)) {
      PaintMark(mark, centre, voxel.z != 0, image);
    }
  }
  return image;
}

Image Beside(const std::vector<Image>& pictures) {
  assert(!pictures.empty());
  PixelExtent extent{-kGapPixels, 0};
  for (const Image& picture : pictures) {
    extent.width += picture.extent().width + kGapPixels;
    extent.height = std::max(extent.height, picture.extent().height);
  }
  Image all(extent, kGap);
  int64_t left = 0;
  for (const Image& picture : pictures) {
    for (int64_t y = 0; y < picture.extent().height; ++y) {
      for (int64_t x = 0; x < picture.extent().width; ++x) {
        all[{left + x, y}] = picture[{x, y}];
      }
    }
    left += picture.extent().width + kGapPixels;
  }
  return all;
}

int64_t ReadableScale(Extent3 extent) { return std::max<int64_t>(1, kReadablePixels / std::max(extent.x, extent.y)); }

}  // namespace cleave::cli
