// Goal: the routes answer as the contract says, errors included, and the same over a real connection.
// Method: a small project made from generated labels; routes are called directly, and once through a socket.
#include <chrono>
#include <cstring>
#include <fstream>
#include <future>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/cache_tally.h"
#include "edit/editor.h"
#include "edit/event_index.h"
#include "edit/operation_log.h"
#include "graph/dataset.h"
#include "server/http_server.h"
#include "server/request_values.h"
#include "server/routes.h"
#include "server/server_testing.h"
#include "work/event_stream.h"

namespace cleave::server {
namespace {

using nlohmann::json;

TEST_F(ServerTest, InfoHasTheLayoutAndTheDataFolder) {
  const json info = json::parse(Get("/segmentation/table/graph/info").body);
  EXPECT_EQ(info["data_dir"], "http://h:1/data/graph/");
  EXPECT_EQ(info["graph"]["n_layers"], dataset_->layout().layer_count());
  EXPECT_EQ(info["graph"]["chunk_size"], (json::array({32, 32, 32})));
  EXPECT_EQ(info["chunks_start_at_voxel_offset"], true);
  EXPECT_EQ(Get("/data/graph/info").code, 200);
  EXPECT_EQ(Get("/data/graph/no/such/chunk").code, 404);
}

TEST_F(ServerTest, WhatEveryServerSaysFirst) {
  EXPECT_EQ(json::parse(Get("/segmentation/api/versions").body), json::array({0, 1}));
  EXPECT_EQ(json::parse(Get("/segmentation/api/version").body), "3.1.7");
  EXPECT_EQ(Get("/segmentation/1.0/graph/info").body, Get("/segmentation/table/graph/info").body);
  for (const char* base : {"/segmentation/", "/meshing/"}) {
    for (const char* page : {"", "index", "api/v1/", "api/v1/index"}) {
      const Response banner = Get(absl::StrCat(base, page));
      EXPECT_EQ(banner.code, 200) << base << page;
      EXPECT_EQ(banner.body, "Cleave serves the graph graph\n");
    }
  }
}

// What contact_sites says of a partner is what the route of the pair says, under both of its paths.
TEST_F(ServerTest, ContactsWithOnePartner) {
  ASSERT_EQ(Post(absl::StrCat(kTable, "split"), kSplit).code, 200);
  const json roots = json::parse(
      Post(absl::StrCat(kTable, "roots"),
           json{{"node_ids",
                 json::parse(Post(absl::StrCat(kTable, "supervoxel_lookup"), "[[0,80,96,480],[0,240,96,480]]").body)}}
               .dump())
          .body)["root_ids"];
  const uint64_t one = roots[0];
  const uint64_t other = roots[1];
  ASSERT_NE(one, other);
  const json all = json::parse(Get(absl::StrCat(kTable, "node/", one, "/contact_sites")).body);
  const json with_other = {{absl::StrCat(other), all.value(absl::StrCat(other), json::array())}};
  ASSERT_FALSE(with_other.begin()->empty()) << "the two halves touch where they were parted: " << all;
  for (const char* path : {"node/contact_sites_pair/", "contact_sites_pair/"}) {
    EXPECT_EQ(json::parse(Get(absl::StrCat(kTable, path, one, "/", other)).body), with_other);
    EXPECT_EQ(json::parse(Get(absl::StrCat(kTable, path, one, "/", one)).body), json::object());
  }
}

// Neuroglancer and CAVEclient send a request again by themselves after 429, 502, 503 and 504, edits too.
TEST(ErrorResponseTest, NoStatusOfAnEditMakesAClientRepeatIt) {
  for (int code = 1; code <= static_cast<int>(absl::StatusCode::kUnauthenticated); ++code) {
    const Response response = ErrorResponse(absl::Status(static_cast<absl::StatusCode>(code), "why"), 1.5);
    EXPECT_TRUE(response.code >= 400 && response.code <= 501 && response.code != 429) << code << " " << response.code;
    EXPECT_EQ(response.content_type, "application/json");
    EXPECT_EQ(json::parse(response.body)["code"], response.code);
  }
}

TEST_F(ServerTest, APreviewIsCommittedAsItWasShown) {
  const json preview = json::parse(Post(absl::StrCat(kTable, "graph/split_preview"), kSplit).body);
  ASSERT_TRUE(preview["preview_token"].is_string()) << preview;
  const std::string path = absl::StrCat(kTable, "graph/commit_preview");
  for (const char* bad : {"", "[]", "{}", R"({"preview_token": 7})", R"({"preview_token": "7"})"}) {
    EXPECT_EQ(Post(path, bad).code, 400) << bad;
  }
  const std::string commit = json{{"preview_token", preview["preview_token"]}}.dump();
  const Response response = Post(path, commit);
  ASSERT_EQ(response.code, 200) << response.body;
  const json done = json::parse(response.body);
  EXPECT_EQ(done["new_root_ids"].size(), 2U);
  EXPECT_EQ(json::parse(Post(path, commit).body)["operation_id"], done["operation_id"]) << "it is done once";
  for (const json& component : preview["supervoxel_connected_components"]) {
    const json roots =
        json::parse(Post(absl::StrCat(kTable, "roots"), json{{"node_ids", component}}.dump()).body)["root_ids"];
    for (const json& root : roots) {
      EXPECT_EQ(root, roots[0]);
    }
  }
  const std::string gone = json{{"preview_token", "1795472953123-999-3fa9c2d4e1b0a877"}}.dump();
  EXPECT_EQ(Post(path, gone).code, 404);
}

TEST_F(ServerTest, AnUndoGivesVoxelsTheirIdsBack) {
  const VoxelPoint point{10, 12, 12};
  const auto supervoxel = [&] { return dataset_->segmentation().ReadVoxels(0, {{point}}).value().front(); };
  const uint64_t before = supervoxel();
  const json split = json::parse(Post(absl::StrCat(kTable, "split"), kSplit).body);
  const uint64_t fragment = supervoxel();
  ASSERT_NE(fragment, before);
  const std::string path = absl::StrCat(kTable, "undo");
  json body = {{"operation_id", split["operation_id"]}, {"voxels", "yes"}};
  EXPECT_EQ(Post(path, body.dump()).code, 400);
  body["voxels"] = true;
  const Response response = Post(path, body.dump());
  ASSERT_EQ(response.code, 200) << response.body;
  EXPECT_EQ(supervoxel(), before);
  const json root = json::parse(Get(absl::StrCat(kTable, "node/", before, "/root")).body)["root_id"];
  EXPECT_EQ(json::parse(response.body)["new_root_ids"], json::array({root}));
  const Response gone = Get(absl::StrCat(kTable, "node/", fragment, "/root"));
  EXPECT_EQ(gone.code, 400) << gone.body;
  EXPECT_TRUE(absl::StrContains(gone.body, absl::StrCat("is ", before, " again"))) << gone.body;
}

TEST_F(ServerTest, ASplitPartsTheObjectAndIsAnEvent) {
  const json preview = json::parse(Post(absl::StrCat(kTable, "graph/split_preview"), kSplit).body);
  EXPECT_EQ(preview["illegal_split"], false);
  EXPECT_EQ(preview["supervoxel_connected_components"].size(), 2U);
  const Response response = Post(absl::StrCat(kTable, "split"), kSplit);
  ASSERT_EQ(response.code, 200) << response.body;
  const json body = json::parse(response.body);
  ASSERT_EQ(body["new_root_ids"].size(), 2U);

  const json ids = {{"node_ids", body["new_root_ids"]}};
  EXPECT_EQ(json::parse(Post(absl::StrCat(kTable, "is_latest_roots"), ids.dump()).body)["is_latest"],
            (json::array({true, true})));
  const uint64_t root = body["new_root_ids"][0];
  const json leaves = json::parse(Get(absl::StrCat(kTable, "node/", root, "/leaves")).body)["leaf_ids"];
  ASSERT_FALSE(leaves.empty());
  const uint64_t leaf = leaves[0];
  EXPECT_EQ(json::parse(Get(absl::StrCat(kTable, "node/", leaf, "/root")).body)["root_id"], root);

  std::string run(sizeof(leaf), '\0');
  std::memcpy(run.data(), &leaf, sizeof(leaf));
  const Response binary = Post(absl::StrCat(kTable, "roots_binary"), run);
  uint64_t answered = 0;
  ASSERT_EQ(binary.body.size(), sizeof(answered));
  std::memcpy(&answered, binary.body.data(), sizeof(answered));
  EXPECT_EQ(answered, root);

  const work::EventPage page = work::ReadEvents(*dataset_, {}, 0).value();
  ASSERT_EQ(page.events.size(), 1U);
  EXPECT_EQ(page.events[0].new_roots.size(), 2U);
  EXPECT_TRUE(work::ReadEvents(*dataset_, page.next, 0).value().events.empty());

  // Merged again: one root, one more event.
  const Response merged = Post(absl::StrCat(kTable, "merge"), "[[0,80,96,480],[0,240,96,480]]");
  ASSERT_EQ(merged.code, 200) << merged.body;
  EXPECT_EQ(json::parse(merged.body)["new_root_ids"].size(), 1U);
  EXPECT_EQ(work::ReadEvents(*dataset_, page.next, 0).value().events.size(), 1U);
}

TEST_F(ServerTest, EventsAreReadAndAcknowledgedByGroups) {
  ASSERT_EQ(Post(absl::StrCat(kTable, "split"), kSplit).code, 200);
  ASSERT_EQ(Post(absl::StrCat(kTable, "merge"), "[[0,80,96,480],[0,240,96,480]]").code, 200);
  const json all = json::parse(Get(absl::StrCat(kTable, "events")).body);
  ASSERT_EQ(all["events"].size(), 2U);
  EXPECT_EQ(all["events"][0]["kind"], "split");
  EXPECT_EQ(all["events"][0]["new_root_ids"].size(), 2U);
  EXPECT_EQ(all["next"], all["events"][1]["timestamp"]);
  const std::string first = all["events"][0]["timestamp"];
  const std::string path = absl::StrCat(kTable, "events");
  EXPECT_EQ(json::parse(Get(path, {{"limit", "1"}}).body)["next"], first);
  EXPECT_EQ(json::parse(Get(path, {{"after", first}}).body)["events"].size(), 1U);
  EXPECT_EQ(json::parse(Get(path, {{"group", "meshes"}}).body)["events"].size(), 2U);
  const auto acknowledge = [&](const std::string& until) {
    return routes_->Answer({.method = "POST",
                            .path = absl::StrCat(kTable, "events/acknowledge"),
                            .query = {{"group", "meshes"}, {"until", until}},
                            .host = "h:1"});
  };
  ASSERT_EQ(acknowledge(first).code, 200);
  EXPECT_EQ(json::parse(Get(path, {{"group", "meshes"}}).body)["events"][0]["kind"], "merge");
  EXPECT_EQ(Get(path, {{"limit", "0"}}).code, 400);
  EXPECT_EQ(Get(path, {{"group", "a/b"}}).code, 400);
  EXPECT_EQ(acknowledge("").code, 400);
}

TEST_F(ServerTest, ASplitIntoThree) {
  const json three = {
      {"sources", {{0, 40, 48, 240}}}, {"sinks", {{0, 272, 48, 240}}}, {"more_sides", {{{0, 160, 88, 480}}}}};
  const json preview = json::parse(Post(absl::StrCat(kTable, "graph/split_preview"), three.dump()).body);
  EXPECT_EQ(preview["illegal_split"], false) << preview;
  EXPECT_GE(preview["supervoxel_connected_components"].size(), 3U);
  const Response response = Post(absl::StrCat(kTable, "split"), three.dump());
  ASSERT_EQ(response.code, 200) << response.body;
  EXPECT_EQ(json::parse(response.body)["new_root_ids"].size(), 3U);
}

TEST_F(ServerTest, BadRequestsAreToldApartAndChangeNothing) {
  const struct {
    std::string path;
    std::string body;
    int code;
    std::string says;
  } cases[] = {
      {"split", "{", 400, "not JSON"},
      {"split", R"({"sources":[[0,80,96,480]]})", 400, "sinks"},
      {"split", R"({"sources":[[0,80,96,480]],"sinks":[]})", 400, "no sink point"},
      {"split", R"({"sources":[[0,80,96,480]],"sinks":[[0,80,96,480]]})", 400, "as source and as sink"},
      {"split", R"({"sources":[[0,80,96,480]],"sinks":[[0,240,96,480]],"more_sides":7})", 400, "more_sides"},
      {"split", R"({"sources":[[0,80,96,480]],"sinks":[[0,240,96,480]],"more_sides":[[]]})", 400, "point of side 3"},
      {"split", R"({"sources":[[0,80,96,480]],"sinks":[[0,0,0,0]]})", 400, "background"},
      {"split", R"({"sources":[[0,80,96,480]],"sinks":[[0,8000,96,480]]})", 400, "1000,12,12"},
      {"merge", "[[0,80,96,480]]", 400, "two points"},
      {"merge", R"([[0,80,96,480],[0,"x",96,480]])", 400, "a point is"},
      {"roots", R"({"node_ids":[-1]})", 400, "not a node id"},
      {"roots_binary", "abc", 400, "uint64"},
      {"no_such_verb", "", 404, "nothing at"},
  };
  for (const auto& [path, body, code, says] : cases) {
    const Response response = Post(absl::StrCat(kTable, path), body);
    EXPECT_EQ(response.code, code) << path << " " << body;
    EXPECT_EQ(response.content_type, "application/json");
    EXPECT_THAT(std::string(json::parse(response.body)["message"]), testing::HasSubstr(says));
  }
  EXPECT_EQ(Get(absl::StrCat(kTable, "node/17/root")).code, 400);
  EXPECT_EQ(Get("/segmentation/table/other/info").code, 404);
  EXPECT_TRUE(work::ReadEvents(*dataset_, {}, 0).value().events.empty());
}

std::string Exchange(uint16_t port, const std::string& request) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 &&
      send(socket, request.data(), request.size(), 0) == static_cast<ssize_t>(request.size())) {
    char block[4096];
    for (ssize_t n = recv(socket, block, sizeof(block), 0); n > 0; n = recv(socket, block, sizeof(block), 0)) {
      answer.append(block, static_cast<size_t>(n));
    }
  }
  close(socket);
  return answer;
}

TEST_F(ServerTest, AnswersOverASocketWithCrossOriginHeaders) {
  const auto server = HttpServer::Start({.port = 0, .threads = 2, .body_bytes_max = 1000}, [&](const Request& request) {
                        return routes_->Answer(request);
                      }).value();
  const std::string end = " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
  const std::string health = Exchange(server->port(), absl::StrCat("GET /healthz", end, "\r\n"));
  EXPECT_TRUE(absl::StartsWith(health, "HTTP/1.1 200")) << health;
  EXPECT_TRUE(absl::StrContains(health, "Access-Control-Allow-Origin: *"));
  const std::string missing = Exchange(server->port(), absl::StrCat("GET /%6eo?a=1&b=x+y", end, "\r\n"));
  EXPECT_TRUE(absl::StartsWith(missing, "HTTP/1.1 404")) << missing;
  EXPECT_TRUE(absl::StrContains(missing, "Content-Type: application/json\r\n"));
  EXPECT_TRUE(absl::StrContains(missing, "Access-Control-Allow-Origin: *"));
  const std::string large =
      Exchange(server->port(), absl::StrCat("POST /x", end, "Content-Length: 5000\r\n\r\n", std::string(5000, 'x')));
  EXPECT_TRUE(absl::StartsWith(large, "HTTP/1.1 413")) << large;
}

// A second project under another name: each answers by its own rows and voxels, and what names neither is refused.
TEST_F(ServerTest, SeveralDatasetsAreKeptApart) {
  const std::string other_folder = folder_ + "_other";
  std::filesystem::remove_all(other_folder);
  std::filesystem::copy(folder_, other_folder, std::filesystem::copy_options::recursive);
  {
    const auto other = graph::Dataset::Open(other_folder).value();
    const auto other_editor = edit::Editor::Open(*other).value();
    const std::vector<ServedDataset> served = {{"graph", dataset_.get(), editor_.get()},
                                               {"v2.0", other.get(), other_editor.get()}};
    ASSERT_TRUE(ValidateNames(served).ok());
    routes_ = std::make_unique<Routes>(served, RouteOptions{});
    const std::string table = "/segmentation/api/v1/table/v2.0/";
    ASSERT_EQ(Post(table + "split", kSplit).code, 200);
    EXPECT_EQ(work::ReadEvents(*other, {}, 0).value().events.size(), 1U);
    EXPECT_TRUE(work::ReadEvents(*dataset_, {}, 0).value().events.empty());
    const auto supervoxels = [&](const std::string& at) {
      return json::parse(Post(at + "supervoxel_lookup", "[[0,80,96,480],[0,240,96,480]]").body);
    };
    EXPECT_NE(supervoxels(table), supervoxels(kTable)) << "one was cut, the other was not";

    const json info = json::parse(Get("/segmentation/table/v2.0/info").body);
    EXPECT_EQ(info["data_dir"], "http://h:1/data/v2.0/");
    EXPECT_EQ(info["graph"]["kvstore"]["base"]["base_url"], "http://h:1/ocdbt/v2.0/");
    EXPECT_EQ(json::parse(Get("/segmentation/table/graph/info").body)["data_dir"], "http://h:1/data/graph/");
    EXPECT_EQ(Get("/ocdbt/v2.0/manifest.ocdbt").code, 200);
    EXPECT_NE(Get("/ocdbt/v2.0/manifest.ocdbt").body, Get("/ocdbt/graph/manifest.ocdbt").body);
    EXPECT_EQ(Get("/base/v2.0/manifest.ocdbt").code, 200);
    EXPECT_THAT(Get("/ocdbt/base/manifest.ocdbt").body, testing::HasSubstr("/base/GRAPH/"));
    EXPECT_EQ(json::parse(Get("/cleave/api/v1/datasets").body)["datasets"],
              (json::array({{{"graph", "graph"}, {"source", "/segmentation/table/graph"}},
                            {{"graph", "v2.0"}, {"source", "/segmentation/table/v2.0"}}})));
    EXPECT_EQ(json::parse(Get("/cleave/api/v1/table/v2.0/operations").body)["operations"].size(), 1U);
    EXPECT_TRUE(json::parse(Get("/cleave/api/v1/table/graph/operations").body)["operations"].empty());

    for (const char* path : {"/segmentation/table/v3/info", "/data/v3/info", "/ocdbt/v3/manifest.ocdbt",
                             "/segmentation/api/v1/table/v3/oldest_timestamp", "/cleave/api/v1/table/v3/operations"}) {
      const Response unknown = Get(path);
      EXPECT_EQ(unknown.code, 404) << path;
      EXPECT_THAT(unknown.body, testing::HasSubstr("there is no graph v3 here, only graph, v2.0"));
    }
    EXPECT_EQ(Get("/readyz").code, 200);
    const std::string metrics = Get("/metrics").body;
    EXPECT_THAT(metrics, testing::HasSubstr("cleave_edits_total{dataset=\"v2.0\",kind=\"split\",outcome=\"done\"} 1"));
    EXPECT_THAT(metrics, testing::Not(testing::HasSubstr("cleave_edits_total{dataset=\"graph\"")));
    EXPECT_THAT(metrics, testing::HasSubstr("cleave_http_requests_total{code=\"200\",dataset=\"graph\""));
    EXPECT_THAT(metrics, testing::HasSubstr("cleave_operations_in_flight{dataset=\"v2.0\"} 0"));
    EXPECT_THAT(metrics,
                testing::ContainsRegex("cleave_edit_stage_seconds_count.*kind=\"split\",stage=\"voxel cut\"} 1"));
    routes_.reset();
  }
  std::filesystem::remove_all(other_folder);
}

// Goal: operators see what waits. Method: an operation is left in flight, as one that got stuck, and a group of
// consumers has not read the edit that was made; the caches count what they are asked.
TEST_F(ServerTest, MetricsTellWhatWaits) {
  ASSERT_TRUE(edit::Acknowledge(dataset_->table(), "mailer", absl::UnixEpoch()).ok());
  const std::string before = Get("/metrics").body;
  EXPECT_THAT(before, testing::HasSubstr("cleave_operations_in_flight{dataset=\"graph\"} 0"));
  EXPECT_THAT(before, testing::HasSubstr("cleave_events_waiting{dataset=\"graph\",group=\"mailer\"} 0"));
  const int64_t misses = CountsOf(Cache::kVoxelStoreNodes).misses + CountsOf(Cache::kVoxelStoreNodes).hits;

  ASSERT_EQ(Post(absl::StrCat(kTable, "split"), kSplit).code, 200);
  edit::OperationLog log(dataset_->table());
  edit::InFlight stuck;
  stuck.id = graph::OperationId{4711};
  stuck.since = absl::Now() - absl::Minutes(5);
  ASSERT_TRUE(log.WriteInFlight(stuck).ok());
  const std::string after = Get("/metrics").body;
  EXPECT_THAT(after, testing::HasSubstr("cleave_operations_in_flight{dataset=\"graph\"} 1"));
  EXPECT_THAT(after, testing::ContainsRegex("cleave_operation_oldest_seconds.dataset=\"graph\". 3[0-9][0-9]"));
  EXPECT_THAT(after, testing::HasSubstr("cleave_events_waiting{dataset=\"graph\",group=\"mailer\"} 1"));
  EXPECT_THAT(after, testing::HasSubstr("cleave_edits_waiting_for_locks{dataset=\"graph\"} 0"));
  EXPECT_THAT(after, testing::HasSubstr("# TYPE cleave_cache_hits_total counter"));
  EXPECT_GT(CountsOf(Cache::kVoxelStoreNodes).misses + CountsOf(Cache::kVoxelStoreNodes).hits, misses);
  ASSERT_TRUE(log.RemoveInFlight(graph::OperationId{4711}).ok());
}

TEST_F(ServerTest, NamesOfDatasetsCanStandInPaths) {
  EXPECT_TRUE(absl::IsInvalidArgument(ValidateNames({})));
  for (const char* name : {"", "base", ".", "..", ".hidden", "a/b", "a b", "\xc3\xa4"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ValidateName(name))) << name;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(ValidateName(std::string(101, 'a'))));
  const std::vector<ServedDataset> twice = {{"a", dataset_.get(), editor_.get()}, {"a", dataset_.get(), editor_.get()}};
  EXPECT_THAT(ValidateNames(twice).ToString(), testing::HasSubstr("two datasets are named 'a'"));
}

std::string ReadSource(const std::string& name) {
  std::ifstream file(absl::StrCat(CLEAVE_SOURCE_DIR, "/", name));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// Every `...` of a cell of the manual's tables.
std::vector<std::string> CodeIn(const std::string& cell) {
  std::vector<std::string> parts = absl::StrSplit(cell, '`');
  std::vector<std::string> code;
  for (size_t i = 1; i < parts.size(); i += 2) {
    code.push_back(parts[i]);
  }
  return code;
}

// The table of routes and the router hold the same routes, with the same rights; each test that a row names exists, and
// no row names none.
TEST_F(ServerTest, TheManualNamesEveryRouteAndATestOfIt) {
  std::map<std::string, std::string> rights;
  for (const Route& route : routes_->list()) {
    const std::string pattern = absl::StrReplaceAll(route.pattern, {{"/segmentation/api/v1/table/{graph}/", "S/"},
                                                                    {"/meshing/api/v1/table/{graph}/", "M/"},
                                                                    {"/cleave/api/v1/table/{graph}/", "O/"}});
    rights[absl::StrCat(route.method, " ", pattern)] = std::string(Name(route.right));
  }
  std::string python;
  for (const char* name : {"server/clients_test.py", "server/browser_test.py", "server/login_test.py"}) {
    absl::StrAppend(&python, ReadSource(name));
  }
  const std::string compiled = absl::StrCat(
      ReadSource("server/server_test.cc"), ReadSource("server/web_test.cc"), ReadSource("server/middle_auth_test.cc"),
      ReadSource("server/mesh_routes_test.cc"), ReadSource("server/batch_routes_test.cc"));
  std::map<std::string, std::string> in_manual;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(ReadSource("docs/server.md"), '\n'))) {
    const std::vector<std::string> cells = absl::StrSplit(line, '|');
    if (cells.size() != 6 || !(absl::StartsWith(cells[1], " `GET /") || absl::StartsWith(cells[1], " `GET S") ||
                               absl::StartsWith(cells[1], " `GET M") || absl::StartsWith(cells[1], " `GET O") ||
                               absl::StartsWith(cells[1], " `POST "))) {
      continue;
    }
    for (const std::string& route : CodeIn(cells[1])) {
      in_manual[route] = std::string(absl::StripAsciiWhitespace(cells[3]));
    }
    std::vector<std::string> tests = CodeIn(cells[4]);
    EXPECT_FALSE(tests.empty()) << "no test is named: " << line;
    for (const std::string& test : tests) {
      if (absl::StartsWith(test, "test_")) {
        EXPECT_TRUE(absl::StrContains(python, absl::StrCat("def ", test, "("))) << test;
      } else if (const std::vector<std::string> names = absl::StrSplit(test, '.');
                 names[0] != "server/browser_test" && names[0] != "server/login_test") {
        EXPECT_TRUE(
            test == "server_test" ||
            (names.size() == 2 && absl::StrContains(compiled, absl::StrCat("TEST_F(", names[0], ", ", names[1], ")"))))
            << test;
      }
    }
  }
  EXPECT_EQ(in_manual, rights);
}

TEST_F(ServerTest, TokensGuardTheVoxelsTooUnlessTheyAreOpen) {
  for (const bool is_open : {false, true}) {
    RouteOptions options;
    options.access = Access::Parse("0123456789abcdef view ann").value();
    options.open_data = is_open;
    Routes routes(*dataset_, *editor_, options);
    for (const char* path : {"/data/graph/info", "/data/graph/at/4000000000/info", "/ocdbt/graph/manifest.ocdbt"}) {
      EXPECT_EQ(routes.Answer({.method = "GET", .path = path}).code, is_open ? 200 : 401) << path;
    }
    EXPECT_EQ(routes.Answer({.method = "GET", .path = absl::StrCat(kTable, "oldest_timestamp")}).code, 401);
    EXPECT_EQ(routes.Answer({.method = "GET", .path = "/healthz"}).code, 200);
  }
}

TEST_F(ServerTest, OtherGraphsAndMethodsAreToldApart) {
  EXPECT_THAT(Get("/segmentation/api/v1/table/other/oldest_timestamp").body, testing::HasSubstr("only graph"));
  EXPECT_THAT(Get(absl::StrCat(kTable, "merge")).body, testing::HasSubstr("takes POST, not GET"));
  EXPECT_EQ(routes_->Answer({.method = "HEAD", .path = "/healthz"}).code, 200);
  EXPECT_EQ(routes_->Answer({.method = "DELETE", .path = "/healthz"}).code, 400);
  EXPECT_EQ(Get("/data/graph/at/soon/info").code, 400);
  EXPECT_EQ(Get("/data/graph/at/5/info").code, 400);
  EXPECT_EQ(Get("/data/graph/at/4000000000.5/info").code, 200);
}

// An answer that is being made when the server is told to stop still reaches the client, whole.
TEST_F(ServerTest, WhatIsUnderWayIsAnsweredBeforeTheEnd) {
  std::promise<void> began;
  std::promise<void> go_on;
  auto server = HttpServer::Start({.port = 0, .threads = 2}, [&](const Request&) {
                  began.set_value();
                  go_on.get_future().wait();
                  Response response;
                  response.body = std::string(3'000'000, 'x');
                  return response;
                }).value();
  std::string answer;
  const uint16_t port = server->port();
  std::jthread client([&] { answer = Exchange(port, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"); });
  began.get_future().wait();
  std::jthread stopper([&] { server.reset(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  go_on.set_value();
  stopper.join();
  client.join();
  EXPECT_TRUE(absl::StartsWith(answer, "HTTP/1.1 200"));
  EXPECT_TRUE(absl::StrContains(answer, "Connection: close"));
  EXPECT_GT(answer.size(), 3'000'000U);
}

TEST_F(ServerTest, LookUpsAreAnsweredWhileEditsWait) {
  EXPECT_TRUE(routes_->IsSlow({.method = "POST", .path = absl::StrCat(kTable, "merge")}));
  EXPECT_TRUE(routes_->IsSlow({.method = "POST", .path = absl::StrCat(kTable, "graph/split_preview")}));
  EXPECT_FALSE(routes_->IsSlow({.method = "POST", .path = absl::StrCat(kTable, "roots")}));
  EXPECT_FALSE(routes_->IsSlow({.method = "GET", .path = "/healthz"}));

  std::promise<void> go_on;
  const std::shared_future<void> gone_on = go_on.get_future().share();
  const auto server = HttpServer::Start(
                          {.port = 0, .threads = 1, .slow_threads = 1},
                          [&](const Request& request) {
                            if (request.path == "/slow") {
                              gone_on.wait();
                            }
                            return Response{};
                          },
                          [](const Request& request) { return request.path == "/slow"; })
                          .value();
  const std::string end = " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  const uint16_t port = server->port();
  std::vector<std::jthread> waiting;
  for (int i = 0; i < 3; ++i) {
    waiting.emplace_back([&] { EXPECT_TRUE(absl::StartsWith(Exchange(port, "GET /slow" + end), "HTTP/1.1 200")); });
  }
  EXPECT_TRUE(absl::StartsWith(Exchange(port, "GET /quick" + end), "HTTP/1.1 200"));
  go_on.set_value();
}

TEST_F(ServerTest, WhatIsNoHttpIsRefusedWithWords) {
  const auto server = HttpServer::Start({.port = 0}, [&](const Request& r) { return routes_->Answer(r); }).value();
  EXPECT_TRUE(absl::StartsWith(Exchange(server->port(), "hello\r\n\r\n"), "HTTP/1.1 400"));
  const std::string large = absl::StrCat("GET /healthz HTTP/1.1\r\nX: ", std::string(100'000, 'x'), "\r\n\r\n");
  EXPECT_TRUE(absl::StartsWith(Exchange(server->port(), large), "HTTP/1.1 431"));
}

TEST(RequestValues, QueriesAreReadStrictly) {
  EXPECT_EQ(ParseQuery("a=1&b=x%20y+z&a=2"), (std::map<std::string, std::string>{{"a", "2"}, {"b", "x y z"}}));
  EXPECT_EQ(PercentDecode("%41%zz+", Plus::kLiteral), "A%zz+");
  Request request;
  request.query = {{"bounds", "0-10_2-20_3-30"}, {"flag", "True"}, {"timestamp", "12.5"}};
  EXPECT_EQ(BoundsOf(request).value(), (Box{{0, 2, 3}, {10, 20, 30}}));
  EXPECT_TRUE(FlagOf(request, "flag", false));
  EXPECT_EQ(TimestampOf(request).value(), absl::UnixEpoch() + absl::Milliseconds(12500));
  request.query = {{"bounds", "0-10_2-20"}, {"timestamp", "soon"}};
  EXPECT_TRUE(absl::IsInvalidArgument(BoundsOf(request).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(TimestampOf(request).status()));
}

}  // namespace
}  // namespace cleave::server
