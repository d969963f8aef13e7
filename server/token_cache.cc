#include "server/token_cache.h"

#include "base/cache_tally.h"

namespace cleave::server {

std::optional<TokenAnswer> TokenCache::Find(const std::string& digest) {
  const auto found = places_.find(digest);
  CacheCounts& counts = CountsOf(Cache::kUsers);
  if (found == places_.end()) {
    ++counts.misses;
    return std::nullopt;
  }
  ++counts.hits;
  order_.splice(order_.begin(), order_, found->second);
  return found->second->second;
}

void TokenCache::Put(const std::string& digest, TokenAnswer answer) {
  Forget(digest);
  order_.emplace_front(digest, std::move(answer));
  places_[digest] = order_.begin();
  if (order_.size() > tokens_max_) {
    places_.erase(order_.back().first);
    order_.pop_back();
  }
}

void TokenCache::Forget(const std::string& digest) {
  const auto found = places_.find(digest);
  if (found != places_.end()) {
    order_.erase(found->second);
    places_.erase(found);
  }
}

}  // namespace cleave::server
