#include "ocdbt/node_cache.h"

#include "base/cache_tally.h"

namespace cleave::ocdbt {

void NodeCache::Insert(const std::string& name, std::shared_ptr<const void> node, size_t bytes) {
  const size_t cost = bytes + name.size() + sizeof(Item);
  if (cost > limit_bytes_) {
    return;
  }
  const std::lock_guard lock(mutex_);
  if (by_name_.contains(name)) {
    return;  // another thread read it at the same time
  }
  items_.push_front({name, std::move(node), cost});
  by_name_[name] = items_.begin();
  used_bytes_ += cost;
  while (used_bytes_ > limit_bytes_) {
    used_bytes_ -= items_.back().bytes;
    by_name_.erase(items_.back().name);
    items_.pop_back();
  }
}

size_t NodeCache::used_bytes() const {
  const std::lock_guard lock(mutex_);
  return used_bytes_;
}

std::shared_ptr<const void> NodeCache::FindAny(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto found = by_name_.find(name);
  CacheCounts& counts = CountsOf(Cache::kVoxelStoreNodes);
  if (found == by_name_.end()) {
    ++counts.misses;
    return nullptr;
  }
  ++counts.hits;
  items_.splice(items_.begin(), items_, found->second);
  return found->second->node;
}

}  // namespace cleave::ocdbt
