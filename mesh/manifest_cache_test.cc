// Goal: what is known of meshes is given back as it was put, ends after its time, and is gone once it is forgotten,
// whatever look-ups were under way; the memory it takes has a bound; its text is read back the same.
// Method: the conformance suite over the cache in memory, with times of a clock that the test sets; work/
// redis_manifest_cache_test.cc runs the same suite over Redis.
#include "mesh/manifest_cache.h"

#include <atomic>

#include "mesh/manifest_cache_conformance.h"
#include "mesh/memory_manifest_cache.h"

namespace cleave::mesh {
namespace {

class SetClock final : public Clock {
 public:
  absl::Time Now() override { return now; }
  absl::Time now = absl::UnixEpoch();
};

INSTANTIATE_TEST_SUITE_P(Engines, ManifestCacheConformance,
                         testing::Values(CacheEngine{"memory",
                                                     [](const std::string& /*identity*/, absl::Duration expiry) {
                                                       return std::make_unique<MemoryManifestCache>(
                                                           MemoryCacheOptions{.expiry = expiry});
                                                     }}),
                         [](const auto& engine) { return engine.param.name; });

TEST(MemoryManifestCacheTest, EntriesEndAfterThreeDays) {
  SetClock clock;
  MemoryManifestCache cache({.clock = &clock});
  const graph::NodeId node[] = {graph::NodeId{5}};
  cache.Put(std::vector<CacheEntry>{{node[0], kFileMesh}}, cache.Get(node).token);
  clock.now += absl::Hours(72) - absl::Milliseconds(1);
  EXPECT_TRUE(cache.Get(node).meshes[0].has_value());
  clock.now += absl::Milliseconds(1);
  EXPECT_FALSE(cache.Get(node).meshes[0].has_value());
  EXPECT_EQ(cache.size(), 0U);
}

TEST(MemoryManifestCacheTest, TheEntriesAskedForLastStay) {
  MemoryManifestCache cache({.entries_max = 3});
  const auto put = [&](uint64_t id) {
    const graph::NodeId node[] = {graph::NodeId{id}};
    cache.Put(std::vector<CacheEntry>{{node[0], kFileMesh}}, cache.Get(node).token);
  };
  const auto has = [&](uint64_t id) {
    const graph::NodeId node[] = {graph::NodeId{id}};
    return cache.Get(node).meshes[0].has_value();
  };
  for (const uint64_t id : {1, 2, 3}) {
    put(id);
  }
  EXPECT_TRUE(has(1));
  put(4);
  EXPECT_EQ(cache.size(), 3U);
  EXPECT_FALSE(has(2));
  EXPECT_TRUE(has(1) && has(3) && has(4));
}

TEST(CachedMeshTest, TextIsReadBackTheSameAndNothingElseIs) {
  for (const CachedMesh& mesh :
       {kShardMesh, kFileMesh, kAbsentMesh, CachedMesh{CachedMesh::Kind::kAbsent, {"2/1-0.shard", {}}, {}}}) {
    EXPECT_EQ(DecodeCachedMesh(EncodeCachedMesh(mesh)), mesh) << EncodeCachedMesh(mesh);
  }
  EXPECT_EQ(EncodeCachedMesh(kShardMesh), "S2/17-0.shard:224659:442");
  for (const char* text : {"", "F1", "S", "S2/1.shard:1", "S2/1.shard:1:x", "S2/1.shard:1:2:3", "S2/\n:1:2", "Xa:1",
                           "Xa:zz", "X:", "Y", "S2/1.shard:-1:2"}) {
    EXPECT_EQ(DecodeCachedMesh(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace cleave::mesh
