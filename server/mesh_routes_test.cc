// Goal: a graph with a record of meshes names and serves those of its mesh workers: of ingest in shards, of edits as
// files, in the forms that clients read; what a worker makes is found at once, and the cache is cleared whole and by
// node. Nothing else that lies there is served.
// Method: routes are called directly on the project of server_testing.h, before and after an edit; the test plays the
// mesh worker. server/clients_test.py has CloudVolume download such meshes.
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "mesh/mesh_files.h"
#include "mesh/mesh_settings.h"
#include "mesh/mesh_testing.h"
#include "server/server_testing.h"
#include "volume/volume.h"

namespace cleave::server {
namespace {

using graph::NodeId;
using nlohmann::json;

constexpr char kMeshingTable[] = "/meshing/api/v1/table/graph/";

class MeshRoutesTest : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    mesh::MeshSettings settings;
    settings.sharding[2] = spec_;
    settings.max_layer = 2;
    ASSERT_TRUE(mesh::StoreMeshMeta(*dataset_, settings).ok());
    Restart();
    const VoxelPoint voxel[] = {{10, 12, 12}};
    const NodeId supervoxel{dataset_->segmentation().ReadVoxels(volume::kFinestScale, voxel).value()[0]};
    const NodeId one[] = {supervoxel};
    root_ = dataset_->Now().Roots(one).value()[0];
  }
  void Restart() { routes_ = std::make_unique<Routes>(*dataset_, *editor_, RouteOptions{}); }

  json ManifestOf(NodeId node, std::map<std::string, std::string> query = {}) {
    const Response response = Get(absl::StrCat(kMeshingTable, "manifest/", Value(node), ":0"), std::move(query));
    EXPECT_EQ(response.code, 200) << response.body;
    return json::parse(response.body);
  }
  std::vector<NodeId> L2Of(NodeId root) const { return dataset_->Now().L2Nodes(root, std::nullopt).value(); }
  std::string Shard(NodeId node) const {
    return absl::StrCat("2/", mesh::ShardFileName(dataset_->layout(), spec_, node));
  }
  void WriteShard(NodeId node, const std::string& text) {
    ASSERT_TRUE(dataset_->meshes()
                    ->Write(absl::StrCat("mesh/initial/", Shard(node)), mesh::MakeShard(spec_, {{node, text}}))
                    .ok());
  }
  std::string FileOf(NodeId node) const { return mesh::DynamicFileName(dataset_->layout(), node); }
  // What a client reads for a fragment.
  std::string Fetch(const std::string& fragment) {
    if (fragment[0] != '~') {
      return Get(absl::StrCat("/data/graph/mesh/dynamic/", fragment)).body;
    }
    const std::vector<std::string> words = absl::StrSplit(fragment.substr(1), ':');
    const uint64_t begin = std::stoull(words[1]);
    const std::string range = absl::StrCat("bytes=", begin, "-", begin + std::stoull(words[2]) - 1);
    Request request{.method = "GET", .path = absl::StrCat("/data/graph/mesh/initial/", words[0]), .host = "h:1"};
    request.headers["range"] = range;
    const Response response = routes_->Answer(request);
    EXPECT_EQ(response.code, 206) << response.body;
    return response.body;
  }

  const mesh::ShardingSpec spec_{.minishard_bits = 2, .gzip_index = false};
  NodeId root_{};
};

TEST_F(MeshRoutesTest, InfoTellsWhatClientsNeed) {
  const json info = json::parse(Get("/segmentation/table/graph/info").body);
  EXPECT_EQ(info["mesh"], "mesh");
  EXPECT_EQ(info["dynamic_mesh_dir"], "dynamic_graph");
  EXPECT_EQ(info["mesh_metadata"]["unsharded_mesh_dir"], "dynamic");
  EXPECT_EQ(info["mesh_metadata"]["max_meshed_layer"], 2);
  const json mesh_info = json::parse(Get("/data/graph/mesh/info").body);
  EXPECT_EQ(mesh_info["sharding"]["2"]["minishard_bits"], 2);
  EXPECT_EQ(Get("/data/graph/at/4000000000/mesh/info").body, Get("/data/graph/mesh/info").body);
}

TEST_F(MeshRoutesTest, MeshesAreNamedAsSoonAsTheyAreMadeBeforeAndAfterAnEdit) {
  const std::vector<NodeId> before = L2Of(root_);
  ASSERT_EQ(before.size(), 2U);
  EXPECT_EQ(ManifestOf(root_)["fragments"].size(), 0U);
  for (const NodeId node : before) {
    WriteShard(node, absl::StrCat("mesh of ", Value(node)));
  }
  const json manifest = ManifestOf(root_);
  ASSERT_EQ(manifest["fragments"].size(), 2U);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(manifest["seg_ids"][i], Value(before[i]));
    EXPECT_TRUE(
        absl::StartsWith(manifest["fragments"][i].get<std::string>(), absl::StrCat("~", Shard(before[i]), ":")));
    EXPECT_EQ(Fetch(manifest["fragments"][i]), absl::StrCat("mesh of ", Value(before[i])));
  }
  EXPECT_EQ(manifest.size(), 2U) << "layers and chunks of nodes are for who asks: " << manifest;
  const json more = ManifestOf(root_, {{"return_seg_id_layers", "true"}, {"return_seg_chunk_coordinates", "1"}});
  EXPECT_EQ(more["seg_id_layers"], (json{2, 2}));
  EXPECT_EQ(more["seg_chunk_coordinates"], (json{{0, 0, 0}, {1, 0, 0}}));
  const Response by_body = routes_->Answer({.method = "GET",
                                            .path = absl::StrCat("/meshing/api/v1/table/graph/manifest/", Value(root_)),
                                            .host = "h:1",
                                            .body = R"({"return_seg_id_layers": true, "start_layer": 2})"});
  EXPECT_EQ(json::parse(by_body.body)["seg_id_layers"], (json{2, 2})) << by_body.body;
  EXPECT_EQ(ManifestOf(root_, {{"prepend_seg_ids", "1"}})["fragments"][0],
            absl::StrCat("~", Value(before[0]), ":", manifest["fragments"][0].get<std::string>()));

  const json split = json::parse(Post(absl::StrCat(kTable, "split"), kSplit).body);
  ASSERT_EQ(split["new_root_ids"].size(), 2U) << split;
  EXPECT_EQ(ManifestOf(root_)["fragments"], manifest["fragments"]) << "an open page still shows what was replaced";
  for (const json& id : split["new_root_ids"]) {
    const NodeId root{id.get<uint64_t>()};
    EXPECT_EQ(ManifestOf(root)["fragments"].size(), 0U);
    for (const NodeId node : L2Of(root)) {
      ASSERT_TRUE(dataset_->meshes()->Write(absl::StrCat("mesh/dynamic_graph/", FileOf(node)), "new mesh").ok());
    }
    const json made = ManifestOf(root);
    ASSERT_EQ(made["fragments"].size(), L2Of(root).size());
    EXPECT_EQ(Fetch(made["fragments"][0]), "new mesh");
    EXPECT_EQ(Get(absl::StrCat("/data/graph/mesh/dynamic_graph/", made["fragments"][0].get<std::string>())).body,
              "new mesh");
  }
  const std::string metrics = Get("/metrics").body;
  EXPECT_THAT(metrics, testing::HasSubstr("cleave_manifest_nodes_total{dataset=\"graph\",outcome=\"found\"}"));
}

TEST_F(MeshRoutesTest, TheCacheIsClearedWholeAndBelowANode) {
  const NodeId node = L2Of(root_)[0];
  const auto name_of = [&] { return ManifestOf(root_)["fragments"][0].get<std::string>(); };
  WriteShard(node, "old");
  EXPECT_EQ(Fetch(name_of()), "old");
  int round = 0;
  for (const std::string& how :
       {absl::StrCat("clear_manifest_cache/", Value(root_)), absl::StrCat("clear_manifest_cache/", Value(node)),
        std::string("clear_manifest_cache"), std::string("remeshing")}) {
    const std::string anew(static_cast<size_t>(10 + ++round), 'n');
    WriteShard(node, anew);
    const Response response =
        Post(absl::StrCat(kMeshingTable, how), absl::StrCat("{\"new_lvl2_ids\":[", Value(node), "]}"));
    EXPECT_EQ(response.code, how == "remeshing" ? 202 : 200) << response.body;
    EXPECT_EQ(Fetch(name_of()), anew) << how;
  }
  EXPECT_EQ(json::parse(Post(absl::StrCat(kMeshingTable, "clear_manifest_cache/", Value(root_)), "").body)["nodes"], 3);
  EXPECT_EQ(Post(absl::StrCat(kMeshingTable, "clear_manifest_cache/1"), "").code, 400);
}

TEST_F(MeshRoutesTest, TheStartLayerIsTakenFromTheQueryOrTheBody) {
  const auto code_of = [&](const std::string& layer, const std::string& body) {
    Request request{
        .method = "GET", .path = absl::StrCat(kMeshingTable, "manifest/", Value(root_), ":0"), .host = "h:1"};
    if (!layer.empty()) {
      request.query["start_layer"] = layer;
    }
    request.body = body;
    return routes_->Answer(request).code;
  };
  EXPECT_EQ(code_of("2", ""), 200);
  EXPECT_EQ(code_of("99", ""), 200);
  EXPECT_EQ(code_of("", R"({"start_layer": 2})"), 200);
  EXPECT_EQ(code_of("x", R"({"start_layer": 2})"), 200) << "the body counts";
  EXPECT_EQ(code_of("1", ""), 400);
  EXPECT_EQ(code_of("", R"({"start_layer": [2]})"), 400);
  EXPECT_EQ(code_of("", "{"), 400);
}

TEST_F(MeshRoutesTest, ARecordWithoutMeshesIsAsNone) {
  ASSERT_TRUE(dataset_->meshes()->Delete("mesh/info").ok());
  Restart();
  EXPECT_EQ(json::parse(Get("/segmentation/table/graph/info").body)["dynamic_mesh_dir"], "dynamic");
  const json manifest = ManifestOf(root_);
  ASSERT_EQ(manifest["fragments"].size(), 2U);
  EXPECT_TRUE(absl::StartsWith(Fetch(manifest["fragments"][0]), "DRACO")) << "made when it is asked for";
  ASSERT_TRUE(dataset_->meshes()->Write("mesh/info", "damaged").ok());
  Restart();
  EXPECT_EQ(Get(absl::StrCat(kMeshingTable, "manifest/", Value(root_), ":0")).code, 500);
}

TEST_F(MeshRoutesTest, ADamagedRecordIsToldWhereMeshesAreAskedFor) {
  mesh::MeshMeta meta = mesh::ReadMeshMeta(dataset_->table()).value().value();
  meta.dir = "a/../b";
  ASSERT_TRUE(mesh::WriteMeshMeta(dataset_->table(), meta, "").ok());
  Restart();
  const json info = json::parse(Get("/segmentation/table/graph/info").body);
  EXPECT_FALSE(info.contains("mesh")) << "a viewer shows nothing where an info names meshes that it cannot read";
  EXPECT_EQ(info["graph"]["n_layers"], dataset_->layout().layer_count());
  const Response response = Get(absl::StrCat(kMeshingTable, "manifest/", Value(root_), ":0"));
  EXPECT_EQ(response.code, 500);
  EXPECT_THAT(response.body, testing::HasSubstr("a/../b"));
  EXPECT_EQ(Get("/data/graph/mesh/info").code, 500);
}

TEST_F(MeshRoutesTest, NothingButMeshesIsServed) {
  const NodeId node = L2Of(root_)[0];
  WriteShard(node, "mesh");
  ASSERT_TRUE(dataset_->meshes()->Write("mesh/secret", "s").ok());
  ASSERT_TRUE(dataset_->meshes()->Write("mesh/initial/2/notes.txt", "s").ok());
  ASSERT_TRUE(dataset_->meshes()->Write("mesh/dynamic_graph/notes.txt", "s").ok());
  EXPECT_EQ(Get(absl::StrCat("/data/graph/mesh/initial/", Shard(node))).code, 200);
  EXPECT_EQ(Get(absl::StrCat("/data/graph/mesh//initial/", Shard(node))).code, 200);
  for (const std::string& name : {std::string("secret"), std::string("initial/2/notes.txt"), std::string("initial/2/"),
                                  std::string("initial/x/1.shard"), std::string("initial/2/../../secret"),
                                  std::string("dynamic_graph/notes.txt"), std::string("dynamic/notes.txt"),
                                  std::string("other/") + FileOf(node), absl::StrCat("dynamic/", FileOf(node))}) {
    const int code = Get(absl::StrCat("/data/graph/mesh/", name)).code;
    EXPECT_TRUE(code == 404 || code == 400) << name << ": " << code;
  }
}

}  // namespace
}  // namespace cleave::server
