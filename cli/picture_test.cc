// Goal: pictures show what they say, and PNG files hold the same pixels.
// Method: small hand-made sections looked at pixel by pixel; PNG bytes read back with libpng.
#include "cli/picture.h"

#include <png.h>

#include <string>

#include "cli/png.h"
#include "gtest/gtest.h"

namespace cleave::cli {
namespace {

// Read back as truecolor, whatever is in the file.
Image Decode(const std::string& bytes) {
  png_image header = {};
  header.version = PNG_IMAGE_VERSION;
  EXPECT_NE(png_image_begin_read_from_memory(&header, bytes.data(), bytes.size()), 0) << header.message;
  header.format = PNG_FORMAT_RGB;
  Image image({header.width, header.height});
  std::vector<uint8_t> pixels(PNG_IMAGE_SIZE(header));
  EXPECT_NE(png_image_finish_read(&header, nullptr, pixels.data(), 0, nullptr), 0) << header.message;
  for (int64_t y = 0; y < image.extent().height; ++y) {
    for (int64_t x = 0; x < image.extent().width; ++x) {
      const size_t at = static_cast<size_t>(3 * (x + y * image.extent().width));
      image[{x, y}] = {pixels[at], pixels[at + 1], pixels[at + 2]};
    }
  }
  return image;
}

void ExpectSame(const Image& a, const Image& b) {
  ASSERT_EQ(a.extent(), b.extent());
  for (int64_t y = 0; y < a.extent().height; ++y) {
    for (int64_t x = 0; x < a.extent().width; ++x) {
      ASSERT_EQ((a[{x, y}]), (b[{x, y}])) << x << ',' << y;
    }
  }
}

// Every pixel has a colour of its own, up to `colors` of them.
Image Gradient(PixelExtent extent, int64_t colors) {
  Image image(extent);
  for (int64_t y = 0; y < extent.height; ++y) {
    for (int64_t x = 0; x < extent.width; ++x) {
      const int64_t number = (x + y * extent.width) % colors;
      image[{x, y}] = {static_cast<uint8_t>(number), static_cast<uint8_t>(number / 256), 99};
    }
  }
  return image;
}

TEST(Png, HoldsEveryPixelWithAPaletteAndWithout) {
  for (const int64_t colors : {1, 2, 255, 256, 257, 2000}) {
    const Image image = Gradient({61, 37}, colors);
    const absl::StatusOr<std::string> bytes = EncodePng(image);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    ExpectSame(Decode(*bytes), image);
  }
}

TEST(Png, RefusesAnEmptyPictureAndAFolderThatIsNotThere) {
  EXPECT_EQ(EncodePng(Image()).status().code(), absl::StatusCode::kInvalidArgument);
  const absl::Status status = WritePng("/nonexistent/folder/x.png", Image({1, 1}));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("/nonexistent/folder/x.png"), absl::string_view::npos);
}

TEST(ColorOf, IsStableAndNeverDarkButForBackground) {
  EXPECT_EQ(ColorOf(5), ColorOf(5));
  EXPECT_NE(ColorOf(5), ColorOf(6));
  const Color background = ColorOf(0);
  EXPECT_LT(std::max({background.red, background.green, background.blue}), 32);
  for (uint64_t id = 1; id < 2000; ++id) {
    const Color color = ColorOf(id);
    ASSERT_GT(std::max({color.red, color.green, color.blue}), 150) << id;
  }
}

// Two ids side by side: 1 in the left three columns, 2 in the right three.
Array3<uint64_t> TwoHalves() {
  Array3<uint64_t> labels({6, 4, 1}, 1);
  for (int64_t y = 0; y < 4; ++y) {
    for (int64_t x = 3; x < 6; ++x) {
      labels[{x, y, 0}] = 2;
    }
  }
  return labels;
}

TEST(DrawLabels, PaintsVoxelsAndDarkensBorders) {
  const Image image = DrawLabels(TwoHalves().view(), {}, {.highlighted = {}, .marks = {}, .scale = 4});
  EXPECT_EQ(image.extent(), (PixelExtent{24, 16}));
  EXPECT_EQ((image[{1, 1}]), ColorOf(1));
  EXPECT_EQ((image[{13, 1}]), ColorOf(2));
  EXPECT_NE((image[{11, 1}]), ColorOf(1)) << "the border towards id 2";
  EXPECT_EQ((image[{3, 3}]), ColorOf(1)) << "no border between voxels of one id";
}

TEST(DrawLabels, HighlightsInThePalettesOrderAndDimsTheRest) {
  const Array3<uint64_t> labels = TwoHalves();
  const Image first = DrawLabels(labels.view(), {}, {.highlighted = {2, 1}, .marks = {}, .scale = 1});
  const Image second = DrawLabels(labels.view(), {}, {.highlighted = {1, 2}, .marks = {}, .scale = 1});
  EXPECT_EQ((first[{0, 0}]), (second[{5, 0}]));
  EXPECT_EQ((first[{5, 0}]), (second[{0, 0}]));
  const Image dimmed = DrawLabels(labels.view(), {}, {.highlighted = {1}, .marks = {}, .scale = 1});
  const Color other = dimmed[{5, 0}];
  EXPECT_NE(other, ColorOf(2));
  EXPECT_LT(std::max({other.red, other.green, other.blue}) - std::min({other.red, other.green, other.blue}), 32);
}

TEST(DrawLabels, MarksSeedsInPlaceHollowInOtherSectionsAndNeverOutside) {
  const Array3<uint64_t> labels({8, 8, 1}, 1);
  const VoxelPoint origin{-100, 50, 7};
  const auto draw = [&](std::vector<Mark> marks) {
    return DrawLabels(labels.view(), origin, {.highlighted = {}, .marks = std::move(marks), .scale = 10});
  };
  const Image plain = draw({});
  const Pixel centre{45, 45};
  const Image source = draw({{{-96, 54, 7}, true}});
  const Image sink = draw({{{-96, 54, 7}, false}});
  EXPECT_NE(source[centre], plain[centre]);
  EXPECT_NE(sink[centre], plain[centre]);
  EXPECT_NE(source[centre], sink[centre]);
  const Image hollow = draw({{{-96, 54, 9}, false}});
  EXPECT_EQ(hollow[centre], plain[centre]);
  EXPECT_NE((hollow[{55, 45}]), (plain[{55, 45}])) << "its outline";
  ExpectSame(draw({{{-101, 54, 7}, true}}), plain);
  draw({{{-100, 50, 7}, true}, {{-93, 57, 7}, false}});  // in the corners: nothing is written outside
}

TEST(Beside, PutsPicturesInARow) {
  const Image all = Beside({Image({3, 2}, {1, 2, 3}), Image({4, 2}, {4, 5, 6})});
  EXPECT_EQ(all.extent().height, 2);
  EXPECT_GT(all.extent().width, 7);
  EXPECT_EQ((all[{0, 1}]), (Color{1, 2, 3}));
  EXPECT_EQ((all[{all.extent().width - 1, 1}]), (Color{4, 5, 6}));
  EXPECT_EQ(Beside({Image({3, 2})}).extent(), (PixelExtent{3, 2}));
}

TEST(ReadableScale, FillsAScreenAndNeverShrinks) {
  EXPECT_EQ(ReadableScale({100, 50, 1}), 8);
  EXPECT_EQ(ReadableScale({512, 512, 1}), 1);
  EXPECT_EQ(ReadableScale({5000, 10, 1}), 1);
}

}  // namespace
}  // namespace cleave::cli
