// Goal: chunks are encoded bit for bit as TensorStore and Neuroglancer do, every way of reading returns what was
// encoded, and damaged bytes give an error. Method: published vectors, an encoder written a second time in the plainest
// way as an oracle, random arrays over odd shapes and palette sizes, a real cube, and every single-byte change of small
// chunks.
#include "volume/compressed_segmentation.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "volume/npy.h"
#include "volume/test_labels.h"

namespace cleave::volume {
namespace {

using ::testing::ElementsAreArray;

std::vector<uint32_t> Words(const std::string& bytes) {
  std::vector<uint32_t> words(bytes.size() / 4);
  std::memcpy(words.data(), bytes.data(), words.size() * 4);
  return words;
}

template <typename Label>
Array3<Label> MakeArray(Extent3 extent, const std::vector<Label>& labels) {
  Array3<Label> array(extent);
  std::copy(labels.begin(), labels.end(), array.data());
  return array;
}

template <typename Label>
std::vector<uint32_t> EncodedWords(const Array3<Label>& array, Extent3 block) {
  const absl::StatusOr<std::string> bytes = EncodeCompressedSegmentation<Label>(array.view(), block);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return Words(*bytes);
}

// The format's rules once more, one voxel at a time, with ordered containers.
template <typename Label>
std::vector<uint32_t> PlainEncode(const Array3<Label>& array, Extent3 block) {
  const Extent3 e = array.extent();
  const Extent3 grid{CeilDivide(e.x, block.x), CeilDivide(e.y, block.y), CeilDivide(e.z, block.z)};
  std::vector<uint32_t> words(static_cast<size_t>(2 * Count(grid)));
  std::map<std::vector<Label>, size_t> written;
  for (int64_t b = 0; b < Count(grid); ++b) {
    const VoxelPoint lo{b % grid.x * block.x, b / grid.x % grid.y * block.y, b / grid.x / grid.y * block.z};
    std::vector<std::pair<int64_t, Label>> voxels;
    std::set<Label> distinct;
    for (int64_t i = 0; i < Count(block); ++i) {
      const VoxelPoint p = lo + VoxelPoint{i % block.x, i / block.x % block.y, i / block.x / block.y};
      if (BoxAt({}, e).Contains(p)) {
        voxels.emplace_back(i, array[p]);
        distinct.insert(array[p]);
      }
    }
    const std::vector<Label> labels(distinct.begin(), distinct.end());
    uint32_t bits = 0;
    while ((uint64_t{1} << bits) < labels.size()) {
      bits = bits == 0 ? 1 : bits * 2;
    }
    const size_t values = words.size();
    words.resize(values + static_cast<size_t>(CeilDivide(bits * Count(block), 32)));
    for (const auto& [i, label] : voxels) {
      const auto index = static_cast<uint32_t>(std::lower_bound(labels.begin(), labels.end(), label) - labels.begin());
      if (bits != 0) {
        words[values + static_cast<size_t>(i * bits / 32)] |= index << (i * bits % 32);
      }
    }
    const auto [palette, is_new] = written.emplace(labels, words.size());
    for (const Label label : labels) {
      for (size_t word = 0; is_new && word < sizeof(Label) / 4; ++word) {
        words.push_back(static_cast<uint32_t>(uint64_t{label} >> (32 * word)));
      }
    }
    words[static_cast<size_t>(2 * b)] = static_cast<uint32_t>(palette->second) | bits << 24;
    words[static_cast<size_t>(2 * b + 1)] = static_cast<uint32_t>(values);
  }
  words.insert(words.begin(), 1);
  return words;
}

// Everything that can be read of a chunk is what `labels` says.
template <typename Label>
void CheckReads(std::mt19937_64& random, const std::string& bytes, const Array3<Label>& labels, Extent3 block) {
  const Extent3 extent = labels.extent();
  const auto chunk = CompressedSegmentation<Label>::Open(bytes, extent, block);
  ASSERT_TRUE(chunk.ok()) << chunk.status();
  Array3<uint64_t> all(extent, 99);
  ASSERT_TRUE(chunk->template Decode<uint64_t>(BoxAt({}, extent), all.view()).ok());
  for (int64_t i = 0; i < labels.size(); ++i) {
    ASSERT_EQ(all.data()[i], uint64_t{labels.data()[i]}) << i;
  }
  for (int round = 0; round < 4; ++round) {
    const VoxelPoint lo{Random(random, 0, extent.x - 1), Random(random, 0, extent.y - 1),
                        Random(random, 0, extent.z - 1)};
    const Box box{
        lo,
        {Random(random, lo.x + 1, extent.x), Random(random, lo.y + 1, extent.y), Random(random, lo.z + 1, extent.z)}};
    const auto label = chunk->At(lo);
    ASSERT_TRUE(label.ok()) << label.status();
    EXPECT_EQ(*label, labels[lo]);

    Array3<uint64_t> frame(box.extent() + Extent3{2, 2, 2}, 7);  // a box of a larger array: its rim stays
    const Box inside = BoxAt({1, 1, 1}, box.extent());
    ASSERT_TRUE(chunk->template Decode<uint64_t>(box, frame.view().Crop(inside)).ok());
    Array3<uint32_t> mapped(box.extent());
    ASSERT_TRUE(chunk
                    ->template DecodeMapped<uint32_t>(
                        box, [](Label l) { return static_cast<uint32_t>(l >> 3); }, mapped.view())
                    .ok());
    const Label wanted = labels[lo];
    Array3<uint8_t> mask(box.extent());
    ASSERT_TRUE(chunk
                    ->template DecodeMapped<uint8_t>(
                        box, [wanted](Label l) { return static_cast<uint8_t>(l == wanted ? 1 : 0); }, mask.view())
                    .ok());
    for (int64_t z = -1; z <= box.extent().z; ++z) {
      for (int64_t y = -1; y <= box.extent().y; ++y) {
        for (int64_t x = -1; x <= box.extent().x; ++x) {
          const VoxelPoint p{x, y, z};
          const bool is_rim = !BoxAt({}, box.extent()).Contains(p);
          const uint64_t expected = is_rim ? 7 : labels[box.lo + p];
          ASSERT_EQ(frame[p + inside.lo], expected);
          if (!is_rim) {
            ASSERT_EQ(mapped[p], static_cast<uint32_t>(expected >> 3));
            ASSERT_EQ(mask[p], expected == wanted ? 1 : 0);
          }
        }
      }
    }
  }
  std::multiset<Label> visited;
  ASSERT_TRUE(chunk->ForEachLabel([&visited](Label l) { visited.insert(l); }).ok());
  const std::set<Label> distinct(labels.data(), labels.data() + labels.size());
  EXPECT_THAT(visited, ElementsAreArray(distinct));
}

TEST(CompressedSegmentation, WritesThePublishedVectors) {
  // Blocks of 2 x 2 x 1; array indexed [z][y][x]: [[[4,3],[5,4]], [[1,3],[3,3]]].
  const auto array = MakeArray<uint64_t>({2, 2, 2}, {4, 3, 5, 4, 1, 3, 3, 3});
  EXPECT_THAT(EncodedWords(array, {2, 2, 1}),
              ElementsAreArray<uint32_t>(
                  {1, 5 | 2 << 24, 4, 12 | 1 << 24, 11, 0b01100001, 3, 0, 4, 0, 5, 0, 0b1110, 1, 0, 3, 0}));
  // The same labels in 32 bits take one word each.
  const auto narrow = MakeArray<uint32_t>({2, 2, 2}, {4, 3, 5, 4, 1, 3, 3, 3});
  EXPECT_THAT(EncodedWords(narrow, {2, 2, 1}),
              ElementsAreArray<uint32_t>({1, 5 | 2 << 24, 4, 9 | 1 << 24, 8, 0b01100001, 3, 4, 5, 0b1110, 1, 3}));
  // One label: no indices. The second block refers to the palette of the first.
  const auto uniform =
      MakeArray<uint64_t>({2, 1, 2}, {uint64_t{3} << 32, uint64_t{3} << 32, uint64_t{3} << 32, uint64_t{3} << 32});
  EXPECT_THAT(EncodedWords(uniform, {2, 1, 1}), ElementsAreArray<uint32_t>({1, 4, 4, 4, 6, 0, 3}));
}

TEST(CompressedSegmentation, AgreesWithThePlainEncoderAndReadsBack) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 120; ++round) {
    const Extent3 extent{Random(random, 1, 21), Random(random, 1, 19), Random(random, 1, 18)};
    const Extent3 block{Random(random, 1, 9), Random(random, 1, 9), Random(random, 1, 9)};
    const int64_t palette_size = Random(random, 1, 4) == 1 ? Random(random, 1, 600) : Random(random, 1, 6);
    SCOPED_TRACE(testing::Message() << "extent " << extent << " block " << block << " palette " << palette_size);
    const auto wide = RandomLabels<uint64_t>(random, extent, palette_size);
    const auto wide_bytes = EncodeCompressedSegmentation<uint64_t>(wide.view(), block);
    ASSERT_TRUE(wide_bytes.ok());
    ASSERT_EQ(Words(*wide_bytes), PlainEncode(wide, block));
    CheckReads(random, *wide_bytes, wide, block);
    const auto narrow = RandomLabels<uint32_t>(random, extent, palette_size);
    const auto narrow_bytes = EncodeCompressedSegmentation<uint32_t>(narrow.view(), block);
    ASSERT_TRUE(narrow_bytes.ok());
    ASSERT_EQ(Words(*narrow_bytes), PlainEncode(narrow, block));
    CheckReads(random, *narrow_bytes, narrow, block);
  }
}

TEST(CompressedSegmentation, EveryPaletteSizeGetsTheFewestBits) {
  std::mt19937_64 random(TestSeed());
  for (const int64_t count : {1, 2, 3, 4, 5, 16, 17, 256, 257, 65536, 65537, 70000}) {
    const Extent3 extent{64, 64, 32};  // one block
    Array3<uint64_t> labels(extent);
    for (int64_t i = 0; i < labels.size(); ++i) {
      labels.data()[i] = static_cast<uint64_t>(i % count) * 0x100000007;
    }
    const auto bytes = EncodeCompressedSegmentation<uint64_t>(labels.view(), extent);
    ASSERT_TRUE(bytes.ok());
    const uint32_t bits = count <= 1       ? 0
                          : count <= 2     ? 1
                          : count <= 4     ? 2
                          : count <= 16    ? 4
                          : count <= 256   ? 8
                          : count <= 65536 ? 16
                                           : 32;
    EXPECT_EQ(Words(*bytes)[1] >> 24, bits) << count;
    ASSERT_EQ(Words(*bytes), PlainEncode(labels, extent)) << count;
    CheckReads(random, *bytes, labels, extent);
  }
}

TEST(CompressedSegmentation, RefusesAChunkBeyondTheFormatsOffsets) {
  Array3<uint64_t> labels({256, 256, 136});  // 8.9 million distinct labels of two words each
  for (int64_t i = 0; i < labels.size(); ++i) {
    labels.data()[i] = static_cast<uint64_t>(i);
  }
  const absl::Status status = EncodeCompressedSegmentation<uint64_t>(labels.view(), {8, 8, 8}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
}

TEST(CompressedSegmentation, RealCubeRoundTrip) {
  const std::string path = DataFile("ng_testdata_64x64x64_u64.npy.zst");
  if (path.empty()) {
    GTEST_SKIP() << "no real data; set CLEAVE_DATA";
  }
  std::mt19937_64 random(TestSeed());
  const auto labels = ReadNpy<uint64_t>(path);
  ASSERT_TRUE(labels.ok()) << labels.status();
  const auto bytes = EncodeCompressedSegmentation<uint64_t>(labels->view(), {8, 8, 8});
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(Words(*bytes), PlainEncode(*labels, {8, 8, 8}));
  CheckReads(random, *bytes, *labels, {8, 8, 8});
  const double ratio = static_cast<double>(labels->size()) * 8 / static_cast<double>(bytes->size());
  RecordProperty("ratio", std::to_string(ratio));
  EXPECT_GT(ratio, 20);
}

// Reads a chunk in every way. Errors are fine; a crash or (with the address sanitizer) a stray read is not.
template <typename Label>
void ReadAllWays(const std::string& bytes, Extent3 extent, Extent3 block) {
  const std::vector<char> exact(bytes.begin(), bytes.end());  // no slack behind the last byte
  const auto chunk = CompressedSegmentation<Label>::Open({exact.data(), exact.size()}, extent, block);
  if (!chunk.ok()) {
    EXPECT_EQ(chunk.status().code(), absl::StatusCode::kDataLoss);
    return;
  }
  Array3<uint64_t> labels(extent);
  const absl::Status status = chunk->template Decode<uint64_t>(BoxAt({}, extent), labels.view());
  EXPECT_TRUE(status.ok() || absl::IsDataLoss(status)) << status;
  Array3<uint8_t> mask(extent);
  const absl::Status mapped = chunk->template DecodeMapped<uint8_t>(
      BoxAt({}, extent), [](Label) { return uint8_t{1}; }, mask.view());
  EXPECT_EQ(mapped.code(), status.code());
  EXPECT_EQ(chunk->ForEachLabel([](Label) {}).code(), status.code());
  for (int64_t i = 0; i < labels.size(); ++i) {
    const VoxelPoint p{i % extent.x, i / extent.x % extent.y, i / extent.x / extent.y};
    const auto label = chunk->At(p);
    if (status.ok()) {
      ASSERT_TRUE(label.ok());
      EXPECT_EQ(uint64_t{*label}, labels.data()[i]);
    }
  }
}

TEST(CompressedSegmentation, EveryByteChangeIsReadOrRefused) {
  std::mt19937_64 random(TestSeed());
  const Extent3 extent{9, 5, 6};
  const Extent3 block{4, 4, 4};
  const auto labels = RandomLabels<uint64_t>(random, extent, 20);
  const auto bytes = EncodeCompressedSegmentation<uint64_t>(labels.view(), block);
  ASSERT_TRUE(bytes.ok());
  for (size_t i = 0; i < bytes->size(); ++i) {
    for (const int change : {0x01, 0x80, 0xFF, static_cast<int>(Random(random, 1, 255))}) {
      std::string damaged = *bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ change);
      ReadAllWays<uint64_t>(damaged, extent, block);
      ReadAllWays<uint32_t>(damaged, extent, block);
    }
  }
  for (size_t size = 0; size < bytes->size(); ++size) {
    ReadAllWays<uint64_t>(bytes->substr(0, size), extent, block);
  }
}

TEST(CompressedSegmentation, SaysWhichBlockIsDamaged) {
  const auto array = MakeArray<uint64_t>({4, 1, 1}, {1, 2, 3, 3});
  const auto good = EncodeCompressedSegmentation<uint64_t>(array.view(), {2, 1, 1});
  ASSERT_TRUE(good.ok());
  const auto error_of = [&](size_t byte, char value) {
    std::string damaged = *good;
    damaged[byte] = value;
    const auto chunk = CompressedSegmentation<uint64_t>::Open(damaged, {4, 1, 1}, {2, 1, 1});
    Array3<uint64_t> out({4, 1, 1});
    return chunk.ok() ? chunk->Decode<uint64_t>(BoxAt({}, out.extent()), out.view()) : chunk.status();
  };
  EXPECT_EQ(error_of(15, 3).message(),
            "compressed_segmentation: block at voxel 2,0,0: 3 bits a voxel, not one of 0 1 2 4 8 16 32");
  EXPECT_EQ(error_of(12, 40).message(),
            "compressed_segmentation: block at voxel 2,0,0: palette at byte 160 lies beyond a channel of 44 bytes");
  EXPECT_EQ(error_of(8, 11).message(),
            "compressed_segmentation: block at voxel 0,0,0: indices at byte 44 need 4 bytes of a channel of 44");
  EXPECT_EQ(error_of(4, 9).message(),
            "compressed_segmentation: block at voxel 0,0,0 uses palette entry 1 but only 1 fit before the chunk's end");
  EXPECT_EQ(error_of(0, 9).message(),
            "compressed_segmentation: channel at byte 36 of 48 has no room for the 16 bytes of headers of 2 blocks");
}

}  // namespace
}  // namespace cleave::volume
