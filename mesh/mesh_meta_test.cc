// Goal: what is asked of a graph's meshes stands in the record and in info, and what was there first stays there;
// wrong wishes are refused by name, and nothing is changed then.
// Method: a small project; records are stored again and again, and read by another opening of the project.
#include "mesh/mesh_meta.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "mesh/branch_meshes.h"
#include "mesh/mesh_files.h"
#include "mesh/mesh_settings.h"
#include "mesh/mesh_testing.h"
#include "store/store.h"
#include "table/columns.h"
#include "table/pickled_meta.h"
#include "table/row_keys.h"

namespace cleave::mesh {
namespace {

using testing::HasSubstr;

class MeshMetaTest : public MeshProjectTest {};

TEST_F(MeshMetaTest, DefaultsAreStoredOnceAndStay) {
  EXPECT_EQ(ReadMeshMeta(dataset_->table()).value(), std::nullopt);
  const MeshMetaReport first = StoreMeshMeta(*dataset_, {}).value();
  EXPECT_TRUE(first.is_first);
  EXPECT_TRUE(first.changes.empty());
  EXPECT_EQ(first.meta.dir, "mesh");
  EXPECT_EQ(first.meta.dynamic_dir, "dynamic_graph");
  EXPECT_EQ(first.meta.max_layer, 3);
  EXPECT_EQ(first.meta.draco_grid_size_nm, 4);
  EXPECT_EQ(first.meta.initial_time, dataset_->meta().ingested + absl::Milliseconds(1));
  EXPECT_EQ(first.info.sharding.size(), 2U);
  Reopen();
  EXPECT_EQ(ReadMeshMeta(dataset_->table()).value(), first.meta);
  const auto info = dataset_->meshes()->Read("mesh/info").value();
  EXPECT_EQ(ParseMeshInfo(info.value.value()).value(), first.info);
  const MeshMetaReport again = StoreMeshMeta(*dataset_, {}).value();
  EXPECT_FALSE(again.is_first);
  EXPECT_TRUE(again.changes.empty());
  EXPECT_EQ(dataset_->meshes()->Read("mesh/info").value().generation, info.generation) << "nothing was written";
  const table::Row row = dataset_->table().ReadRow(table::kMetaRowKey, {}).value();
  EXPECT_EQ(table::DecodePickledMeta(row.Newest(table::columns::kMeta)->value).value().graph_id, "graph");
}

TEST_F(MeshMetaTest, TheFirstTimeStaysAndOtherChangesAreTold) {
  const absl::Time time = absl::FromUnixMillis(1700000000123);
  ASSERT_TRUE(StoreMeshMeta(*dataset_, {.max_layer = 4, .initial_time = time, .minishard_bits = 5}).ok());
  const MeshMetaReport report =
      StoreMeshMeta(*dataset_, {.max_layer = 2, .max_error_nm = 10, .initial_time = time + absl::Seconds(1)}).value();
  EXPECT_TRUE(report.kept_initial_time);
  EXPECT_EQ(report.meta.initial_time, time);
  std::vector<std::string> changes;
  changes.reserve(report.changes.size());
  for (const MeshChange& change : report.changes) {
    changes.push_back(change.where + " " + change.member + " " + change.before + ">" + change.now);
  }
  EXPECT_THAT(changes, testing::Contains("record max_layer 4>2"));
  EXPECT_THAT(changes, testing::Contains("record max_error 40.0>10.0"));
  EXPECT_THAT(changes, testing::Contains("info sharding.4.minishard_bits 5>"));
  EXPECT_THAT(changes, testing::Not(testing::Contains(HasSubstr("initial"))));
  EXPECT_EQ(report.info.sharding.at(2).minishard_bits, 5) << "what is not asked stays";
}

TEST_F(MeshMetaTest, GraphsOfOneFolderShareItsInfo) {
  const std::string url = "memory://mesh_meta_test/a/";
  MeshSettings settings{.folder = url};
  settings.sharding[2] = {.minishard_bits = 7};
  ASSERT_TRUE(StoreMeshMeta(*dataset_, settings).ok());
  Reopen();
  const MeshMeta meta = ReadMeshMeta(dataset_->table()).value().value();
  EXPECT_EQ(meta.folder, url);
  const auto store = OpenMeshStore(*dataset_, meta).value();
  EXPECT_EQ(ParseMeshInfo(store->Read("mesh/info").value().value.value()).value().sharding.at(2).minishard_bits, 7);
}

TEST_F(MeshMetaTest, WhatCannotBeIsRefusedAndChangesNothing) {
  ASSERT_TRUE(StoreMeshMeta(*dataset_, {}).ok());
  const auto expect_refused = [&](const MeshSettings& settings, const std::string& says) {
    const absl::Status status = StoreMeshMeta(*dataset_, settings).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << says;
    EXPECT_THAT(std::string(status.message()), HasSubstr(says));
  };
  expect_refused({.dir = "../up"}, "../up");
  expect_refused({.dir = ""}, "folder of meshes");
  expect_refused({.dynamic_dir = "initial"}, "dynamic-dir");
  expect_refused({.dynamic_dir = "initial/mine"}, "dynamic-dir");
  expect_refused({.max_layer = 1}, "max-layer");
  expect_refused({.max_layer = 5}, "max-layer");
  expect_refused({.mip = 30}, "mip");
  expect_refused({.draco_grid_size_nm = 0}, "draco-grid-size");
  expect_refused({.minishard_bits = 21}, "minishard_bits");
  MeshSettings beyond;
  beyond.sharding[4] = {};
  expect_refused(beyond, "max-layer");
  EXPECT_TRUE(StoreMeshMeta(*dataset_, {}).value().changes.empty());
  ASSERT_TRUE(dataset_->meshes()->Write("mesh/info", "{}").ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(StoreMeshMeta(*dataset_, {}).status())) << "another's file is not overwritten";
}

TEST_F(MeshMetaTest, ABranchHasTheMeshesOfItsOwnNodes) {
  ASSERT_TRUE(StoreMeshMeta(*dataset_, {}).ok());
  const graph::NodeId node = ChildrenOf(crumb_)[0];
  const graph::NodeId unknown{Value(node) + 1000};
  const std::string folder = "mesh/dynamic_graph/";
  const std::string kept = folder + DynamicFileName(dataset_->layout(), node);
  const std::string dropped = folder + DynamicFileName(dataset_->layout(), unknown);
  for (const std::string& key : {kept, dropped, std::string("mesh/initial/2/1-0.shard")}) {
    ASSERT_TRUE(dataset_->meshes()->Write(key, "m").ok());
  }
  const auto branch = [&](const std::string& name) {
    const auto copied = dataset_->CopyTo(name, dataset_->BaseGeneration().value(), [&](table::Table& table) {
      return BranchMeshes(dataset_->layout(), name, table, absl::FromUnixMillis(77));
    });
    EXPECT_TRUE(copied.ok()) << copied.status();
    return graph::Dataset::Open(name).value();
  };
  const auto second = branch(folder_.path() + "/second");
  EXPECT_TRUE(second->meshes()->Read(kept).value().value.has_value());
  EXPECT_TRUE(second->meshes()->Read("mesh/info").value().value.has_value());
  EXPECT_TRUE(second->meshes()->Read("mesh/initial/2/1-0.shard").value().value.has_value());
  EXPECT_FALSE(second->meshes()->Read(dropped).value().value.has_value())
      << "a node that the branch makes later may have this id";
  EXPECT_TRUE(dataset_->meshes()->Read(dropped).value().value.has_value()) << "the first one's stay";
  EXPECT_EQ(ReadMeshMeta(second->table()).value(), ReadMeshMeta(dataset_->table()).value());

  ASSERT_TRUE(StoreMeshMeta(*dataset_, {.folder = "memory://mesh_meta_test/b/"}).ok());
  const auto third = branch(folder_.path() + "/third");
  EXPECT_EQ(ReadMeshMeta(third->table()).value()->dynamic_dir, "dynamic_graph_77");
  EXPECT_EQ(ReadMeshMeta(dataset_->table()).value()->dynamic_dir, "dynamic_graph");
}

TEST(MeshSettingsTest, ASectionIsReadAndWrongKeysAreNamed) {
  const MeshSettings settings =
      ParseMeshSettings(R"({"folder":"/a b/","dir":"m","dynamic_dir":"d","max_layer":"4","mip":"1","max-error":"2.5",)"
                        R"("draco-grid-size":3,"initial-time":"2026-01-31T12:00:00Z","minishard-bits":"6",)"
                        R"("sharding":{"3":{"hash":"identity","minishard_bits":"2"}}})")
          .value();
  EXPECT_EQ(settings.folder, "file:///a b/");
  EXPECT_EQ(settings.max_layer, 4);
  EXPECT_EQ(settings.max_error_nm, 2.5);
  EXPECT_EQ(settings.initial_time, absl::FromUnixSeconds(1769860800));
  EXPECT_EQ(settings.sharding.at(3).minishard_bits, 2);
  for (const auto& [text, says] :
       std::vector<std::pair<std::string, std::string>>{{R"([])", "no map"},
                                                        {R"({"lods":"1"})", "lods"},
                                                        {R"({"mip":"x"})", "mip"},
                                                        {R"({"folder":"here"})", "here"},
                                                        {R"({"max-error":"-1"})", "max-error"},
                                                        {R"({"initial-time":"noon"})", "initial-time"},
                                                        {R"({"sharding":{"1":{}}})", "sharding"},
                                                        {R"({"sharding":{"2":{"bits":1}}})", "bits"},
                                                        {R"({"sharding":{"2":{"data_encoding":"gzip"}}})", "raw"}}) {
    const absl::Status status = ParseMeshSettings(text).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(says));
  }
}

TEST(MeshMetaRecordTest, TheFieldsOwnRecordIsReadAndDamageIsNamed) {
  const MeshMeta meta = ParseMeshMeta(R"({"dir":"graphene_meshes","max_layer":6,"mip":2,"max_error":40,)"
                                      R"("initial_ts":1600000000,"other":[1]})")
                            .value();
  EXPECT_EQ(meta.dynamic_dir, "dynamic");
  EXPECT_EQ(meta.initial_time, absl::FromUnixSeconds(1600000000));
  for (const auto& [text, says] : std::vector<std::pair<std::string, std::string>>{
           {"[]", "no dict"},
           {R"({"max_layer":6,"mip":2,"initial_ts":1})", "dir"},
           {R"({"dir":"a/../b","max_layer":6,"mip":2,"initial_ts":1})", "a/../b"},
           {R"({"dir":"m","max_layer":1,"mip":2,"initial_ts":1})", "max_layer"},
           {R"({"dir":"m","max_layer":2,"mip":2})", "initial_ts"}}) {
    const absl::Status status = ParseMeshMeta(text).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(says));
  }
}

}  // namespace
}  // namespace cleave::mesh
