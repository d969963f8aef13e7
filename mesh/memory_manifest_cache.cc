#include "mesh/memory_manifest_cache.h"

#include "absl/strings/str_cat.h"

namespace cleave::mesh {

using graph::NodeId;

void MemoryManifestCache::Remove(NodeId node) {
  if (const auto place = places_.find(node); place != places_.end()) {
    kept_.erase(place->second);
    places_.erase(place);
  }
}

CacheAnswer MemoryManifestCache::Get(std::span<const NodeId> nodes) {
  const absl::Time now = options_.clock->Now();
  CacheAnswer answer{.meshes = std::vector<std::optional<CachedMesh>>(nodes.size()), .token = {}};
  const absl::MutexLock lock(&mutex_);
  answer.token = absl::StrCat(removals_);
  for (size_t i = 0; i < nodes.size(); ++i) {
    const auto place = places_.find(nodes[i]);
    if (place == places_.end()) {
      continue;
    }
    if (place->second->end <= now) {
      Remove(nodes[i]);
      continue;
    }
    kept_.splice(kept_.begin(), kept_, place->second);
    answer.meshes[i] = kept_.front().entry.mesh;
  }
  return answer;
}

void MemoryManifestCache::Put(std::span<const CacheEntry> entries, const std::string& token) {
  const absl::Time end = options_.clock->Now() + options_.expiry;
  const absl::MutexLock lock(&mutex_);
  if (token != absl::StrCat(removals_)) {
    return;
  }
  for (const CacheEntry& entry : entries) {
    Remove(entry.node);
    kept_.push_front({entry, end});
    places_[entry.node] = kept_.begin();
    if (kept_.size() > options_.entries_max) {
      Remove(kept_.back().entry.node);
    }
  }
}

absl::Status MemoryManifestCache::Forget(std::span<const NodeId> nodes) {
  const absl::MutexLock lock(&mutex_);
  ++removals_;
  for (const NodeId node : nodes) {
    Remove(node);
  }
  return absl::OkStatus();
}

absl::Status MemoryManifestCache::Clear() {
  const absl::MutexLock lock(&mutex_);
  ++removals_;
  places_.clear();
  kept_.clear();
  return absl::OkStatus();
}

size_t MemoryManifestCache::size() const {
  const absl::MutexLock lock(&mutex_);
  return kept_.size();
}

}  // namespace cleave::mesh
