// Goal: row keys are the peer's, byte for byte, sort as ids do, and are told apart again.
#include "table/row_keys.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "gtest/gtest.h"

namespace cleave::table {
namespace {

constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

TEST(RowKeys, AreThePeersBytes) {
  EXPECT_EQ(NodeRowKey(144326363027865604u), "00144326363027865604");
  EXPECT_EQ(NodeRowKey(kMax), "18446744073709551615");
  EXPECT_EQ(OperationRowKey(7), "00000000000000000007");
  EXPECT_EQ(ChunkCounterRowKey(72268768989937664u), "i00072268768989937664");
  EXPECT_EQ(RootCounterRowKey({720575940379279360u, 255}), "i00720575940379279360_255");
  EXPECT_EQ(EditedEdgesRowKey(144326363027865600u), "f00144326363027865600");
}

TEST(RowKeys, ChunkLocksArePrintableAndSpread) {
  // First bytes of: printf '\x02\x00\xc0\x10\x00\x00\x00\x00' | openssl dgst -blake2b512
  EXPECT_EQ(ChunkLockRowKey(0x0200c01000000000u), "l774e00144326363027865600");
  std::vector<std::string> prefixes;
  for (uint64_t chunk = 0; chunk < 64; ++chunk) {
    prefixes.push_back(ChunkLockRowKey(chunk << 26).substr(0, 3));
  }
  std::sort(prefixes.begin(), prefixes.end());
  EXPECT_GT(std::unique(prefixes.begin(), prefixes.end()) - prefixes.begin(), 40);
}

TEST(RowKeys, ChunkLocksLieOutsideEveryNodeRange) {
  const RowRange all_nodes = NodeRowRange({0, kMax});
  for (uint64_t chunk = 0; chunk < 1000; ++chunk) {
    const std::string key = ChunkLockRowKey(chunk << 26);
    EXPECT_FALSE(key >= all_nodes.begin && key < all_nodes.end);
    EXPECT_TRUE(key >= ChunkLockRowRange().begin && key < ChunkLockRowRange().end);
  }
}

TEST(RowKeys, RangesHoldBothEnds) {
  const RowRange range = NodeRowRange({5, 9});
  EXPECT_LT(NodeRowKey(4), range.begin);
  EXPECT_GE(NodeRowKey(5), range.begin);
  EXPECT_LT(NodeRowKey(9), range.end);
  EXPECT_GE(NodeRowKey(10), range.end);
}

TEST(RowKeys, ParseInvertsAndRefusesOthers) {
  for (const uint64_t id : {uint64_t{0}, uint64_t{144326363027865604u}, kMax}) {
    EXPECT_EQ(ParseNodeRowKey(NodeRowKey(id)).value(), id);
    EXPECT_EQ(ParseOperationRowKey(OperationRowKey(id)).value(), id);
    EXPECT_EQ(ParseEditedEdgesRowKey(EditedEdgesRowKey(id)).value(), id);
    EXPECT_EQ(ParseChunkLockRowKey(ChunkLockRowKey(id)).value(), id);
  }
  for (const char* const key : {"", "meta", "0014432636302786560", "001443263630278656040", "+0144326363027865604",
                                "18446744073709551616", "f00144326363027865600", " 0144326363027865604"}) {
    EXPECT_EQ(ParseNodeRowKey(key).status().code(), absl::StatusCode::kInvalidArgument) << key;
  }
  EXPECT_FALSE(ParseEditedEdgesRowKey(NodeRowKey(1)).ok());
  EXPECT_FALSE(ParseChunkLockRowKey(NodeRowKey(1)).ok());
  EXPECT_FALSE(ParseChunkLockRowKey("l").ok());
}

}  // namespace
}  // namespace cleave::table
