// The cache of manifests in this process's memory.
#pragma once

#include <cstdint>
#include <list>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"

#include "base/clock.h"
#include "mesh/manifest_cache.h"

namespace cleave::mesh {

struct MemoryCacheOptions {
  size_t entries_max = 200'000;  // about 200 bytes each; those that were asked for last stay
  absl::Duration expiry = kManifestExpiry;
  Clock* clock = &Clock::System();
};

class MemoryManifestCache final : public ManifestCache {
 public:
  explicit MemoryManifestCache(MemoryCacheOptions options = {}) : options_(options) {}

  [[nodiscard]] CacheAnswer Get(std::span<const graph::NodeId> nodes) override;
  void Put(std::span<const CacheEntry> entries, const std::string& token) override;
  [[nodiscard]] absl::Status Forget(std::span<const graph::NodeId> nodes) override;
  [[nodiscard]] absl::Status Clear() override;
  [[nodiscard]] size_t size() const;

 private:
  struct Kept {
    CacheEntry entry;
    absl::Time end;
  };
  void Remove(graph::NodeId node) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const MemoryCacheOptions options_;
  mutable absl::Mutex mutex_;
  std::list<Kept> kept_ ABSL_GUARDED_BY(mutex_);  // the last asked for first
  absl::flat_hash_map<graph::NodeId, std::list<Kept>::iterator> places_ ABSL_GUARDED_BY(mutex_);
  uint64_t removals_ ABSL_GUARDED_BY(mutex_) = 0;  // as text, the token
};

}  // namespace cleave::mesh
