// Goal: a batch does what its items say, one by one or as a whole, and says of each what came of it; what is malformed
// is refused before anything is begun. Method: the project of server_testing.h; batches that do all, some and none, and
// the log after each.
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "edit/operation_log.h"
#include "server/server_testing.h"

namespace cleave::server {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr char kMerge[] = "[[0,80,96,480],[0,240,96,480]]";

class BatchRoutesTest : public ServerTest {
 protected:
  Response Send(const json& body, std::map<std::string, std::string> headers = {}) {
    return routes_->Answer({.method = "POST",
                            .path = absl::StrCat(kTable, "batch"),
                            .host = "h:1",
                            .body = body.dump(),
                            .headers = std::move(headers)});
  }
  [[nodiscard]] size_t Successes() const {
    const std::vector<edit::OperationRecord> log = edit::OperationLog(dataset_->table()).ReadAll().value();
    size_t count = 0;
    for (const edit::OperationRecord& record : log) {
      count += record.status == edit::OperationStatus::kSuccess ? 1 : 0;
    }
    return count;
  }
  static json Split() { return {{"split", json::parse(kSplit)}}; }
  static json Merge() { return {{"merge", json::parse(kMerge)}}; }
};

TEST_F(BatchRoutesTest, EachItemIsAnsweredAsItsRouteDoes) {
  const Response response = Send({{"items", {Split(), Merge(), Merge(), Split()}}});
  ASSERT_EQ(response.code, 200) << response.body;
  const json body = json::parse(response.body);
  EXPECT_EQ(body["done"], false) << "the third joins what is one already";
  ASSERT_EQ(body["items"].size(), 4U);
  EXPECT_EQ(body["items"][0]["new_root_ids"].size(), 2U);
  EXPECT_EQ(body["items"][0]["old_root_ids"].size(), 1U);
  EXPECT_FALSE(body["items"][0]["boxes"].empty()) << "voxels were cut";
  EXPECT_EQ(body["items"][1]["old_root_ids"], body["items"][0]["new_root_ids"]);
  EXPECT_FALSE(body["items"][1]["new_lvl2_ids"].empty());
  EXPECT_EQ(body["items"][2]["code"], 400);
  EXPECT_THAT(body["items"][2]["message"].get<std::string>(), HasSubstr("[400]"));
  EXPECT_EQ(body["items"][3]["old_root_ids"], body["items"][1]["new_root_ids"]);
  EXPECT_EQ(Successes(), 3U);

  const json undo = {{"undo", {{"operation_id", body["items"][3]["operation_id"]}}}};
  const json redo = {{"redo", {{"operation_id", body["items"][3]["operation_id"]}}}};
  const json again = json::parse(Send({{"items", {undo, redo}}, {"whole", false}}).body);
  EXPECT_EQ(again["done"], true) << again;
  EXPECT_EQ(again["items"][0]["new_root_ids"].size(), 1U);
  EXPECT_EQ(again["items"][1]["new_root_ids"].size(), 2U);
}

TEST_F(BatchRoutesTest, AsAWholeItIsAllOrNothing) {
  const Response refused = Send({{"items", {Split(), Split()}}, {"whole", true}});
  EXPECT_EQ(refused.code, 400) << refused.body;
  EXPECT_THAT(refused.body, HasSubstr("nothing was done, because of item 1"));
  EXPECT_EQ(Successes(), 0U);
  const json body = json::parse(Send({{"items", {Split(), Merge()}}, {"whole", true}}).body);
  EXPECT_EQ(body["done"], true) << body;
  EXPECT_EQ(body["items"][1]["old_root_ids"], body["items"][0]["new_root_ids"]) << "each sees those before it";
  EXPECT_EQ(Successes(), 2U);
}

TEST_F(BatchRoutesTest, AnItemMayHaveAllThatItsRouteTakes) {
  const json three = {
      {"sources", {{0, 40, 48, 240}}}, {"sinks", {{0, 272, 48, 240}}}, {"more_sides", {{{0, 160, 88, 480}}}}};
  const json body = json::parse(Send({{"items", {{{"split", three}}}}}).body);
  ASSERT_EQ(body["done"], true) << body;
  EXPECT_EQ(body["items"][0]["new_root_ids"].size(), 3U);
}

TEST_F(BatchRoutesTest, WithANameItIsDoneOnce) {
  const std::map<std::string, std::string> name = {{"idempotency-key", "monday"}};
  const json first = json::parse(Send({{"items", {Split(), Merge()}}}, name).body);
  const json second = json::parse(Send({{"items", {Split(), Merge()}}}, name).body);
  EXPECT_EQ(first["done"], true);
  EXPECT_EQ(first, second);
  EXPECT_EQ(Successes(), 2U);
}

TEST_F(BatchRoutesTest, WhatIsMalformedIsRefusedBeforeAnythingIsBegun) {
  const json bad[] = {json(),
                      json::array(),
                      json::object(),
                      {{"items", json::array()}},
                      {{"items", {Split()}}, {"whole", "yes"}},
                      {{"items", {Split(), 7}}},
                      {{"items", {Split(), {{"split", json::parse(kSplit)}, {"merge", json::parse(kMerge)}}}}},
                      {{"items", {Split(), {{"rollback_user", json::object()}}}}},
                      {{"items", {Split(), {{"merge", json::array()}}}}},
                      {{"items", {Split(), {{"undo", {{"operation_id", "x"}}}}}}},
                      {{"items", std::vector<json>(1'001, Split())}}};
  for (const json& body : bad) {
    const Response response = Send(body);
    EXPECT_EQ(response.code, 400) << body.dump().substr(0, 200) << response.body;
  }
  EXPECT_THAT(Send(bad[8]).body, HasSubstr("item 1, and nothing was done"));
  EXPECT_THAT(Send(bad[10]).body, HasSubstr("at most 1000"));
  EXPECT_EQ(Successes(), 0U);
}

}  // namespace
}  // namespace cleave::server
