// Goal: a manifest names the highest nodes that have a mesh, where it lies, and nothing that is not there; what the
// cache keeps never hides a mesh that was made since, and costs less than looking anew.
// Method: a project with nodes of three layers; the test plays the mesh worker, who writes shards and files, and reads
// back the bytes that the manifest points to.
#include "mesh/manifest.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "mesh/memory_manifest_cache.h"
#include "mesh/mesh_settings.h"
#include "mesh/mesh_testing.h"

namespace cleave::mesh {
namespace {

using graph::NodeId;

class ManifestTest : public MeshProjectTest {
 protected:
  void SetUp() override {
    MeshProjectTest::SetUp();
    halves_ = ChildrenOf(beam_);
    ASSERT_EQ(halves_.size(), 2U);
    quarters_ = ChildrenOf(halves_[1]);
    ASSERT_EQ(quarters_.size(), 2U);
  }

  // Nodes of ingest are those of the shards, or with `all_dynamic` none are.
  void Begin(bool all_dynamic) {
    MeshSettings settings{.max_layer = 3};
    for (const int layer : {2, 3}) {
      settings.sharding[layer] = spec_;
    }
    if (all_dynamic) {
      settings.initial_time = absl::UnixEpoch();
    }
    ASSERT_TRUE(StoreMeshMeta(*dataset_, settings).ok());
    meta_ = ReadMeshMeta(dataset_->table()).value().value();
    manifests_ =
        std::make_unique<Manifests>(*dataset_, meta_, dataset_->meshes(), std::make_unique<MemoryManifestCache>());
  }

  // What a worker does: one shard with the meshes of these nodes, which lie in one chunk.
  void WriteShard(const std::map<NodeId, std::string>& meshes, NodeId of) {
    const std::string key = absl::StrCat("mesh/initial/", dataset_->layout().LayerOf(of), "/",
                                         ShardFileName(dataset_->layout(), spec_, of));
    ASSERT_TRUE(dataset_->meshes()->Write(key, MakeShard(spec_, meshes)).ok());
  }
  void WriteFile(NodeId node) {
    const std::string key = absl::StrCat("mesh/dynamic_graph/", DynamicFileName(dataset_->layout(), node));
    ASSERT_TRUE(dataset_->meshes()->Write(key, "mesh").ok());
  }

  absl::StatusOr<Manifest> Find(NodeId node, const ManifestQuery& query = {.start_layer = 3}) {
    return manifests_->Find(dataset_->Now(), node, query);
  }
  // Node and bytes of what the manifest names.
  std::map<NodeId, std::string> Meshes(NodeId node, const ManifestQuery& query = {.start_layer = 3}) {
    const auto manifest = Find(node, query);
    EXPECT_TRUE(manifest.ok()) << manifest.status();
    std::map<NodeId, std::string> meshes;
    for (const ManifestFragment& fragment : manifest->fragments) {
      const std::string key =
          fragment.shard.has_value()
              ? absl::StrCat("mesh/initial/", fragment.shard->file)
              : absl::StrCat("mesh/dynamic_graph/", DynamicFileName(dataset_->layout(), fragment.node));
      const std::string file = dataset_->meshes()->Read(key).value().value.value();
      meshes[fragment.node] =
          fragment.shard.has_value() ? file.substr(fragment.shard->place.offset, fragment.shard->place.length) : file;
    }
    return meshes;
  }
  using Expected = std::map<NodeId, std::string>;

  const ShardingSpec spec_{.minishard_bits = 2, .gzip_index = false};
  MeshMeta meta_;
  std::unique_ptr<Manifests> manifests_;
  std::vector<NodeId> halves_;    // of layer 3
  std::vector<NodeId> quarters_;  // of layer 2, below the second half
};

TEST_F(ManifestTest, TheHighestNodesWithAMeshAreNamed) {
  Begin(/*all_dynamic=*/false);
  EXPECT_EQ(Meshes(beam_), Expected()) << "nothing is there yet";
  WriteShard({{halves_[0], "first half"}, {NodeId{Value(halves_[0]) + 1}, "another's"}}, halves_[0]);
  WriteShard({{quarters_[1], "last quarter"}}, quarters_[1]);
  const Expected expected = {{halves_[0], "first half"}, {quarters_[1], "last quarter"}};
  EXPECT_EQ(Meshes(beam_), expected) << "marks of absence do not outlive the meshes";
  EXPECT_EQ(Meshes(beam_), expected);
  EXPECT_EQ(Meshes(halves_[0]), (Expected{{halves_[0], "first half"}}));
  EXPECT_EQ(Meshes(quarters_[1]), (Expected{{quarters_[1], "last quarter"}}));
  EXPECT_EQ(Meshes(beam_, {.start_layer = 2}), (Expected{{quarters_[1], "last quarter"}}));
  EXPECT_EQ(Meshes(beam_, {.start_layer = 4}), expected) << "there are no shards of roots";
  EXPECT_EQ(Meshes(crumb_), Expected());
}

TEST_F(ManifestTest, OnlyWhatIsInTheBoxIsNamed) {
  Begin(/*all_dynamic=*/false);
  for (const NodeId quarter : quarters_) {
    WriteShard({{quarter, "quarter"}}, quarter);
  }
  WriteShard({{halves_[0], "half"}}, halves_[0]);
  const auto of_box = [&](int64_t begin, int64_t end) {
    return Meshes(beam_, {.start_layer = 3, .box = Box{{begin, 0, 0}, {end, kChunk, kChunk}}});
  };
  EXPECT_EQ(of_box(0, 1), (Expected{{halves_[0], "half"}}));
  EXPECT_EQ(of_box(2 * kChunk, 2 * kChunk + 1), (Expected{{quarters_[0], "quarter"}}));
  EXPECT_EQ(of_box(3 * kChunk, 4 * kChunk), (Expected{{quarters_[1], "quarter"}}));
}

TEST_F(ManifestTest, TheCacheKnowsWhatWasFoundAndWhatWasNot) {
  Begin(/*all_dynamic=*/false);
  WriteShard({{halves_[0], "half"}}, halves_[0]);
  const ManifestCounts first = Find(beam_)->counts;
  EXPECT_EQ(first.found + first.absent + first.outdated, 0);
  EXPECT_EQ(first.unknown, 4) << "two halves, and the quarters of the one without a mesh";
  const ManifestCounts second = Find(beam_)->counts;
  EXPECT_EQ(second.unknown + second.outdated, 0);
  EXPECT_EQ(second.found, 1);
  EXPECT_EQ(second.absent, 3);
  WriteShard({{halves_[1], "other half"}}, halves_[1]);
  const ManifestCounts third = Find(beam_)->counts;
  EXPECT_EQ(third.outdated, 1);
  EXPECT_EQ(third.found, 1);
  EXPECT_EQ(Find(beam_)->counts.found, 2);
}

// A worker writes the shard of a chunk again and again, each time with one more mesh; after each time the manifest is
// right, whatever was marked as absent before.
TEST_F(ManifestTest, MarksOfAbsenceNeverOutliveARemesh) {
  Begin(/*all_dynamic=*/false);
  EXPECT_EQ(Meshes(crumb_), Expected());
  const NodeId crumb = ChildrenOf(crumb_)[0];
  const NodeId beam = ChildrenOf(halves_[0])[0];
  ASSERT_EQ(ShardFileName(dataset_->layout(), spec_, crumb), ShardFileName(dataset_->layout(), spec_, beam))
      << "both in the first chunk";
  WriteShard({{beam, "beam"}}, beam);
  EXPECT_EQ(Meshes(crumb_), Expected());
  EXPECT_EQ(Meshes(beam), (Expected{{beam, "beam"}}));
  WriteShard({{beam, "beam"}, {crumb, "crumb"}}, beam);
  EXPECT_EQ(Meshes(crumb_), (Expected{{crumb, "crumb"}}));
}

TEST_F(ManifestTest, NodesOfEditsHaveFilesThatAreFoundAsSoonAsTheyAreThere) {
  Begin(/*all_dynamic=*/true);
  EXPECT_EQ(Meshes(beam_), Expected());
  WriteFile(quarters_[0]);
  EXPECT_EQ(Meshes(beam_), (Expected{{quarters_[0], "mesh"}}));
  EXPECT_EQ(DynamicFileName(dataset_->layout(), quarters_[0]), absl::StrCat(Value(quarters_[0]), ":0:32-48_0-16_0-16"));
  WriteFile(halves_[1]);
  EXPECT_EQ(Meshes(beam_), (Expected{{halves_[1], "mesh"}}));
  EXPECT_EQ(DynamicFileName(dataset_->layout(), halves_[1]), absl::StrCat(Value(halves_[1]), ":0:32-64_0-32_0-32"));
  const ManifestCounts counts = Find(beam_)->counts;
  EXPECT_EQ(counts.absent, 0) << "no mark is kept of these";
  EXPECT_EQ(counts.found, 1);
}

TEST_F(ManifestTest, AShardThatWasWrittenAnewIsReadAnewOnceItIsForgotten) {
  for (const bool whole : {false, true}) {
    Begin(/*all_dynamic=*/false);
    WriteShard({{halves_[0], "old"}}, halves_[0]);
    EXPECT_EQ(Meshes(beam_)[halves_[0]], "old");
    WriteShard({{halves_[0], "another one"}}, halves_[0]);
    if (whole) {
      ASSERT_TRUE(manifests_->Clear().ok());
    } else {
      EXPECT_EQ(manifests_->ForgetBelow(dataset_->Now(), beam_).value(), 1 + 2 + 4);
    }
    EXPECT_EQ(Meshes(beam_)[halves_[0]], "another one");
  }
}

TEST_F(ManifestTest, DamageAndTooMuchAreTold) {
  Begin(/*all_dynamic=*/false);
  const auto with_limit = [&](size_t nodes_max) {
    ManifestQuery query{.start_layer = 3};
    query.check = [=](size_t nodes) {
      return nodes > nodes_max ? absl::InvalidArgumentError("too many") : absl::OkStatus();
    };
    return Find(beam_, query).status();
  };
  EXPECT_TRUE(with_limit(4).ok()) << "two halves, then four quarters";
  EXPECT_TRUE(absl::IsInvalidArgument(with_limit(3)));
  WriteShard({{halves_[0], "half"}}, halves_[0]);
  const std::string key = absl::StrCat("mesh/initial/3/", ShardFileName(dataset_->layout(), spec_, halves_[0]));
  const std::string shard = dataset_->meshes()->Read(key).value().value.value();
  for (const size_t size : {size_t{0}, size_t{10}, shard.size() - 1}) {
    ASSERT_TRUE(dataset_->meshes()->Write(key, shard.substr(0, size)).ok());
    const absl::Status status = Find(beam_).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr("3/"));
  }
  ASSERT_TRUE(dataset_->meshes()->Delete("mesh/info").ok());
  Manifests anew(*dataset_, meta_, dataset_->meshes(), std::make_unique<MemoryManifestCache>());
  EXPECT_TRUE(absl::IsFailedPrecondition(anew.Find(dataset_->Now(), beam_, {}).status()));
}

}  // namespace
}  // namespace cleave::mesh
