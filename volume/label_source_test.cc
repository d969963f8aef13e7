// Goal: the same labels come out of every kind of source. Method: one random array, kept as .npy and as a volume.
#include "volume/label_source.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "store/store.h"
#include "store/temporary_folder.h"
#include "volume/npy.h"
#include "volume/test_labels.h"
#include "volume/volume.h"

namespace cleave::volume {
namespace {

using ::testing::HasSubstr;

class LabelSources : public testing::Test {
 protected:
  LabelSources() : random_(TestSeed()), labels_(RandomLabels<uint32_t>(random_, {20, 13, 9}, 40)) {}

  void CheckReads(const LabelSource& source, VoxelPoint offset) {
    ASSERT_EQ(source.bounds(), BoxAt(offset, labels_.extent()));
    for (const Box& box : {BoxAt({0, 0, 0}, labels_.extent()), Box{{3, 4, 5}, {20, 6, 9}}}) {
      const auto read = source.ReadBox({box.lo + offset, box.hi + offset});
      ASSERT_TRUE(read.ok()) << read.status();
      Array3<uint64_t> expected(box.extent());
      CopyArray(std::as_const(labels_).view().Crop(box), expected.view());
      EXPECT_TRUE(Equal<uint64_t>(read->view(), expected.view()));
    }
    EXPECT_EQ(source.ReadBox(Grow(source.bounds(), {1, 0, 0})).status().code(), absl::StatusCode::kOutOfRange);
    EXPECT_EQ(source.ReadBox({offset, offset}).status().code(), absl::StatusCode::kOutOfRange);
  }

  std::mt19937_64 random_;
  Array3<uint32_t> labels_;
  store::TemporaryFolder folder_;
};

TEST_F(LabelSources, NumpyFile) {
  const std::string path = folder_.path() + "/labels.npy";
  ASSERT_TRUE(WriteNpy<uint32_t>(path, labels_.view()).ok());
  for (const std::string& name : {path, "file://" + path}) {
    const auto source = OpenLabelSource(name);
    ASSERT_TRUE(source.ok()) << source.status();
    CheckReads(**source, {0, 0, 0});
    EXPECT_FALSE((*source)->voxel_size_nm());
    EXPECT_EQ((*source)->Describe(), path);
  }
}

TEST_F(LabelSources, PrecomputedVolume) {
  Info info;
  info.data_type = DataType::kUint32;
  info.scales.push_back({.key = "4_4_40",
                         .resolution = {4, 4, 40},
                         .size = labels_.extent(),
                         .voxel_offset = {-7, 100, 3},
                         .chunk_size = {8, 8, 8},
                         .encoding = Encoding::kCompressedSegmentation,
                         .block_size = {8, 8, 8},
                         .other_members = {}});
  const auto volume = Volume::Create(*store::OpenStore(folder_.url()), "", info);
  ASSERT_TRUE(volume.ok()) << volume.status();
  Array3<uint64_t> wide(labels_.extent());
  CopyArray(std::as_const(labels_).view(), wide.view());
  ASSERT_TRUE((*volume)->WriteBox(0, info.scales[0].bounds(), wide.view()).ok());
  for (const std::string& url : {folder_.url(), "precomputed://file://" + folder_.path()}) {
    const auto source = OpenLabelSource(url);
    ASSERT_TRUE(source.ok()) << source.status();
    CheckReads(**source, {-7, 100, 3});
    EXPECT_EQ((*source)->voxel_size_nm(), (VoxelSizeNm{4, 4, 40}));
  }
}

TEST_F(LabelSources, ArrayInMemory) {
  Array3<uint64_t> wide(labels_.extent());
  CopyArray(std::as_const(labels_).view(), wide.view());
  const auto source = MakeArraySource(std::move(wide), {1, -2, 3}, VoxelSizeNm{8, 8, 8});
  CheckReads(*source, {1, -2, 3});
  EXPECT_EQ(source->voxel_size_nm(), (VoxelSizeNm{8, 8, 8}));
}

TEST_F(LabelSources, WhatIsNoSourceIsRefusedByName) {
  const absl::Status unknown = OpenLabelSource("labels.tif").status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("labels.tif"));
  EXPECT_EQ(OpenLabelSource(folder_.path() + "/none.npy").status().code(), absl::StatusCode::kNotFound);
  const absl::Status empty = OpenLabelSource(folder_.url()).status();
  EXPECT_EQ(empty.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(empty.message()), HasSubstr("info"));
}

}  // namespace
}  // namespace cleave::volume
