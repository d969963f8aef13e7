// Goal: arguments are read as people write them, and what is wrong is refused with a message that quotes it.
// Method: good and bad texts, the limits among them.
#include "cli/arguments.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cleave::cli {
namespace {

using ::testing::HasSubstr;

template <typename T>
void ExpectRefused(const absl::StatusOr<T>& value, absl::string_view words) {
  ASSERT_FALSE(value.ok());
  EXPECT_EQ(value.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(value.status().message()), HasSubstr(std::string(words)));
}

TEST(ParsePoint, TakesThreeIntegers) {
  EXPECT_EQ(ParsePoint("1,2,3").value(), (VoxelPoint{1, 2, 3}));
  EXPECT_EQ(ParsePoint("-1,0,+3").value(), (VoxelPoint{-1, 0, 3}));
  EXPECT_EQ(ParsePoint(" 1, 2 ,3 ").value(), (VoxelPoint{1, 2, 3}));
}

TEST(ParsePoint, RefusesAllElse) {
  for (const char* text :
       {"", "1,2", "1,2,3,4", "1,2,", "1,2,x", "1.5,2,3", "1 2 3", "1,2,99999999999999999999", "1,2,1099511627776"}) {
    ExpectRefused(ParsePoint(text), "X,Y,Z");
  }
  ExpectRefused(ParsePoint("a,b,c"), "'a,b,c'");
}

TEST(ParsePoints, StopsAtTheFirstError) {
  EXPECT_EQ(ParsePoints({"1,2,3", "4,5,6"}).value().size(), 2U);
  ExpectRefused(ParsePoints({"1,2,3", "oops"}), "'oops'");
}

TEST(ParseExtent, TakesPositiveIntegersOnly) {
  EXPECT_EQ(ParseExtent("128,128,64").value(), (Extent3{128, 128, 64}));
  ExpectRefused(ParseExtent("0,128,64"), "positive");
  ExpectRefused(ParseExtent("-1,128,64"), "positive");
}

TEST(ParseVoxelSize, TakesPositiveNumbersOnly) {
  EXPECT_EQ(ParseVoxelSize("8,8.5,40").value(), (VoxelSizeNm{8, 8.5, 40}));
  for (const char* text : {"8,8,0", "8,8,-40", "8,8,nan", "8,8,inf", "8,8"}) {
    ExpectRefused(ParseVoxelSize(text), "voxel size");
  }
}

TEST(ParseBox, TakesTwoCorners) {
  EXPECT_EQ(ParseBox("-1,0,0,2,3,4").value(), (Box{{-1, 0, 0}, {2, 3, 4}}));
  ExpectRefused(ParseBox("0,0,0,2,0,4"), "is empty");
  ExpectRefused(ParseBox("0,0,0,2,3"), "X0,Y0,Z0,X1,Y1,Z1");
}

TEST(ParseTime, TakesRfc3339AndSeconds) {
  const absl::Time time = absl::FromUnixMillis(1769860800123);
  EXPECT_EQ(ParseTime("2026-01-31T12:00:00.123Z").value(), time);
  EXPECT_EQ(ParseTime("2026-01-31T13:00:00.123+01:00").value(), time);
  EXPECT_EQ(absl::ToUnixSeconds(ParseTime("1769860800").value()), 1769860800);
  EXPECT_NEAR(absl::ToDoubleSeconds(ParseTime("1769860800.5").value() - absl::FromUnixSeconds(1769860800)), 0.5, 1e-6);
  for (int64_t ms = 1795551771000; ms < 1795551772000; ++ms) {  // none falls short of its millisecond
    const std::string text = absl::StrCat(ms / 1000, ".", absl::Dec(ms % 1000, absl::kZeroPad3));
    EXPECT_EQ(ParseTime(text).value(), absl::FromUnixMillis(ms));
  }
  for (const char* text : {"", "yesterday", "2026-01-31", "infinite-future", "inf", "nan", "1e300"}) {
    ExpectRefused(ParseTime(text), "time");
  }
}

TEST(ParseNodeId, TakesPositiveNumbersOfSixtyFourBits) {
  EXPECT_EQ(ParseNodeId("18446744073709551615").value(), graph::NodeId{UINT64_MAX});
  for (const char* text : {"", "0", "-1", "18446744073709551616", "0x10", "1.0"}) {
    ExpectRefused(ParseNodeId(text), "id");
  }
}

TEST(ParseEdge, TakesTwoIds) {
  EXPECT_EQ(ParseEdge("72057594037927937, 5").value(),
            (graph::EdgeEnds{graph::NodeId{72057594037927937}, graph::NodeId{5}}));
  EXPECT_EQ(ParseEdges({"1,2", "3,4"})->size(), 2U);
  for (const char* text : {"", "17", "17,x", "17,-3", "17,23,4", "18446744073709551616,1"}) {
    ExpectRefused(ParseEdge(text), "edge A,B");
  }
}

TEST(ParseOperation, TakesNumbersBelowThoseOfNodes) {
  EXPECT_EQ(ParseOperation("17").value(), graph::OperationId{17});
  for (const char* text : {"", "0", "-1", "x", "72057594037927937"}) {
    ExpectRefused(ParseOperation(text), "operation");
  }
}

TEST(ParseFusePair, TakesTwoLabels) {
  EXPECT_EQ(ParseFusePair("17,23").value().a, 17U);
  EXPECT_EQ(ParseFusePair("17,23").value().b, 23U);
  for (const char* text : {"17", "17,0", "17,-3", "17,23,4"}) {
    ExpectRefused(ParseFusePair(text), "A,B");
  }
}

TEST(Named, PutsTheOptionInFront) {
  EXPECT_EQ(Named("--point", ParsePoint("1")).status().message().substr(0, 9), "--point: ");
  EXPECT_TRUE(Named("--point", ParsePoint("1,2,3")).ok());
}

}  // namespace
}  // namespace cleave::cli
