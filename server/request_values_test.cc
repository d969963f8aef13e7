// Goal: what a request holds is read as it is meant, or refused with words. Method: each reader with what is right,
// what is wrong, and what would hurt: deep nesting, long lists, numbers beyond 64 bits.
#include "server/request_values.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "server/file_answer.h"
#include "server/http_coding.h"
#include "server/request_log.h"

namespace cleave::server {
namespace {

using graph::NodeId;

constexpr VoxelSizeNm kVoxelNm{8, 8, 40};

Request Body(const std::string& body) {
  Request request;
  request.body = body;
  return request;
}
Request Query(const std::string& name, const std::string& value) {
  Request request;
  request.query[name] = value;
  return request;
}

TEST(RequestValues, IdsAreNumbersOrStringsAndExact) {
  const RequestLimits limits;
  const auto ids = IdsOf(Body(R"({"node_ids":[18446744073709551615, "18446744073709551614", 0]})"), "node_ids", limits);
  ASSERT_TRUE(ids.ok()) << ids.status();
  EXPECT_EQ(graph::ToIntegers(*ids), (std::vector<uint64_t>{UINT64_MAX, UINT64_MAX - 1, 0}));
  for (const char* body : {R"({"node_ids":[18446744073709551616]})", R"({"node_ids":[1.0]})", R"({"node_ids":["-1"]})",
                           R"({"node_ids":[null]})", R"({"ids":[]})", "[1]", "", "{", R"({"node_ids":[1e999]})"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(IdsOf(Body(body), "node_ids", limits).status())) << body;
  }
  Request binary = Query("is_binary", "True");
  binary.body.assign(16, '\1');
  EXPECT_EQ(IdsOf(binary, "node_ids", limits)->size(), 2u);
  EXPECT_FALSE(IdsOf(binary, "node_ids", {.ids_max = 1}).ok());
  EXPECT_FALSE(IdsOf(Body(R"({"node_ids":[1,2]})"), "node_ids", {.ids_max = 1}).ok());
}

TEST(RequestValues, DeepAndLongBodiesAreRefusedShortly) {
  const RequestLimits limits{.points_max = 3};
  const std::string deep = std::string(500'000, '[') + std::string(500'000, ']');
  for (const std::string& body : {deep, absl::StrCat("[[1,2,3,", deep, "],[1,2,3,4]]"), std::string("[1,1,1,1]"),
                                  std::string("[[0,1,1,1],[0,1,1,1],[0,1,1,1],[0,1,1,1]]"),
                                  absl::StrCat("[[0,1,1,\"", std::string(1'000'000, 'x'), "\"],[0,1,1,1]]")}) {
    const absl::Status status = TwoPointsOf(Body(body), kVoxelNm, limits).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status));
    EXPECT_LT(status.message().size(), 300u);
  }
  EXPECT_TRUE(IdsOf(Body("{\"node_ids\":[\"1\"],\"x\":\"[[[[[[[[[[[[[[\\\"[[[\"}"), "node_ids", limits).ok())
      << "brackets in strings nest nothing";
}

TEST(RequestValues, PointsAreInNanometres) {
  const auto sides = TwoPointsOf(Body("[[null, 800, 399, 1300], [\"7\", -8.5, 0, 0]]"), kVoxelNm, {});
  ASSERT_TRUE(sides.ok()) << sides.status();
  EXPECT_EQ(sides->sources[0].voxel, (VoxelPoint{100, 49, 32}));
  EXPECT_FALSE(sides->sources[0].node.has_value());
  EXPECT_EQ(sides->sinks[0].voxel, (VoxelPoint{-2, 0, 0}));
  EXPECT_EQ(sides->sinks[0].node, NodeId{7});
  EXPECT_FALSE(TwoPointsOf(Body("[[0,1e300,0,0],[0,0,0,0]]"), kVoxelNm, {}).ok());
}

TEST(RequestValues, TimesAreRoundedToTheMicrosecond) {
  const absl::Time time = absl::FromUnixMillis(1'763'000'000'123);
  EXPECT_EQ(TimestampOf(Query("timestamp", "1763000000.123")).value(), time);
  EXPECT_EQ(ParseMoment("2025-11-13T02:13:20.123Z").value(), time);
  EXPECT_EQ(TimestampOf(Request{}).value(), absl::InfiniteFuture());
  for (const char* text : {"nan", "inf", "-inf", "1e300", "soon", "infinite-future"}) {
    EXPECT_FALSE(TimestampOf(Query("timestamp", text)).ok()) << text;
  }
}

TEST(RequestValues, OperationsAndLayers) {
  EXPECT_EQ(OperationOf(Body(R"({"operation_id":"12"})")).value(), graph::OperationId{12});
  EXPECT_FALSE(OperationOf(Body(R"({"operation_id":-12})")).ok());
  EXPECT_EQ(OperationsOf(Query("o", "[1, 2]"), "o", {})->size(), 2u);
  EXPECT_FALSE(OperationsOf(Query("o", "1"), "o", {}).ok());
  EXPECT_EQ(StopLayerOf(Query("stop_layer", "2"), 5, 5).value(), 2);
  EXPECT_FALSE(StopLayerOf(Query("stop_layer", "6"), 5, 5).ok());
  EXPECT_FALSE(BoundsOf(Query("bounds", "5-5_0-1_0-1")).ok());
  EXPECT_EQ(BoundsOf(Query("bounds", "0-9223372036854775807_0-1_0-1")).value()->hi.x, int64_t{1} << 48);
}

TEST(Coding, WhatIsCompressedComesBackAndABombDoesNot) {
  const std::string text(100'000, 'a');
  EXPECT_EQ(Inflate(Gzip(text), text.size()), text);
  EXPECT_FALSE(Inflate(Gzip(text), text.size() - 1).has_value());
  EXPECT_FALSE(Inflate("no gzip", 100).has_value());
  EXPECT_FALSE(Inflate(Gzip(text).substr(0, 20), text.size()).has_value());
  EXPECT_TRUE(AcceptsGzip("deflate, gzip;q=0.5"));
  EXPECT_FALSE(AcceptsGzip("gzip;q=0, br"));
  EXPECT_FALSE(AcceptsGzip("identity"));
}

TEST(FileAnswer, PartsAreWhatTheHeaderAsksFor) {
  const auto part = [](const std::string& range) {
    Request request;
    request.headers["range"] = range;
    return FileResponse(request, "0123456789", "t");
  };
  EXPECT_EQ(part("bytes=2-4").body, "234");
  EXPECT_EQ(part("bytes=7-99").body, "789");
  EXPECT_EQ(part("bytes=8-").body, "89");
  EXPECT_EQ(part("bytes=-2").body, "89");
  EXPECT_EQ(part("bytes=-20").body, "0123456789");
  EXPECT_EQ(part("bytes=2-4").code, 206);
  EXPECT_EQ(part("bytes=10-").code, 416);
  EXPECT_EQ(part("bytes=-0").code, 416);
  for (const char* whole : {"", "bytes=4-2", "bytes=a-b", "bytes=-", "lines=1-2", "bytes=0-1,3-4"}) {
    EXPECT_EQ(part(whole).code, 200) << whole;
  }
  EXPECT_EQ(part("bytes=0-18446744073709551615").body, "0123456789");
}

TEST(FileAnswer, KnownTagsAreFound) {
  Request request;
  for (const char* tags : {"\"t\"", "W/\"t\"", "\"a\", \"t\"", "*"}) {
    request.headers["if-none-match"] = tags;
    EXPECT_TRUE(IsKnown(request, "t")) << tags;
  }
  request.headers["if-none-match"] = "\"tt\"";
  EXPECT_FALSE(IsKnown(request, "t"));
}

TEST(RequestLog, ALineNeverHoldsAToken) {
  Request request = Query("middle_auth_token", "secret");
  request.query["bounds"] = "1-2";
  request.path = "/x\xff";
  const std::string line = LogLine({request, ErrorResponse(404, "no", 1), "/x", absl::UnixEpoch(), absl::Seconds(1)});
  EXPECT_EQ(line.find("secret"), std::string::npos);
  EXPECT_NE(line.find("\"bounds\":\"1-2\""), std::string::npos);
  EXPECT_EQ(line.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace cleave::server
