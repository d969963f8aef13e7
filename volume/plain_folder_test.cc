// Goal: a volume shows itself as a whole precomputed folder. Method: a small volume of which one chunk is written; the
// files are decoded again, by the codec that the volume itself uses.
#include "volume/plain_folder.h"

#include <memory>

#include "gtest/gtest.h"

#include "store/memory_store.h"

namespace cleave::volume {
namespace {

class PlainFolderTest : public testing::TestWithParam<Encoding> {
 protected:
  PlainFolderTest() {
    Info info;
    info.scales.push_back({.key = "8_8_40",
                           .resolution = {8, 8, 40},
                           .size = {20, 16, 8},
                           .voxel_offset = {-16, 0, 0},
                           .chunk_size = {16, 16, 8},
                           .encoding = GetParam(),
                           .other_members = {}});
    info.scales.push_back(info.scales[0]);
    info.scales[1].key = "16_16_40";
    info.scales[1].size = {10, 8, 8};
    volume_ = Volume::Create(std::make_shared<store::MemoryStore>(), "seg", info).value();
    Array3<uint64_t> labels({16, 16, 8});
    labels[{3, 4, 5}] = 77;
    EXPECT_TRUE(volume_->WriteBox(0, BoxAt({-16, 0, 0}, {16, 16, 8}), labels.view()).ok());
  }
  std::unique_ptr<Volume> volume_;
};

TEST_P(PlainFolderTest, HasEveryChunkOfTheFinestScale) {
  const auto written = ReadPlainFile(*volume_, "8_8_40/-16-0_0-16_0-8").value();
  ASSERT_TRUE(written.has_value());
  EXPECT_FALSE(written->generation.absent());
  EXPECT_EQ(PlainFileGeneration(*volume_, "8_8_40/-16-0_0-16_0-8").value(), written->generation);
  EXPECT_EQ(volume_->ReadChunk(0, {0, 0, 0})->value, written->bytes);

  const auto background = ReadPlainFile(*volume_, "8_8_40/0-4_0-16_0-8").value();
  ASSERT_TRUE(background.has_value());
  EXPECT_TRUE(background->generation.absent());
  EXPECT_EQ(PlainFileGeneration(*volume_, "8_8_40/0-4_0-16_0-8").value(), store::Generation::Absent());
  const auto labels = volume_->DecodeChunk(0, {1, 0, 0}, {background->bytes, {}});
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_EQ((*labels)[VoxelPoint({3, 15, 7})], 0u);
  EXPECT_TRUE(ReadPlainFile(*volume_, "info")->has_value());
}

TEST_P(PlainFolderTest, HasNothingElse) {
  for (const char* key : {"8_8_40/0-5_0-16_0-8", "8_8_40/0-4_0-16", "8_8_40/4-8_0-16_0-8", "8_8_40/x", "8_8_40",
                          "16_16_40/-16-0_0-8_0-8", "provenance", "8_8_40/-999999999999999999999-0_0-16_0-8"}) {
    EXPECT_FALSE(ReadPlainFile(*volume_, key)->has_value()) << key;
    EXPECT_FALSE(PlainFileGeneration(*volume_, key)->has_value()) << key;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(ReadPlainFile(*volume_, "../info").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ReadPlainFile(*volume_, "").status()) ||
              !ReadPlainFile(*volume_, "")->has_value());
}

INSTANTIATE_TEST_SUITE_P(Encodings, PlainFolderTest,
                         testing::Values(Encoding::kRaw, Encoding::kCompressedSegmentation));

}  // namespace
}  // namespace cleave::volume
