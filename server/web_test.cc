// Goal: the pages are served as they lie on the disk and nothing else is, a server without them says so, and what the
// operator's page and Neuroglancer ask beside the field's contract is answered truthfully: operations, locks, stuck
// edits, protections, meshes.
// Method: routes are called directly, on the project of server_testing.h and on folders of a few small files.
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "base/clock.h"
#include "base/crash_point.h"
#include "edit/operation_log.h"
#include "server/server_testing.h"

namespace cleave::server {
namespace {

using nlohmann::json;

constexpr char kOwnTable[] = "/cleave/api/v1/table/graph/";

std::string HeaderIn(const Response& response, const std::string& name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) {
      return value;
    }
  }
  return "";
}

class WebTest : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    pages_ = folder_ + "_pages";
    std::filesystem::create_directories(pages_ + "/ng");
    Write("index.html", "<p>page");
    Write("operator.html", "<p>operator");
    Write("ng/main.js", "plain");
    Write("ng/main.js.gz", "zipped");
    Write("ng/decoder.wasm", "wasm");
    Write(".hidden", "secret");
    std::ofstream(folder_ + "_secret") << "secret";
    options_.web_folder = pages_;
    served_ = std::make_unique<Routes>(*dataset_, *editor_, options_);
  }
  void TearDown() override {
    served_.reset();
    std::filesystem::remove_all(pages_);
    std::filesystem::remove(folder_ + "_secret");
    ServerTest::TearDown();
  }
  void Write(const std::string& name, const std::string& text) { std::ofstream(pages_ + "/" + name) << text; }
  Response Page(const std::string& path, std::map<std::string, std::string> headers = {}) {
    return served_->Answer({.method = "GET", .path = path, .headers = std::move(headers)});
  }
  json Own(const std::string& path, std::map<std::string, std::string> query = {}) {
    return json::parse(Get(absl::StrCat(kOwnTable, path), std::move(query)).body);
  }

  std::string pages_;
  RouteOptions options_;
  std::unique_ptr<Routes> served_;
};

TEST_F(WebTest, PagesAreServedWithTheirTypesAndTags) {
  EXPECT_EQ(Page("/").body, "<p>page");
  EXPECT_EQ(Page("/").content_type, "text/html; charset=utf-8");
  EXPECT_EQ(Page("/operator").body, "<p>operator");
  EXPECT_EQ(Page("/web/ng/decoder.wasm").content_type, "application/wasm");
  const Response plain = Page("/web/ng/main.js");
  EXPECT_EQ(plain.body, "plain");
  EXPECT_EQ(plain.content_type, "text/javascript; charset=utf-8");
  EXPECT_EQ(HeaderIn(plain, "Content-Encoding"), "");
  const Response zipped = Page("/web/ng/main.js", {{"accept-encoding", "gzip, br"}});
  EXPECT_EQ(zipped.body, "zipped");
  EXPECT_EQ(HeaderIn(zipped, "Content-Encoding"), "gzip");
  EXPECT_NE(HeaderIn(zipped, "ETag"), HeaderIn(plain, "ETag"));
  EXPECT_EQ(Page("/web/ng/main.js", {{"if-none-match", HeaderIn(plain, "ETag")}}).code, 304);
  Write("ng/main.js", "changed");
  EXPECT_EQ(Page("/web/ng/main.js", {{"if-none-match", HeaderIn(plain, "ETag")}}).body, "changed");
}

TEST_F(WebTest, NothingOutsideOfTheFolderIsServed) {
  const std::string secret = std::filesystem::path(folder_ + "_secret").filename().string();
  for (const std::string& path : {absl::StrCat("/web/../", secret), absl::StrCat("/web/ng/../../", secret),
                                  absl::StrCat("/web/", folder_, "_secret"), std::string("/web/.hidden"),
                                  std::string("/web/ng"), std::string("/web/"), std::string("/web/ng/"),
                                  std::string("/web/ng/main.js\0x", 17), std::string("/web/nothing.js")}) {
    EXPECT_EQ(Page(path).code, 404) << path;
  }
}

TEST_F(WebTest, WithoutPagesTheServerSaysSo) {
  const Response response = Get("/");
  EXPECT_EQ(response.code, 404);
  EXPECT_EQ(response.content_type, "text/plain");
  EXPECT_THAT(response.body, testing::HasSubstr("The web page was not built"));
  EXPECT_THAT(response.body, testing::HasSubstr("/segmentation/table/graph/info"));
  EXPECT_EQ(Get("/operator").code, 404);
  EXPECT_EQ(Get("/web/ng/main.js").code, 404);
}

TEST_F(WebTest, PagesNeedNoTokenButWhatTheyAskDoes) {
  options_.access = Access::Parse("0123456789abcdef view ann\nfedcba9876543210 edit eve").value();
  Routes routes(*dataset_, *editor_, options_);
  const auto code = [&](const char* method, const std::string& path, const std::string& token) {
    return routes
        .Answer({.method = method, .path = path, .headers = {{"cookie", absl::StrCat("middle_auth_token=", token)}}})
        .code;
  };
  EXPECT_EQ(code("GET", "/", ""), 200);
  EXPECT_EQ(code("GET", "/web/ng/main.js", ""), 200);
  EXPECT_EQ(code("GET", "/cleave/api/v1/datasets", ""), 401);
  EXPECT_EQ(code("GET", "/cleave/api/v1/datasets", "0123456789abcdef"), 200);
  EXPECT_EQ(code("GET", absl::StrCat(kOwnTable, "operations"), ""), 401);
  EXPECT_EQ(code("POST", absl::StrCat(kOwnTable, "protect"), "0123456789abcdef"), 403);
  EXPECT_EQ(code("POST", absl::StrCat(kOwnTable, "stuck/replay"), "fedcba9876543210"), 403);
}

TEST_F(WebTest, OperationsAreListedNewestFirstWhateverBecameOfThem) {
  EXPECT_TRUE(Own("operations")["operations"].empty());
  ASSERT_EQ(Post(absl::StrCat(kTable, "split"), kSplit).code, 200);
  ASSERT_EQ(Post(absl::StrCat(kTable, "merge"), "[[0,80,96,480],[0,240,96,480]]").code, 200);
  edit::OperationRecord refused;
  refused.id = dataset_->ids().NewOperation().value();
  refused.kind = edit::OperationKind::kSplit;
  refused.status = edit::OperationStatus::kException;
  refused.user = "ann";
  refused.time = Clock::System().Now();
  refused.exception = "locked by another";
  refused.failure = edit::OperationFailure::kFailed;
  ASSERT_TRUE(edit::OperationLog(dataset_->table()).Write(refused).ok());
  const json operations = Own("operations")["operations"];
  ASSERT_EQ(operations.size(), 3U) << operations;
  EXPECT_EQ(operations[0]["status"], "exception");
  EXPECT_EQ(operations[0]["exception"], "locked by another");
  EXPECT_EQ(operations[0]["user"], "ann");
  EXPECT_EQ(operations[1]["kind"], "merge");
  EXPECT_EQ(operations[1]["cut_voxels"], false);
  EXPECT_EQ(operations[2]["kind"], "split");
  EXPECT_EQ(operations[2]["cut_voxels"], true);
  EXPECT_EQ(operations[2]["new_root_ids"].size(), 2U);
  EXPECT_EQ(operations[1]["old_root_ids"].size(), 2U);
  const std::string first = operations[2]["operation_id"];
  EXPECT_EQ(Own("operations", {{"after", first}})["operations"].size(), 2U);
  EXPECT_EQ(Own("operations", {{"before", operations[0]["operation_id"]}, {"limit", "1"}})["operations"][0],
            operations[1]);
  ASSERT_EQ(Own("operations", {{"user", "ann"}})["operations"].size(), 1U);
  EXPECT_EQ(Own("operations", {{"user", "ann"}})["operations"][0], operations[0]);
  EXPECT_EQ(Own("operations", {{"user", "anonymous"}, {"limit", "1"}})["operations"][0], operations[1]);
  EXPECT_EQ(Own("operations", {{"user", "anonymous"}, {"before", operations[1]["operation_id"]}})["operations"].size(),
            1U);
  EXPECT_TRUE(Own("operations", {{"user", "bob"}})["operations"].empty());
  for (const char* limit : {"0", "1001", "-1", "x", ""}) {
    EXPECT_EQ(Get(absl::StrCat(kOwnTable, "operations"), {{"limit", limit}}).code, 400) << limit;
  }
}

TEST_F(WebTest, LocksAndEditsInFlightAreShown) {
  EXPECT_TRUE(Own("locks")["locks"].empty());
  EXPECT_TRUE(Own("stuck")["operations"].empty());
  EXPECT_EQ(Get(absl::StrCat(kOwnTable, "stuck"), {{"min_age", "soon"}}).code, 400);
  EXPECT_EQ(Get(absl::StrCat(kOwnTable, "stuck"), {{"min_age", "18446744073709551615"}}).code, 200);
  for (const char* path : {"stuck/replay", "stuck/revert"}) {
    EXPECT_EQ(Post(absl::StrCat(kOwnTable, path), R"({"operation_id": "77"})").code, 404);
    EXPECT_EQ(Post(absl::StrCat(kOwnTable, path), R"({"operation_id": "x"})").code, 400);
  }
}

// Asked in the middle of an edit, by the thread that makes it.
TEST_F(WebTest, WhatIsGoingOnIsShownByUser) {
  std::map<std::string, std::pair<json, json>> seen;
  SetCrashPointObserver([&](absl::string_view point) {
    if (point == "edit.prepared" && seen.empty()) {
      for (const std::string user : {"anonymous", "bob"}) {
        seen[user] = {Own("locks", {{"user", user}})["locks"], Own("stuck", {{"user", user}})["operations"]};
      }
    }
  });
  const Response response = Post(absl::StrCat(kTable, "split"), kSplit);
  SetCrashPointObserver(nullptr);
  ASSERT_EQ(response.code, 200) << response.body;
  ASSERT_EQ(seen.size(), 2U);
  const auto& [locks, in_flight] = seen["anonymous"];
  ASSERT_EQ(in_flight.size(), 1U);
  EXPECT_EQ(in_flight[0]["user"], "anonymous");
  ASSERT_FALSE(locks.empty());
  EXPECT_EQ(locks[0]["indefinite"]["user"], "anonymous") << locks;
  EXPECT_EQ(locks[0]["indefinite"]["operation_id"], in_flight[0]["operation_id"]);
  EXPECT_TRUE(seen["bob"].first.empty());
  EXPECT_TRUE(seen["bob"].second.empty());
}

TEST_F(WebTest, ProtectionsAreSetListedAndTakenBack) {
  const json lookup = json::parse(Post(absl::StrCat(kTable, "supervoxel_lookup"), "[[0,80,96,480]]").body);
  const uint64_t supervoxel = lookup[0];
  const uint64_t root = json::parse(Get(absl::StrCat(kTable, "node/", supervoxel, "/root")).body)["root_id"];
  const std::string body = json{{"root_id", absl::StrCat(root)}, {"note", "finished"}}.dump();
  ASSERT_EQ(Post(absl::StrCat(kOwnTable, "protect"), body).code, 200);
  const json listed = Own("protected")["protected"];
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0]["root_id"], absl::StrCat(root));
  EXPECT_EQ(listed[0]["note"], "finished");
  EXPECT_EQ(listed[0]["user"], "anonymous");
  EXPECT_THAT(Post(absl::StrCat(kTable, "split"), kSplit).body, testing::HasSubstr("protected"));
  EXPECT_EQ(Post(absl::StrCat(kOwnTable, "unprotect"), body).code, 200);
  EXPECT_EQ(Post(absl::StrCat(kOwnTable, "unprotect"), body).code, 404);
  EXPECT_TRUE(Own("protected")["protected"].empty());
  const std::string long_note = json{{"root_id", absl::StrCat(root)}, {"note", std::string(5'000, 'x')}}.dump();
  for (const std::string& bad :
       {std::string("{}"), std::string(R"({"root_id": "x", "note": ""})"), std::string(R"({"root_id": "7"})"),
        std::string(R"({"root_id": 7, "note": ""})"), long_note}) {
    EXPECT_EQ(Post(absl::StrCat(kOwnTable, "protect"), bad).code, 400) << bad;
  }
}

TEST_F(WebTest, EveryFragmentOfAManifestIsAMeshAndStaysTheSame) {
  const json lookup = json::parse(Post(absl::StrCat(kTable, "supervoxel_lookup"), "[[0,80,96,480]]").body);
  const uint64_t supervoxel = lookup[0];
  const auto root_now = [&](uint64_t id) -> uint64_t {
    return json::parse(Get(absl::StrCat(kTable, "node/", id, "/root")).body)["root_id"];
  };
  const auto meshes_of = [&](uint64_t root) {
    std::map<std::string, std::string> meshes;
    const Response response = Get(absl::StrCat("/meshing/api/v1/table/graph/manifest/", root, ":0"), {{"verify", "1"}});
    EXPECT_EQ(response.code, 200) << response.body;
    const json manifest = json::parse(response.body);
    for (const json& name : manifest["fragments"]) {
      const Response mesh = Get(absl::StrCat("/data/graph/mesh/dynamic/", std::string(name)));
      EXPECT_EQ(mesh.code, 200) << mesh.body;
      EXPECT_TRUE(absl::StartsWith(mesh.body, "DRACO"));
      meshes[name] = mesh.body;
    }
    return meshes;
  };
  const uint64_t old_root = root_now(supervoxel);
  const auto before = meshes_of(old_root);
  EXPECT_EQ(before.size(), 2U) << "the object reaches into two chunks";
  const json split = json::parse(Post(absl::StrCat(kTable, "split"), kSplit).body);
  ASSERT_EQ(split["new_root_ids"].size(), 2U) << split;
  // A server that has kept nothing makes the old meshes from the voxels of their time.
  routes_ = std::make_unique<Routes>(*dataset_, *editor_, RouteOptions{});
  EXPECT_EQ(meshes_of(old_root), before);
  for (const json& root : split["new_root_ids"]) {
    for (const auto& [name, mesh] : meshes_of(root)) {
      EXPECT_FALSE(before.contains(name) && before.at(name) != mesh) << "a node's mesh never changes";
    }
  }
  const std::string name = before.begin()->first;
  const std::string path = absl::StrCat("/data/graph/mesh/dynamic/", name);
  const std::string tag = HeaderIn(Get(path), "ETag");
  EXPECT_EQ(routes_->Answer({.method = "GET", .path = path, .headers = {{"if-none-match", tag}}}).code, 304);
  EXPECT_EQ(Get(path + "1").code, 404) << "the name must be whole";
  EXPECT_EQ(Get(absl::StrCat("/data/graph/mesh/dynamic/", old_root, ":0")).code, 404);
  EXPECT_EQ(Get("/data/graph/mesh/dynamic/x").code, 400);
  EXPECT_EQ(Get(absl::StrCat("/data/graph/at/4000000000/mesh/dynamic/", name)).body, before.at(name));
  EXPECT_EQ(json::parse(Get("/data/graph/mesh/info").body)["@type"], "neuroglancer_legacy_mesh");
  EXPECT_EQ(json::parse(Get("/segmentation/table/graph/info").body)["mesh"], "mesh");
}

TEST_F(WebTest, ReadyMeansThatRowsAndVoxelsCanBeRead) {
  const Response response = Get("/readyz");
  EXPECT_EQ(response.code, 200);
  EXPECT_EQ(response.body, "ready, with 0 edits in flight\n");
}

}  // namespace
}  // namespace cleave::server
