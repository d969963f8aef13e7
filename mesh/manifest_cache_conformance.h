// What every cache of manifests must do. A test program includes this and instantiates ManifestCacheConformance with a
// factory. Not for product code.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "gtest/gtest.h"

#include "mesh/manifest_cache.h"

namespace cleave::mesh {

struct CacheEngine {
  std::string name;
  // A cache of a graph; null when the engine is not there. Those of one identity share their entries where the engine
  // lies outside of the process.
  std::function<std::unique_ptr<ManifestCache>(const std::string& identity, absl::Duration expiry)> make;
};

inline const CachedMesh kShardMesh{CachedMesh::Kind::kShard, {"2/17-0.shard", {.offset = 224659, .length = 442}}, {}};
inline const CachedMesh kFileMesh{CachedMesh::Kind::kFile, {}, {}};
inline const CachedMesh kAbsentMesh{
    CachedMesh::Kind::kAbsent, {"3/4-1f.shard", {}}, store::Generation(std::string("a:\0 \xFF", 5))};

class ManifestCacheConformance : public testing::TestWithParam<CacheEngine> {
 protected:
  using Ids = std::vector<graph::NodeId>;

  void SetUp() override {
    cache_ = GetParam().make("one", kManifestExpiry);
    if (cache_ == nullptr) {
      GTEST_SKIP() << "the engine is not installed";
    }
  }

  static Ids Nodes(uint64_t first, uint64_t count) {
    Ids nodes;
    for (uint64_t i = 0; i < count; ++i) {
      nodes.push_back(graph::NodeId{first + i});
    }
    return nodes;
  }
  static void PutAll(ManifestCache& cache, const Ids& nodes, const CachedMesh& mesh, const std::string& token) {
    std::vector<CacheEntry> entries;
    for (const graph::NodeId node : nodes) {
      entries.push_back({node, mesh});
    }
    cache.Put(entries, token);
  }
  static int64_t KnownOf(ManifestCache& cache, const Ids& nodes) {
    int64_t known = 0;
    for (const auto& mesh : cache.Get(nodes).meshes) {
      known += mesh.has_value() ? 1 : 0;
    }
    return known;
  }

  std::unique_ptr<ManifestCache> cache_;
};

TEST_P(ManifestCacheConformance, GivesWhatWasPutInTheOrderThatIsAskedFor) {
  const Ids nodes = Nodes(uint64_t{2} << 56, 4);
  const CacheAnswer nothing = cache_->Get(nodes);
  ASSERT_EQ(nothing.meshes.size(), 4U);
  EXPECT_EQ(KnownOf(*cache_, nodes), 0);
  cache_->Put(std::vector<CacheEntry>{{nodes[0], kShardMesh}, {nodes[1], kFileMesh}, {nodes[3], kAbsentMesh}},
              nothing.token);
  const CacheAnswer some = cache_->Get(Ids{nodes[3], nodes[2], nodes[1], nodes[0], nodes[3]});
  EXPECT_EQ(some.meshes,
            (std::vector<std::optional<CachedMesh>>{kAbsentMesh, std::nullopt, kFileMesh, kShardMesh, kAbsentMesh}));
  cache_->Put(std::vector<CacheEntry>{{nodes[3], kFileMesh}}, some.token);
  EXPECT_EQ(cache_->Get(Ids{nodes[3]}).meshes[0], kFileMesh) << "a later entry replaces the one before";
  EXPECT_TRUE(cache_->Get({}).meshes.empty());
}

TEST_P(ManifestCacheConformance, HoldsManyEntries) {
  const Ids nodes = Nodes(1000, 5000);
  PutAll(*cache_, nodes, kShardMesh, cache_->Get(nodes).token);
  EXPECT_EQ(KnownOf(*cache_, nodes), 5000);
  ASSERT_TRUE(cache_->Forget(nodes).ok());
  EXPECT_EQ(KnownOf(*cache_, nodes), 0);
}

TEST_P(ManifestCacheConformance, ForgetsTheseAndNoOthers) {
  const Ids nodes = Nodes(1, 10);
  PutAll(*cache_, nodes, kFileMesh, cache_->Get(nodes).token);
  ASSERT_TRUE(cache_->Forget(Nodes(3, 2)).ok());
  ASSERT_TRUE(cache_->Forget(Nodes(100, 1)).ok()) << "which was never there";
  ASSERT_TRUE(cache_->Forget({}).ok());
  EXPECT_EQ(KnownOf(*cache_, nodes), 8);
  EXPECT_EQ(KnownOf(*cache_, Nodes(3, 2)), 0);
}

TEST_P(ManifestCacheConformance, ClearsAll) {
  const Ids nodes = Nodes(1, 2500);
  PutAll(*cache_, nodes, kFileMesh, cache_->Get(nodes).token);
  ASSERT_TRUE(cache_->Clear().ok());
  EXPECT_EQ(KnownOf(*cache_, nodes), 0);
  PutAll(*cache_, nodes, kFileMesh, cache_->Get(nodes).token);
  EXPECT_EQ(KnownOf(*cache_, nodes), 2500) << "it goes on working";
}

// The heart of it: a look-up that began before is not written after.
TEST_P(ManifestCacheConformance, WhatWasLookedUpBeforeARemovalIsNotPutAfterIt) {
  const Ids nodes = Nodes(1, 3);
  const std::string before_forget = cache_->Get(nodes).token;
  ASSERT_TRUE(cache_->Forget(Ids{nodes[1]}).ok());
  PutAll(*cache_, nodes, kAbsentMesh, before_forget);
  EXPECT_EQ(KnownOf(*cache_, nodes), 0);
  const std::string before_clear = cache_->Get(nodes).token;
  ASSERT_TRUE(cache_->Clear().ok());
  PutAll(*cache_, nodes, kAbsentMesh, before_clear);
  EXPECT_EQ(KnownOf(*cache_, nodes), 0);
  PutAll(*cache_, nodes, kAbsentMesh, "");
  PutAll(*cache_, nodes, kAbsentMesh, "some other");
  EXPECT_EQ(KnownOf(*cache_, nodes), 0);
}

TEST_P(ManifestCacheConformance, EntriesEnd) {
  const std::unique_ptr<ManifestCache> brief = GetParam().make("brief", absl::Milliseconds(40));
  const Ids nodes = Nodes(1, 3);
  PutAll(*brief, nodes, kFileMesh, brief->Get(nodes).token);
  for (int i = 0; i < 1000 && KnownOf(*brief, nodes) > 0; ++i) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_EQ(KnownOf(*brief, nodes), 0);
}

TEST_P(ManifestCacheConformance, IdentitiesAreApart) {
  const std::unique_ptr<ManifestCache> other = GetParam().make("two", kManifestExpiry);
  const Ids nodes = Nodes(1, 3);
  PutAll(*cache_, nodes, kFileMesh, cache_->Get(nodes).token);
  EXPECT_EQ(KnownOf(*other, nodes), 0);
  ASSERT_TRUE(other->Clear().ok());
  EXPECT_EQ(KnownOf(*cache_, nodes), 3);
}

// A node's truth changes from absent to present, and is then forgotten, while others look it up and put what they saw.
// After the Forget nobody may find the old one.
TEST_P(ManifestCacheConformance, NoOldEntryComesBackWhileManyLookUp) {
  constexpr int kRounds = 60;
  const Ids nodes = Nodes(1, 4);
  std::atomic<bool> is_there = false;
  std::atomic<bool> ends = false;
  std::vector<std::jthread> readers;
  readers.reserve(3);
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!ends) {
        const CacheAnswer answer = cache_->Get(nodes);
        const bool seen = is_there;
        std::this_thread::yield();
        PutAll(*cache_, nodes, seen ? kFileMesh : kAbsentMesh, answer.token);
      }
    });
  }
  for (int round = 0; round < kRounds; ++round) {
    is_there = true;
    ASSERT_TRUE(round % 2 == 0 ? cache_->Forget(nodes).ok() : cache_->Clear().ok());
    for (int look = 0; look < 3; ++look) {
      for (const auto& mesh : cache_->Get(nodes).meshes) {
        ASSERT_TRUE(!mesh.has_value() || *mesh == kFileMesh) << "round " << round;
      }
    }
    is_there = false;
    ASSERT_TRUE(cache_->Clear().ok());
  }
  ends = true;
}

}  // namespace cleave::mesh
