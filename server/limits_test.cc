// Goal: each limit refuses what is beyond it with 400 and words that name the limit and its option, and nothing below
// it; the manual's table names each limit, its option and its test. Method: the project of server_testing.h with limits
// so low that its small answers meet them.
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "server/server_testing.h"
#include "server/timed_reader.h"

namespace cleave::server {
namespace {

using nlohmann::json;

// Each look takes a second.
class SlowClock final : public Clock {
 public:
  absl::Time Now() override { return now_ += absl::Seconds(1); }

 private:
  absl::Time now_ = absl::FromUnixSeconds(1'900'000'000);
};

class LimitsTest : public ServerTest {
 protected:
  void TearDown() override {
    limited_.reset();
    ServerTest::TearDown();
  }
  void Limit(const RequestLimits& limits, Clock& clock = Clock::System()) {
    RouteOptions options;
    options.limits = limits;
    options.clock = &clock;
    limited_ = std::make_unique<Routes>(*dataset_, *editor_, options);
  }
  Response Ask(const std::string& path, std::map<std::string, std::string> query = {},
               std::map<std::string, std::string> headers = {}) {
    return limited_->Answer(
        {.method = "GET", .path = path, .query = std::move(query), .host = "h:1", .headers = std::move(headers)});
  }
  Response Send(const std::string& path, const std::string& body, std::map<std::string, std::string> query = {}) {
    return limited_->Answer(
        {.method = "POST", .path = absl::StrCat(kTable, path), .query = std::move(query), .host = "h:1", .body = body});
  }
  // That the answer is a refusal which names the option.
  static void ExpectRefused(const Response& response, const std::string& option) {
    EXPECT_EQ(response.code, 400) << response.body.substr(0, 300);
    EXPECT_THAT(response.body, testing::HasSubstr(absl::StrCat("(--", option, ")")));
  }
  // The object, before it is cut.
  uint64_t Root() {
    const json supervoxels = json::parse(Post(absl::StrCat(kTable, "supervoxel_lookup"), "[[0,80,96,480]]").body);
    const json ids = {{"node_ids", supervoxels}};
    return json::parse(Post(absl::StrCat(kTable, "roots"), ids.dump()).body)["root_ids"][0];
  }
  std::string NodePath(uint64_t node, const std::string& verb) {
    return absl::StrCat(kTable, "node/", node, "/", verb);
  }

  std::unique_ptr<Routes> limited_;
};

TEST_F(LimitsTest, IdsOfARequest) {
  const uint64_t root = Root();
  const auto body = [&](const std::string& member, size_t count) {
    return json{{member, std::vector<uint64_t>(count, root)}}.dump();
  };
  Limit({.ids_max = 3});
  for (const auto& [path, member] : std::vector<std::pair<std::string, std::string>>{{"roots", "node_ids"},
                                                                                     {"leaves_many", "node_ids"},
                                                                                     {"is_latest_roots", "node_ids"},
                                                                                     {"valid_nodes", "node_ids"},
                                                                                     {"past_id_mapping", "root_ids"}}) {
    EXPECT_EQ(Send(path, body(member, 3)).code, 200) << path;
    ExpectRefused(Send(path, body(member, 4)), "ids-max");
  }
  EXPECT_EQ(Send("roots_binary", std::string(24, '\0')).code, 200);
  ExpectRefused(Send("roots_binary", std::string(32, '\0')), "ids-max");
  ExpectRefused(Ask(absl::StrCat(kTable, "operation_details"), {{"operation_ids", "[1,2,3,4]"}}), "ids-max");
}

TEST_F(LimitsTest, PointsOfAnEdit) {
  Limit({.points_max = 2});
  ExpectRefused(Send("supervoxel_lookup", "[[0,1,1,1],[0,1,1,1],[0,1,1,1]]"), "points-max");
  ExpectRefused(Send("split", R"({"sources":[[0,1,1,1],[0,1,1,1],[0,1,1,1]],"sinks":[[0,2,2,2]]})"), "points-max");
  EXPECT_EQ(Send("split", kSplit).code, 200);
}

TEST_F(LimitsTest, IdsOfAnAnswer) {
  const uint64_t root = Root();
  ASSERT_EQ(Post(absl::StrCat(kTable, "split"), kSplit).code, 200);
  ASSERT_EQ(Post(absl::StrCat(kTable, "merge"), "[[0,80,96,480],[0,240,96,480]]").code, 200);
  const uint64_t merged = Root();
  const size_t leaves = json::parse(Get(NodePath(merged, "leaves")).body)["leaf_ids"].size();
  ASSERT_GE(leaves, 3U);
  const std::string ids = json{{"node_ids", {root, merged}}}.dump();
  const uint64_t l2 = json::parse(Get(NodePath(merged, "leaves"), {{"stop_layer", "2"}}).body)["leaf_ids"][0];
  const int segment_bits = 64 - 8 - 3 * dataset_->layout().SpatialBits(2);
  const uint64_t chunk = l2 >> segment_bits << segment_bits;

  Limit({.answer_ids_max = static_cast<int64_t>(leaves)});
  EXPECT_EQ(Ask(NodePath(merged, "leaves")).code, 200);
  ExpectRefused(Send("leaves_many", ids), "answer-ids-max");
  Limit({.answer_ids_max = 1});
  ExpectRefused(Ask(NodePath(merged, "leaves")), "answer-ids-max");
  ExpectRefused(Ask(NodePath(merged, "subgraph")), "answer-ids-max");
  ExpectRefused(Ask(NodePath(merged, "lvl2_graph")), "answer-ids-max");
  ExpectRefused(Ask(absl::StrCat(kTable, "l2_chunk_children/", chunk)), "answer-ids-max");
  ExpectRefused(Ask(absl::StrCat(kTable, "change_log")), "answer-ids-max");
  ExpectRefused(Ask(absl::StrCat(kTable, "user_operations")), "answer-ids-max");
  const double ingested = static_cast<double>(absl::ToUnixMillis(dataset_->meta().ingested)) / 1000;
  ExpectRefused(Ask(absl::StrCat(kTable, "delta_roots"), {{"timestamp_past", absl::StrFormat("%.3f", ingested)}}),
                "answer-ids-max");
  ExpectRefused(Ask(absl::StrCat("/meshing/api/v1/table/graph/manifest/", merged, ":0")), "answer-ids-max");
  ExpectRefused(Send("graph/split_preview", kSplit), "answer-ids-max");
  EXPECT_EQ(Ask(NodePath(merged, "root")).code, 200);
}

TEST_F(LimitsTest, BoundsOfAQuery) {
  const uint64_t root = Root();
  const std::string lists = json{{"node_ids", {root}}}.dump();
  const std::map<std::string, std::string> fits = {{"bounds", "0-20_0-24_0-24"}};
  const std::map<std::string, std::string> reaches_out = {{"bounds", "30-4000_0-4000_0-4000"}};
  const std::map<std::string, std::string> large = {{"bounds", "0-21_0-24_0-24"}};
  Limit({.bounds_voxels_max = 20 * 24 * 24});
  for (const std::string& path :
       {NodePath(root, "leaves"), NodePath(root, "subgraph"), NodePath(root, "lvl2_graph"),
        NodePath(root, "contact_sites"), absl::StrCat("/meshing/api/v1/table/graph/manifest/", root, ":0")}) {
    EXPECT_EQ(Ask(path, fits).code, 200) << path;
    EXPECT_EQ(Ask(path, reaches_out).code, 200) << path << ": what lies outside of the volume does not count";
    ExpectRefused(Ask(path, large), "bounds-megavoxels-max");
    ExpectRefused(Ask(path), "bounds-megavoxels-max");
  }
  EXPECT_EQ(Send("leaves_many", lists, fits).code, 200);
  ExpectRefused(Send("leaves_many", lists, large), "bounds-megavoxels-max");
  Limit({});
  EXPECT_EQ(Ask(NodePath(root, "leaves")).code, 200) << "by default there is no such limit";
  const int64_t far = int64_t{1} << 48;
  EXPECT_FALSE(CheckBounds({.bounds_voxels_max = 1}, {{0, 0, 0}, {far, far, far}}, std::nullopt).ok());
}

TEST_F(LimitsTest, PagesOfEventsAndOperations) {
  Limit({});
  for (const auto& [path, most] : std::vector<std::pair<std::string, int>>{
           {absl::StrCat(kTable, "events"), 10'000}, {"/cleave/api/v1/table/graph/operations", 1'000}}) {
    EXPECT_EQ(Ask(path, {{"limit", absl::StrCat(most)}}).code, 200);
    const Response refused = Ask(path, {{"limit", absl::StrCat(most + 1)}});
    EXPECT_EQ(refused.code, 400);
    EXPECT_THAT(refused.body, testing::HasSubstr(absl::StrCat("to ", most)));
  }
}

TEST_F(LimitsTest, L2NodesOfAQuery) {
  const uint64_t root = Root();
  for (const char* verb : {"subgraph", "lvl2_graph", "contact_sites"}) {
    Limit({.l2_nodes_max = 1});
    ExpectRefused(Ask(NodePath(root, verb)), "l2-nodes-max");
    EXPECT_EQ(Ask(NodePath(root, verb), {{"bounds", "0-32_0-24_0-24"}}).code, 200) << verb;
    Limit({.l2_nodes_max = 2});
    EXPECT_EQ(Ask(NodePath(root, verb)).code, 200) << verb;
  }
  Limit({.l2_nodes_max = 1});
  ExpectRefused(Ask(absl::StrCat(kTable, "node/contact_sites_pair/", root, "/", root)), "l2-nodes-max");
}

TEST_F(LimitsTest, FormerObjects) {
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(Post(absl::StrCat(kTable, "split"), kSplit).code, 200);
    ASSERT_EQ(Post(absl::StrCat(kTable, "merge"), "[[0,80,96,480],[0,240,96,480]]").code, 200);
  }
  const uint64_t root = Root();
  const std::string path = absl::StrCat(kTable, "root/", root, "/");
  Limit({.history_roots_max = 2});
  ExpectRefused(Ask(path + "change_log"), "history-roots-max");
  ExpectRefused(Ask(path + "lineage_graph"), "history-roots-max");
  ExpectRefused(Send("past_id_mapping", json{{"root_ids", {root}}}.dump()), "history-roots-max");
  Limit({.history_roots_max = 20});
  EXPECT_EQ(Ask(path + "change_log").code, 200);
  EXPECT_EQ(Ask(path + "lineage_graph").code, 200);
}

TEST_F(LimitsTest, BytesOfAFile) {
  const std::string path = "/ocdbt/graph/manifest.ocdbt";
  const auto size = static_cast<int64_t>(Get(path).body.size());
  Limit({.file_bytes_max = size});
  EXPECT_EQ(Ask(path).body.size(), static_cast<size_t>(size));
  EXPECT_EQ(Ask(path, {}, {{"range", "bytes=0-"}}).code, 206);
  EXPECT_EQ(Ask(path, {}, {{"range", "bytes=0-18446744073709551614"}}).code, 206);
  EXPECT_EQ(Ask(path, {}, {{"range", "bytes=18446744073709551610-"}}).code, 416);
  EXPECT_EQ(Ask("/ocdbt/graph/none").code, 404);
  Limit({.file_bytes_max = 10});
  ExpectRefused(Ask(path), "file-mib-max");
  ExpectRefused(Ask(path, {}, {{"range", "bytes=0-"}}), "file-mib-max");
  ExpectRefused(Ask(path, {}, {{"range", "bytes=2-12"}}), "file-mib-max");
  const Response part = Ask(path, {}, {{"range", "bytes=2-11"}});
  EXPECT_EQ(part.code, 206);
  EXPECT_EQ(part.body, Get(path).body.substr(2, 10));
}

TEST_F(LimitsTest, TimeOfALookUp) {
  const uint64_t root = Root();
  SlowClock clock;
  Limit({.read_time_max = absl::Seconds(2)}, clock);
  for (const std::string& path : {NodePath(root, "leaves"), NodePath(root, "subgraph"), NodePath(root, "contact_sites"),
                                  absl::StrCat(kTable, "root/", root, "/lineage_graph")}) {
    ExpectRefused(Ask(path), "read-seconds-max");
  }
  ExpectRefused(Ask(absl::StrCat(kTable, "change_log")), "read-seconds-max");
  const std::string lists = json{{"node_ids", {root}}}.dump();
  ExpectRefused(Send("leaves_many", lists), "read-seconds-max");
  EXPECT_EQ(Send("split", kSplit).code, 200) << "an edit has no such limit";
  Limit({.read_time_max = absl::InfiniteDuration()}, clock);
  EXPECT_EQ(Ask(NodePath(root, "leaves")).code, 200);
}

TEST_F(LimitsTest, AReadOfManyKeysIsBrokenOffBetweenThem) {
  SlowClock clock;
  const std::vector<std::string> keys(3, "none");
  const table::Filter filter;
  const TimedReader timed(dataset_->table(), clock, clock.Now(), absl::Seconds(4));
  EXPECT_TRUE(timed.ReadRows(keys, filter).ok());
  EXPECT_TRUE(absl::IsDeadlineExceeded(timed.ReadRows(keys, filter).status()));
  EXPECT_TRUE(absl::IsDeadlineExceeded(timed.ReadRange({}, filter, 1).status()));
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      timed.VisitNewest(keys, {}, absl::InfiniteFuture(), [](const table::FoundCell&) { return absl::OkStatus(); })));
}

// Layer by layer: an edit between two reads of one look-up must not show.
TEST_F(LimitsTest, ALookUpReadsTheRowsOfOneInstant) {
  const table::Column column{"0", "child"};
  const auto write = [&](const std::string& value) {
    std::vector<table::RowMutation> rows;
    for (const char* const key : {"x1", "x2"}) {
      rows.push_back({key, {table::SetCell{column, absl::UnixEpoch(), value}}});
    }
    ASSERT_TRUE(dataset_->table().Apply(rows).ok());
  };
  const auto read = [&](const table::TableReader& reader, const std::string& key) {
    return reader.ReadRow(key, {}).value().Newest(column)->value;
  };
  write("old");
  Clock& clock = Clock::System();
  const TimedReader look(dataset_->table(), clock, clock.Now(), absl::Hours(1));
  const TimedReader later(dataset_->table(), clock, clock.Now(), absl::Hours(1));
  const TimedReader edit(dataset_->table(), clock, clock.Now(), absl::Hours(1), ReadInstant::kEachRead);
  EXPECT_EQ(read(look, "x1"), "old");
  EXPECT_EQ(read(edit, "x1"), "old");
  write("new");
  EXPECT_EQ(read(look, "x2"), "old");
  EXPECT_EQ(look.ReadRange({"x1", "x3"}, {}, 0).value()[1].Newest(column)->value, "old");
  std::string visited;
  const std::string keys[] = {"x2"};
  EXPECT_TRUE(look.VisitNewest(keys, column, absl::InfiniteFuture(),
                               [&](const table::FoundCell& cell) {
                                 visited = std::string(cell.value);
                                 return absl::OkStatus();
                               })
                  .ok());
  EXPECT_EQ(visited, "old");
  EXPECT_EQ(read(edit, "x2"), "new");
  EXPECT_EQ(read(later, "x2"), "new") << "the instant is that of the first read, not that of the request";
}

// Rows of the manual's table of limits: what, how much, option, test.
TEST_F(LimitsTest, TheManualNamesEveryLimitAndATestOfIt) {
  const auto read = [](const std::string& name) {
    std::stringstream text;
    text << std::ifstream(absl::StrCat(CLEAVE_SOURCE_DIR, "/", name)).rdbuf();
    return text.str();
  };
  const std::string manual = read("docs/server.md");
  const std::string tests =
      absl::StrCat(read("server/limits_test.cc"), read("server/server_test.cc"), read("server/batch_routes_test.cc"));
  const std::string command = read("cli/serve_command.cc");
  const size_t begin = manual.find("## Limits");
  int count = 0;
  for (const std::string& line :
       std::vector<std::string>(absl::StrSplit(manual.substr(begin, manual.find("## Access") - begin), '\n'))) {
    const std::vector<std::string> cells = absl::StrSplit(line, '|');
    if (cells.size() != 6 || absl::StartsWith(cells[1], " what") || absl::StartsWith(cells[1], " ---")) {
      continue;
    }
    ++count;
    const std::vector<std::string> test = absl::StrSplit(cells[4], absl::ByAnyChar("`."));
    ASSERT_GE(test.size(), 3U) << line;
    EXPECT_TRUE(absl::StrContains(tests, absl::StrCat("TEST_F(", test[1], ", ", test[2], ")"))) << line;
    const std::vector<std::string> option = absl::StrSplit(cells[3], '`');
    if (option.size() == 3) {
      EXPECT_TRUE(absl::StrContains(command, absl::StrCat("\"", option[1].substr(2), "\"")) ||
                  absl::StrContains(command, absl::StrCat("\"", option[1], "\"")))
          << line;
    }
  }
  EXPECT_EQ(count, 14);
}

}  // namespace
}  // namespace cleave::server
