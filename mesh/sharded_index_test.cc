// Goal: a node's shard, minishard and bytes are where CloudVolume puts them; damaged indices are told.
// Method: places that CloudVolume 12.15.2 computed; shards that the test makes, whole and damaged.
// server/clients_test.py has CloudVolume write shards that the server reads.
#include "mesh/sharded_index.h"

#include "gtest/gtest.h"
#include <nlohmann/json.hpp>

#include "mesh/mesh_info.h"
#include "mesh/mesh_testing.h"

namespace cleave::mesh {
namespace {

using graph::NodeId;
using Hash = ShardingSpec::Hash;

TEST(ShardedIndexTest, PlacesAreCloudVolumes) {
  const ShardingSpec plain{};
  const ShardingSpec many{.preshift_bits = 9, .minishard_bits = 6, .shard_bits = 11};
  const ShardingSpec identity{.hash = Hash::kIdentity, .preshift_bits = 2, .minishard_bits = 4, .shard_bits = 5};
  struct Case {
    ShardingSpec spec;
    uint64_t node = 0;
    ShardPlace place;
  };
  for (const Case& one : {Case{plain, 1, {0, 2}},
                          {plain, 173395595644372020, {0, 0}},
                          {plain, 9223372036854788153U, {0, 5}},
                          {plain, 144185556820033543, {0, 0}},
                          {many, 1, {0x2b9, 1}},
                          {many, 173395595644372020, {0x52b, 5}},
                          {many, 9223372036854788153U, {0x117, 52}},
                          {many, 144185556820033543, {0x2bf, 51}},
                          {identity, 173395595644372020, {0x10, 13}},
                          {identity, 9223372036854788153U, {0, 14}}}) {
    EXPECT_EQ(PlaceOf(one.spec, NodeId{one.node}), one.place) << one.node;
  }
  // A file's name, by CloudVolume too: of node 173395595644372020, with 10 bits an axis.
  const auto layout = graph::IdLayout::Create({{0, 0, 0}, {1 << 18, 1 << 18, 1 << 18}}, {256, 256, 512}).value();
  ASSERT_EQ(layout.SpatialBits(2), 10);
  EXPECT_EQ(ShardFileName(layout, plain, NodeId{173395595644372020}), "436312073-0.shard");
  EXPECT_EQ(ShardFileName(layout, many, NodeId{173395595644372020}), "436312073-52b.shard");
}

TEST(ShardedIndexTest, AShardIsReadBack) {
  const ShardingSpec spec{.minishard_bits = 2, .gzip_index = false};
  std::map<NodeId, std::string> meshes;
  for (uint64_t id = 1; id < 40; ++id) {
    meshes[NodeId{id * 977}] = std::string(id % 5, 'm') + std::to_string(id);
  }
  const std::string shard = MakeShard(spec, meshes);
  for (const auto& [node, mesh] : meshes) {
    const auto place =
        DecodeShardIndex(shard.substr(0, ShardIndexBytes(spec)), spec, PlaceOf(spec, node).minishard).value();
    ASSERT_TRUE(place.has_value());
    bool is_found = false;
    const auto values = DecodeMinishardIndex(shard.substr(place->offset, place->length), spec).value();
    for (const ShardedValue& value : values) {
      if (value.key == Value(node)) {
        EXPECT_EQ(shard.substr(value.place.offset, value.place.length), mesh);
        is_found = true;
      }
    }
    EXPECT_TRUE(is_found) << Value(node);
  }
}

TEST(ShardedIndexTest, DamageIsTold) {
  const ShardingSpec spec{.minishard_bits = 1, .gzip_index = false};
  const auto numbers = [](std::initializer_list<uint64_t> list) {
    std::string bytes;
    for (const uint64_t number : list) {
      AppendNumber(bytes, number);
    }
    return bytes;
  };
  EXPECT_EQ(DecodeShardIndex(numbers({5, 5, 0, 24}), spec, 0).value(), std::nullopt);
  EXPECT_EQ(DecodeShardIndex(numbers({5, 5, 0, 24}), spec, 1).value(), (store::Extent{32, 24}));
  EXPECT_TRUE(absl::IsDataLoss(DecodeShardIndex(numbers({5, 4, 0, 24}), spec, 0).status()));
  EXPECT_TRUE(absl::IsDataLoss(DecodeShardIndex(numbers({~uint64_t{0} - 9, ~uint64_t{0}, 0, 0}), spec, 0).status()));
  EXPECT_TRUE(absl::IsDataLoss(DecodeShardIndex("short", spec, 0).status()));
  EXPECT_TRUE(absl::IsDataLoss(DecodeMinishardIndex("x", spec).status()));
  EXPECT_TRUE(absl::IsDataLoss(DecodeMinishardIndex(numbers({1, ~uint64_t{0}, 5}), spec).status()));
  EXPECT_TRUE(absl::IsDataLoss(DecodeMinishardIndex(numbers({1, 5, ~uint64_t{0}}), spec).status()));
  EXPECT_TRUE(absl::IsDataLoss(DecodeMinishardIndex("no gzip", ShardingSpec{}).status()));
  EXPECT_TRUE(DecodeMinishardIndex("", spec).value().empty());
}

TEST(ShardedIndexTest, InfoIsReadBackAndWrongOnesAreRefused) {
  const MeshInfo info{.mip = 1,
                      .chunk_size = {256, 256, 512},
                      .sharding = {{2, {}}, {3, {.hash = Hash::kIdentity, .minishard_bits = 5, .gzip_index = false}}}};
  EXPECT_EQ(ParseMeshInfo(FormatMeshInfo(info)).value(), info);
  const nlohmann::json good = nlohmann::json::parse(FormatMeshInfo(info));
  EXPECT_EQ(good["sharding"]["2"]["@type"], "neuroglancer_uint64_sharded_v1");
  const auto expect_wrong = [&](const char* pointer, const nlohmann::json& value, const std::string& says) {
    nlohmann::json wrong = good;
    wrong[nlohmann::json::json_pointer(pointer)] = value;
    const absl::Status status = ParseMeshInfo(wrong.dump()).status();
    EXPECT_TRUE(absl::IsDataLoss(status));
    EXPECT_NE(status.message().find(says), absl::string_view::npos) << status;
  };
  expect_wrong("/@type", "other", "@type");
  expect_wrong("/chunk_size", {1, 2}, "chunk_size");
  expect_wrong("/chunk_size", {1, 2, 0}, "chunk_size");
  expect_wrong("/mip", -1, "mip");
  expect_wrong("/sharding", nullptr, "sharding");
  expect_wrong("/sharding/x", good["sharding"]["2"], "layer");
  expect_wrong("/sharding/2/@type", "other", "layer 2");
  expect_wrong("/sharding/2/hash", "md5", "hash");
  expect_wrong("/sharding/2/minishard_bits", 21, "minishard_bits");
  expect_wrong("/sharding/2/shard_bits", 62, "shard_bits");
  expect_wrong("/sharding/2/preshift_bits", "1", "preshift_bits");
  expect_wrong("/sharding/3/minishard_index_encoding", "zip", "minishard_index_encoding");
  expect_wrong("/sharding/3/data_encoding", "gzip", "inflate");
  EXPECT_TRUE(absl::IsDataLoss(ParseMeshInfo("{").status()));
}

}  // namespace
}  // namespace cleave::mesh
