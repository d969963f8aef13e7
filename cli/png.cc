#include "cli/png.h"

#include <png.h>

#include <fstream>
#include <map>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cleave::cli {
namespace {

constexpr size_t kPaletteMax = 256;

// The picture in libpng's terms: bytes of all rows, and the palette that they point into (empty: they are colours).
struct Rows {
  std::vector<uint8_t> bytes;
  std::vector<uint8_t> palette;
};

Rows MakeRows(const Image& image) {
  const PixelExtent extent = image.extent();
  std::map<std::tuple<uint8_t, uint8_t, uint8_t>, size_t> index_of;
  Rows rows;
  std::vector<uint8_t> indices;
  for (int64_t y = 0; y < extent.height; ++y) {
    for (int64_t x = 0; x < extent.width; ++x) {
      const Color color = image[{x, y}];
      rows.bytes.insert(rows.bytes.end(), {color.red, color.green, color.blue});
      if (index_of.size() > kPaletteMax) {
        continue;
      }
      const auto [found, inserted] = index_of.try_emplace({color.red, color.green, color.blue}, index_of.size());
      if (inserted) {
        rows.palette.insert(rows.palette.end(), {color.red, color.green, color.blue});
      }
      indices.push_back(static_cast<uint8_t>(found->second));
    }
  }
  if (index_of.size() <= kPaletteMax) {
    rows.bytes = std::move(indices);
  } else {
    rows.palette.clear();
  }
  return rows;
}

}  // namespace

absl::StatusOr<std::string> EncodePng(const Image& image) {
  if (image.extent().width <= 0 || image.extent().height <= 0) {
    return absl::InvalidArgumentError("a picture without pixels cannot be written");
  }
  const Rows rows = MakeRows(image);
  png_image header = {};
  header.version = PNG_IMAGE_VERSION;
  header.width = static_cast<png_uint_32>(image.extent().width);
  header.height = static_cast<png_uint_32>(image.extent().height);
  header.format = rows.palette.empty() ? PNG_FORMAT_RGB : PNG_FORMAT_RGB_COLORMAP;
  header.colormap_entries = static_cast<png_uint_32>(rows.palette.size() / 3);
  const void* palette = rows.palette.empty() ? nullptr : rows.palette.data();
  png_alloc_size_t size = 0;
  std::string bytes;
  if (png_image_write_to_memory(&header, nullptr, &size, 0, rows.bytes.data(), 0, palette) != 0) {
    bytes.resize(size);
    if (png_image_write_to_memory(&header, bytes.data(), &size, 0, rows.bytes.data(), 0, palette) != 0) {
      bytes.resize(size);
      return bytes;
    }
  }
  return absl::InternalError(absl::StrCat("libpng: ", header.message));
}

absl::Status WritePng(const std::string& path, const Image& image) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string bytes, EncodePng(image));
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) {
    return absl::InvalidArgumentError(absl::StrCat("cannot write ", path, "; does its folder exist?"));
  }
  return absl::OkStatus();
}

}  // namespace cleave::cli
