// Goal: an info object is read as Neuroglancer and TensorStore mean it, comes back with nothing lost, and a wrong one
// is refused with the name of the member at fault. Method: one good object; each case spoils one member of it.
#include "volume/info.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace cleave::volume {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

json GoodInfo() {
  return json::parse(R"({
    "@type": "neuroglancer_multiscale_volume", "type": "segmentation", "data_type": "uint64", "num_channels": 1,
    "mesh": "mesh", "graph": {"chunk_size": [512, 512, 128]},
    "scales": [
      {"key": "8_8_40", "resolution": [8, 8, 40], "size": [1000, 900, 120], "voxel_offset": [-5, 0, 7],
       "chunk_sizes": [[64, 64, 32]], "encoding": "compressed_segmentation",
       "compressed_segmentation_block_size": [8, 8, 4], "locked": true},
      {"key": "16_16_40", "resolution": [16.0, 16.5, 40], "size": [500, 450, 120], "sharding": null,
       "chunk_sizes": [[64, 64, 64]], "encoding": "raw"}]})");
}

TEST(Info, ReadsWhatTheMembersSay) {
  const absl::StatusOr<Info> info = ParseInfo(GoodInfo().dump());
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->data_type, DataType::kUint64);
  ASSERT_EQ(info->scales.size(), 2U);
  const Scale& fine = info->scales[0];
  EXPECT_EQ(fine.key, "8_8_40");
  EXPECT_EQ(fine.resolution, (VoxelSizeNm{8, 8, 40}));
  EXPECT_EQ(fine.bounds(), (Box{{-5, 0, 7}, {995, 900, 127}}));
  EXPECT_EQ(fine.chunk_size, (Extent3{64, 64, 32}));
  EXPECT_EQ(fine.encoding, Encoding::kCompressedSegmentation);
  EXPECT_EQ(fine.block_size, (Extent3{8, 8, 4}));
  EXPECT_EQ(info->scales[1].encoding, Encoding::kRaw);
  EXPECT_EQ(info->scales[1].resolution.y, 16.5);
  EXPECT_EQ(info->scales[1].voxel_offset, VoxelPoint());
}

TEST(Info, WritesBackEveryMember) {
  json good = GoodInfo();
  const absl::StatusOr<Info> info = ParseInfo(good.dump());
  ASSERT_TRUE(info.ok()) << info.status();
  good["scales"][1].erase("sharding");
  good["scales"][1]["voxel_offset"] = {0, 0, 0};
  EXPECT_EQ(json::parse(FormatInfo(*info)), good);
  const absl::StatusOr<Info> again = ParseInfo(FormatInfo(*info));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(*again, *info);
}

TEST(Info, NamesTheMemberThatIsWrong) {
  struct Case {
    const char* pointer;
    json value;  // discarded: the member is removed
    absl::StatusCode code;
    const char* message;
  };
  const auto invalid = absl::StatusCode::kInvalidArgument;
  const auto unimplemented = absl::StatusCode::kUnimplemented;
  const std::vector<Case> cases = {
      {"/@type", "else", invalid, "\"@type\""},
      {"/type", 3, invalid, "\"type\""},
      {"/type", "mesh", invalid, "type must be"},
      {"/data_type", nullptr, invalid, "\"data_type\" is missing"},
      {"/data_type", "uint65", invalid, "not \"uint65\""},
      {"/data_type", "uint8", invalid, "holds uint32 or uint64"},
      {"/num_channels", 0, invalid, "\"num_channels\""},
      {"/num_channels", 3, unimplemented, "several channels"},
      {"/scales", json::object(), invalid, "\"scales\""},
      {"/scales", json::array(), invalid, "\"scales\""},
      {"/scales/0/key", nullptr, invalid, "scale 0: member \"key\""},
      {"/scales/0/key", "a//b", invalid, "relative path"},
      {"/scales/0/key", "16_16_40", invalid, "of an earlier scale"},
      {"/scales/0/resolution", {8, 8}, invalid, "\"resolution\""},
      {"/scales/0/resolution", {8, 8, 0}, invalid, "\"resolution\""},
      {"/scales/0/size", {8, 8, 0}, invalid, "scale 0 (8_8_40): member \"size\""},
      {"/scales/0/size", {8, 8, 1.5}, invalid, "\"size\""},
      {"/scales/0/size", {8, 8, 1e300}, invalid, "\"size\""},
      {"/scales/0/size", nullptr, invalid, "\"size\" is missing"},
      {"/scales/0/voxel_offset", "0", invalid, "\"voxel_offset\""},
      {"/scales/0/chunk_sizes", {64, 64, 64}, invalid, "\"chunk_sizes\""},
      {"/scales/0/chunk_sizes", {{1 << 20, 1 << 20, 1}}, invalid, "chunk_sizes"},
      {"/scales/0/chunk_sizes", {{64, 64, 64}, {32, 32, 32}}, unimplemented, "several chunk_sizes"},
      {"/scales/0/encoding", "jpeg", unimplemented, "scale 0 (8_8_40): encoding \"jpeg\""},
      {"/scales/0/compressed_segmentation_block_size", nullptr, invalid, "\"compressed_segmentation_block_size\""},
      {"/scales/1/compressed_segmentation_block_size", {8, 8, 8}, invalid, "must be absent"},
      {"/scales/1/sharding", {{"@type", "neuroglancer_uint64_sharded_v1"}}, unimplemented, "scale 1 (16_16_40)"},
  };
  for (const Case& spoiled : cases) {
    json object = GoodInfo();
    object[json::json_pointer(spoiled.pointer)] = spoiled.value;
    const absl::Status status = ParseInfo(object.dump()).status();
    EXPECT_EQ(status.code(), spoiled.code) << spoiled.pointer << ' ' << spoiled.value << ' ' << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(spoiled.message)) << spoiled.pointer;
  }
}

TEST(Info, RefusesWhatIsNoObject) {
  for (const std::string& text : {std::string(), std::string("[]"), std::string("{"), std::string(100000, '['),
                                  "{\"a\":" + std::string(5000, '[') + std::string(5000, ']') + "}"}) {
    EXPECT_EQ(ParseInfo(text).status().code(), absl::StatusCode::kInvalidArgument) << text.substr(0, 20);
  }
}

TEST(Info, DefaultKeysAreThoseOfOtherWriters) {
  EXPECT_EQ(DefaultScaleKey({8, 8, 40}), "8_8_40");
  EXPECT_EQ(DefaultScaleKey({7.5, 8, 40}), "7.5_8_40");
}

}  // namespace
}  // namespace cleave::volume
