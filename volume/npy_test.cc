// Goal: arrays that NumPy wrote are read whatever their type and order, ours are read by NumPy, and a wrong file is
// refused with a reason. Method: headers as NumPy writes them, built here by hand, with values that tell their place.
#include "volume/npy.h"

#include <zstd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "store/temporary_folder.h"
#include "volume/test_labels.h"

namespace cleave::volume {
namespace {

using ::testing::HasSubstr;

std::string Header(int version, std::string dictionary) {
  dictionary += '\n';
  std::string bytes = "\x93NUMPY";
  bytes += {static_cast<char>(version), '\0'};
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) {
    bytes += static_cast<char>(dictionary.size() >> (8 * i));
  }
  return bytes + dictionary;
}

std::string Dictionary(const std::string& descr, bool fortran_order, const std::string& shape) {
  return "{'descr': '" + descr + "', 'fortran_order': " + (fortran_order ? "True" : "False") + ", 'shape': " + shape +
         ", }";
}

// A label that says where it is.
uint64_t LabelAt(VoxelPoint p) { return static_cast<uint64_t>(p.x + 5 * p.y + 20 * p.z); }
constexpr Extent3 kExtent{5, 4, 3};

std::string Elements(int byte_count, bool fortran_order) {
  std::string bytes;
  for (int64_t i = 0; i < Count(kExtent); ++i) {
    const VoxelPoint p = fortran_order ? VoxelPoint{i % 5, i / 5 % 4, i / 20} : VoxelPoint{i / 12, i / 3 % 4, i % 3};
    const uint64_t label = LabelAt(p);
    bytes.append(reinterpret_cast<const char*>(&label), static_cast<size_t>(byte_count));
  }
  return bytes;
}

std::string Compressed(const std::string& bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 3));
  return out;
}

class Npy : public testing::Test {
 protected:
  std::string WriteFile(const std::string& bytes) {
    const std::string path = folder_.path() + "/array";
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  template <typename Label = uint64_t>
  absl::Status StatusOf(const std::string& bytes) {
    return ReadNpy<Label>(WriteFile(bytes)).status();
  }
  store::TemporaryFolder folder_;
};

TEST_F(Npy, ReadsEveryTypeOrderVersionAndCompression) {
  for (const std::string descr : {"|u1", "<u2", "<u4", "<u8", "|i1", "<i2", "<i4", "<i8"}) {
    for (const bool fortran_order : {true, false}) {
      for (const int version : {1, 2, 3}) {
        for (const std::string shape : {"(5, 4, 3)", "(5, 4, 3, 1)"}) {
          for (const bool compressed : {false, true}) {
            SCOPED_TRACE(testing::Message() << descr << fortran_order << version << shape << compressed);
            const std::string bytes =
                Header(version, Dictionary(descr, fortran_order, shape)) + Elements(descr[2] - '0', fortran_order);
            const auto array = ReadNpy<uint64_t>(WriteFile(compressed ? Compressed(bytes) : bytes));
            ASSERT_TRUE(array.ok()) << array.status();
            ASSERT_EQ(array->extent(), kExtent);
            for (int64_t i = 0; i < array->size(); ++i) {
              const VoxelPoint p{i % 5, i / 5 % 4, i / 20};
              ASSERT_EQ((*array)[p], LabelAt(p)) << p;
            }
          }
        }
      }
    }
  }
}

TEST_F(Npy, SlabsCoverTheArrayInOrder) {
  for (const bool fortran_order : {true, false}) {
    for (const int64_t voxels_max : {1, 20, 45, 1000}) {
      const std::string path =
          WriteFile(Header(1, Dictionary("<u4", fortran_order, "(5, 4, 3)")) + Elements(4, fortran_order));
      const auto reader = NpyReader::Open(path);
      ASSERT_TRUE(reader.ok()) << reader.status();
      int64_t voxels = 0;
      const absl::Status status =
          (*reader)->ForEachSlab<uint32_t>(voxels_max, [&](const Box& slab, ArrayView3<const uint32_t> labels) {
            EXPECT_EQ(slab.extent(), labels.extent());
            EXPECT_LE(Count(slab.extent()), std::max<int64_t>(voxels_max, 20));
            for (int64_t i = 0; i < Count(slab.extent()); ++i) {
              const VoxelPoint p{i % slab.extent().x, i / slab.extent().x % slab.extent().y,
                                 i / slab.extent().x / slab.extent().y};
              EXPECT_EQ(labels[p], LabelAt(slab.lo + p));
            }
            voxels += Count(slab.extent());
            return absl::OkStatus();
          });
      EXPECT_TRUE(status.ok()) << status;
      EXPECT_EQ(voxels, Count(kExtent));
    }
  }
}

TEST_F(Npy, AVisitorsErrorEndsTheReading) {
  const auto reader = NpyReader::Open(WriteFile(Header(1, Dictionary("<u4", true, "(5, 4, 3)")) + Elements(4, true)));
  ASSERT_TRUE(reader.ok());
  const absl::Status status = (*reader)->ForEachSlab<uint32_t>(
      1, [](const Box&, ArrayView3<const uint32_t>) { return absl::CancelledError("enough"); });
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
}

TEST_F(Npy, RefusesWrongFilesWithAReason) {
  const std::string good = Header(1, Dictionary("<u4", true, "(5, 4, 3)")) + Elements(4, true);
  ASSERT_TRUE(StatusOf(good).ok());
  struct Case {
    std::string bytes;
    absl::StatusCode code;
    const char* message;
  };
  const auto invalid = absl::StatusCode::kInvalidArgument;
  const auto loss = absl::StatusCode::kDataLoss;
  const std::string compressed = Compressed(good);
  const std::vector<Case> cases = {
      {"", invalid, "not a .npy file"},
      {"PK\x03\x04 an npz archive", invalid, "not a .npy file"},
      {good.substr(0, 9), loss, "ends early"},
      {good.substr(0, 30), loss, "ends early"},
      {good.substr(0, good.size() - 1), loss, "plane 0 of 3: the file ends early"},
      {good + "x", loss, "more bytes"},
      {compressed.substr(0, compressed.size() - 3), loss, "ends early"},
      {Header(4, Dictionary("<u4", true, "(5, 4, 3)")), invalid, "version 4"},
      {Header(1, Dictionary("<f4", true, "(5, 4, 3)")), invalid, "dtype '<f4'"},
      {Header(1, Dictionary(">u4", true, "(5, 4, 3)")), invalid, "dtype '>u4'"},
      {Header(1, Dictionary("<u4", true, "(5, 4)")), invalid, "shape (5, 4)"},
      {Header(1, Dictionary("<u4", true, "(5, 4, 3, 2)")), invalid, "shape"},
      {Header(1, Dictionary("<u4", true, "(5, 0, 3)")), invalid, "shape"},
      {Header(1, Dictionary("<u4", true, "(5, -4, 3)")), invalid, "shape"},
      {Header(1, Dictionary("<u4", true, "(99999999, 99999999, 99999999)")), invalid, "too many voxels"},
      {Header(1, Dictionary("<u4", true, "5")), invalid, "not a tuple"},
      {Header(1, "{'descr': '<u4', 'shape': (5, 4, 3)}"), invalid, "'fortran_order'"},
      {Header(1, "{}"), invalid, "'descr'"},
  };
  for (const Case& wrong : cases) {
    const absl::Status status = StatusOf(wrong.bytes);
    EXPECT_EQ(status.code(), wrong.code) << wrong.message << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(wrong.message));
    EXPECT_THAT(std::string(status.message()), HasSubstr(folder_.path()));
  }
  EXPECT_EQ(ReadNpy<uint8_t>(folder_.path() + "/none").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(Npy, RefusesLabelsThatDoNotFit) {
  const std::string header = Header(1, Dictionary("<i4", true, "(1, 1, 1)"));
  EXPECT_EQ(StatusOf(header + "\xFF\xFF\xFF\xFF").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(StatusOf<uint8_t>(header + std::string("\xFF\x01\x00\x00", 4)).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(StatusOf<uint8_t>(header + std::string("\xFF\x00\x00\x00", 4)).ok());
}

template <typename Label>
void CheckWrite(const std::string& path) {
  std::mt19937_64 random(TestSeed());
  const auto labels = RandomLabels<Label>(random, {9, 6, 4}, 30);
  const auto part = labels.view().Crop({{1, 2, 0}, {8, 6, 3}});
  ASSERT_TRUE(WriteNpy<Label>(path, part).ok());
  const auto array = ReadNpy<Label>(path);
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_TRUE(Equal<Label>(array->view(), part));
}

TEST_F(Npy, WritesWhatItReads) {
  CheckWrite<uint8_t>(folder_.path() + "/a.npy");
  CheckWrite<uint32_t>(folder_.path() + "/a.npy");
  CheckWrite<uint64_t>(folder_.path() + "/a.npy");
  std::ifstream file(folder_.path() + "/a.npy", std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  EXPECT_EQ(bytes.substr(0, 10), std::string("\x93NUMPY\x01\0\x76\0", 10));
  EXPECT_THAT(bytes.substr(10, 118), HasSubstr("{'descr': '<u8', 'fortran_order': True, 'shape': (7, 4, 3), }"));
  EXPECT_EQ(bytes[127], '\n');
  EXPECT_EQ(WriteNpy<uint8_t>(folder_.path() + "/no/folder.npy", Array3<uint8_t>({1, 1, 1}).view()).code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace cleave::volume
