// Goal: cells are the bytes that KVDbClient writes, its cells are read, and damaged ones are refused.
// Method: vectors made with KVDbClient 0.7; round trips of random arrays. The interop script checks many more.
#include "table/serializers.h"

#include <array>
#include <limits>
#include <random>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"

#include "table/test_table.h"

namespace cleave::table {
namespace {

using Pair = std::array<uint64_t, 2>;

TEST(Serializers, NumbersAreLittleEndianAndUnframed) {
  EXPECT_EQ(EncodeValue<uint64_t>(0x0102030405060708u), FromHex("0807060504030201"));
  EXPECT_EQ(EncodeArray(std::vector<uint64_t>{1, 2}), FromHex("01000000000000000200000000000000"));
  EXPECT_EQ(EncodeArray(std::vector<Pair>{{1, 2}, {3, 4}}), EncodeArray(std::vector<uint64_t>{1, 2, 3, 4}));
  EXPECT_EQ(EncodeArray(std::vector<float>{1.0f, std::numeric_limits<float>::infinity()}), FromHex("0000803f0000807f"));
  EXPECT_EQ(EncodeArray(std::vector<int64_t>{-1}), FromHex("ffffffffffffffff"));
  EXPECT_EQ(EncodeArray(std::vector<uint64_t>{}), "");
  EXPECT_EQ(DecodeValue<uint64_t>(FromHex("0807060504030201")).value(), 0x0102030405060708u);
  EXPECT_TRUE(DecodeArray<uint64_t>("")->empty());
}

TEST(Serializers, StrongTypesAreNumbersToo) {
  enum class NodeId : uint64_t {};
  const std::vector<NodeId> ids = {NodeId{7}, NodeId{8}};
  EXPECT_EQ(DecodeArray<NodeId>(EncodeArray(ids)).value(), ids);
  EXPECT_EQ(DecodeCompressedArray<NodeId>(EncodeCompressedArray(ids)).value(), ids);
}

TEST(Serializers, WrongSizesAreDataLoss) {
  EXPECT_EQ(DecodeArray<uint64_t>("1234567").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(DecodeArray<Pair>("12345678").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(DecodeValue<uint64_t>("").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(DecodeCounter("1234567").status().code(), absl::StatusCode::kDataLoss);
}

TEST(Serializers, CompressedArraysRoundTrip) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(testing::Message() << "CLEAVE_TEST_SEED=" << seed);
  std::mt19937_64 random(seed);
  for (const size_t size : {size_t{0}, size_t{1}, size_t{100}, size_t{100000}}) {
    std::vector<uint64_t> ids(size);
    for (uint64_t& id : ids) {
      id = 144326363027865600u + random() % 1000;
    }
    const std::string cell = EncodeCompressedArray(ids);
    EXPECT_EQ(cell.substr(0, 4), FromHex("28b52ffd"));
    EXPECT_EQ(DecodeCompressedArray<uint64_t>(cell).value(), ids);
    if (size == 100000) {
      EXPECT_LT(cell.size(), size * 3);
    }
  }
}

TEST(Serializers, ReadsPeersCompressedCellsOfEveryKind) {
  // [1, 2, 3] by zstandard at level 22: with the size in the header, without it, and not compressed at all.
  const std::vector<uint64_t> expected = {1, 2, 3};
  EXPECT_EQ(DecodeCompressedArray<uint64_t>(FromHex("28b52ffd20185d000082c101823210fffcf12f00")).value(), expected);
  EXPECT_EQ(DecodeCompressedArray<uint64_t>(FromHex("28b52ffd00885d000082c101823210fffcf12f00")).value(), expected);
  EXPECT_EQ(DecodeCompressedArray<uint64_t>(EncodeArray(expected)).value(), expected);
  EXPECT_TRUE(DecodeCompressedArray<uint64_t>("")->empty());
}

TEST(Serializers, DamagedCompressedCellsAreDataLoss) {
  for (const absl::string_view hex :
       {"28b52ffd20185d000082c101823210fffcf12f00", "28b52ffd00885d000082c101823210fffcf12f00"}) {
    const std::string cell = FromHex(hex);
    for (size_t size = 4; size < cell.size(); ++size) {
      EXPECT_EQ(DecodeCompressedArray<uint64_t>(cell.substr(0, size)).status().code(), absl::StatusCode::kDataLoss);
    }
    EXPECT_EQ(DecodeCompressedArray<uint64_t>(cell + "x").status().code(), absl::StatusCode::kDataLoss);
    EXPECT_EQ(DecodeCompressedArray<uint64_t>(cell + cell).status().code(), absl::StatusCode::kDataLoss);
  }
  // A header that claims 2^62 bytes.
  EXPECT_EQ(DecodeCompressedArray<uint64_t>(FromHex("28b52ffde00000000000000040010000")).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST(Serializers, IdText) {
  EXPECT_EQ(EncodeIdText(42), "00000000000000000042");
  EXPECT_EQ(DecodeIdText(EncodeIdText(std::numeric_limits<uint64_t>::max())).value(),
            std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(DecodeIdText("7").value(), 7u);
  for (const char* const bad : {"", "-1", "1x", " 1", "18446744073709551616", "000000000000000000001"}) {
    EXPECT_EQ(DecodeIdText(bad).status().code(), absl::StatusCode::kDataLoss) << bad;
  }
}

TEST(Serializers, CountersAreBigEndian) {
  EXPECT_EQ(EncodeCounter(258), FromHex("0000000000000102"));
  EXPECT_EQ(DecodeCounter(FromHex("fffffffffffffffe")).value(), -2);
}

TEST(Serializers, TextIsUtf8) {
  for (const char* const good : {"", "user@lab", "Zo\xc3\xab", "\xe2\x82\xac", "\xf0\x9f\xa7\xa0"}) {
    EXPECT_EQ(DecodeText(good).value(), good);
  }
  for (const char* const bad :
       {"\x80", "a\xc3", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf0\x9f\xa7", "\xff"}) {
    EXPECT_EQ(DecodeText(bad).status().code(), absl::StatusCode::kDataLoss);
  }
}

}  // namespace
}  // namespace cleave::table
