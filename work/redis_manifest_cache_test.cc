// Goal: the cache of manifests in Redis does what any such cache does, shared by several servers; a Redis that goes
// away costs time and no answer, one that comes back with older data brings nothing old back, and nobody else's keys
// are touched. Method: the conformance suite of mesh/manifest_cache_conformance.h and tests of its own over a real
// redis-server, which is killed, restarted and given foreign values.
#include "work/redis_manifest_cache.h"

#include <atomic>

#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

#include "mesh/manifest_cache_conformance.h"
#include "store/redis_testing.h"

namespace cleave::mesh {
namespace {

using store::RedisServer;
using work::RedisManifestCache;
using work::RedisManifestCacheOptions;

// One for all tests of the suite; each test has a prefix of its own.
RedisServer& SharedServer() {
  static RedisServer server(/*keeps=*/false);
  return server;
}

std::string NewPrefix() {
  static std::atomic<int> number = 0;
  return absl::StrCat("cleave:test", ++number, ":manifest");
}

std::unique_ptr<ManifestCache> MakeRedisCache(const std::string& identity, absl::Duration expiry) {
  if (!RedisServer::IsInstalled()) {
    return nullptr;
  }
  // Tests run one after the other; the identity keeps apart what a test wants apart.
  static std::string test;
  static std::string prefix;
  const auto* now = testing::UnitTest::GetInstance()->current_test_info();
  if (test != now->name()) {
    test = now->name();
    prefix = NewPrefix();
  }
  return std::make_unique<RedisManifestCache>(RedisManifestCacheOptions{
      .address = SharedServer().address(),
      .prefix = prefix,
      .identity = identity,
      .expiry = expiry,
      .time_limit = absl::Seconds(20),
  });
}

INSTANTIATE_TEST_SUITE_P(Redis, ManifestCacheConformance, testing::Values(CacheEngine{"redis", MakeRedisCache}),
                         [](const auto& engine) { return engine.param.name; });

class RedisManifestCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    CLEAVE_NEEDS_REDIS();
    server_ = std::make_unique<RedisServer>(/*keeps=*/true);
  }
  std::unique_ptr<RedisManifestCache> Make() {
    return std::make_unique<RedisManifestCache>(RedisManifestCacheOptions{
        .address = server_->address(),
        .prefix = "cleave:graph:manifest",
        .identity = "one",
        .time_limit = absl::Seconds(20),
        .retry_period = absl::ZeroDuration(),
        .on_change = [this](const absl::Status& status) { changes_.push_back(status.ok()); },
    });
  }
  static bool Has(ManifestCache& cache) { return cache.Get(kNode).meshes[0].has_value(); }
  static void PutOne(ManifestCache& cache) {
    cache.Put(std::vector<CacheEntry>{{kNode[0], kFileMesh}}, cache.Get(kNode).token);
  }
  // The keys of entries.
  std::vector<std::string> EntryKeys() {
    std::vector<std::string> keys;
    for (const store::RedisReply& key : server_->Ask({"KEYS", "*:7"}).list) {
      keys.push_back(key.text);
    }
    return keys;
  }

  static constexpr graph::NodeId kNode[] = {graph::NodeId{7}};
  std::unique_ptr<RedisServer> server_;
  std::vector<bool> changes_;
};

TEST_F(RedisManifestCacheTest, ServersOfOneGraphShareEntriesThatEndAfterThreeDays) {
  const auto first = Make();
  const auto second = Make();
  PutOne(*first);
  EXPECT_TRUE(Has(*second));
  ASSERT_EQ(EntryKeys().size(), 1U);
  const int64_t left_ms = std::stoll(server_->Ask({"PTTL", EntryKeys()[0]}).text);
  EXPECT_GT(left_ms, absl::ToInt64Milliseconds(absl::Hours(71)));
  EXPECT_LE(left_ms, absl::ToInt64Milliseconds(absl::Hours(72)));
  ASSERT_TRUE(second->Forget(kNode).ok());
  EXPECT_FALSE(Has(*first));
  PutOne(*second);
  server_->Ask({"SET", "other", "stays"});
  ASSERT_TRUE(first->Clear().ok());
  EXPECT_FALSE(Has(*second));
  EXPECT_TRUE(EntryKeys().empty()) << "their memory is given back";
  EXPECT_EQ(server_->Ask({"GET", "other"}).text, "stays");
}

TEST_F(RedisManifestCacheTest, ARedisThatIsAwayCostsNoAnswer) {
  const auto cache = Make();
  PutOne(*cache);
  server_->Kill();
  const CacheAnswer answer = cache->Get(kNode);
  ASSERT_EQ(answer.meshes.size(), 1U);
  EXPECT_FALSE(answer.meshes[0].has_value());
  EXPECT_EQ(answer.token, "");
  cache->Put(std::vector<CacheEntry>{{kNode[0], kFileMesh}}, answer.token);
  EXPECT_TRUE(absl::IsUnavailable(cache->Forget(kNode))) << "else one would believe that it is forgotten";
  EXPECT_TRUE(absl::IsUnavailable(cache->Clear()));
  EXPECT_GE(cache->error_count(), 3);
  server_->Start();
  EXPECT_TRUE(cache->Clear().ok());
  PutOne(*cache);
  EXPECT_TRUE(Has(*cache));
  EXPECT_EQ(changes_, (std::vector<bool>{false, true}));
}

// It keeps its data over the kill, as one does that is restored from a snapshot made before a clearing.
TEST_F(RedisManifestCacheTest, ARestartedRedisBringsNothingOldBack) {
  const auto cache = Make();
  PutOne(*cache);
  ASSERT_EQ(EntryKeys().size(), 1U);
  server_->Kill();
  server_->Start();
  EXPECT_EQ(EntryKeys().size(), 1U) << "the data is there";
  EXPECT_FALSE(Has(*cache));
  PutOne(*cache);
  EXPECT_TRUE(Has(*cache));
}

TEST_F(RedisManifestCacheTest, LostMarksAndForeignValuesAreAsIfNothingWasThere) {
  const auto cache = Make();
  PutOne(*cache);
  server_->Ask({"SET", EntryKeys()[0], "\xFF nonsense"});
  EXPECT_FALSE(Has(*cache));
  PutOne(*cache);
  EXPECT_TRUE(Has(*cache));
  const std::string token = cache->Get(kNode).token;
  const std::vector<std::string> marks = absl::StrSplit(token, ' ');
  server_->Ask({"DEL", absl::StrCat("cleave:graph:manifest:cut:", marks[0])});
  ASSERT_TRUE(cache->Forget(kNode).ok());
  cache->Put(std::vector<CacheEntry>{{kNode[0], kFileMesh}}, token);
  EXPECT_FALSE(Has(*cache)) << "evicted marks do not open a way for old look-ups";
  PutOne(*cache);
  server_->Ask({"FLUSHALL"});
  cache->Put(std::vector<CacheEntry>{{kNode[0], kFileMesh}}, token);
  EXPECT_FALSE(Has(*cache));
}

}  // namespace
}  // namespace cleave::mesh
