// How often the caches of this process held what was asked for: what /metrics of a server shows. Thread-safe.
//
//   CountsOf(Cache::kParents).hits += found;
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace cleave {

enum class Cache : size_t {
  kVoxelStoreNodes,  // parts of the tree of the voxel store
  kParents,          // of nodes, in the embedded table
  kPastTimes,        // which version of the voxel store belongs to a time
  kUsers,            // what an auth server said about a token
  kCount
};

struct CacheCounts {
  std::atomic<int64_t> hits = 0;
  std::atomic<int64_t> misses = 0;
};

inline CacheCounts& CountsOf(Cache cache) {
  static std::array<CacheCounts, static_cast<size_t>(Cache::kCount)> counts;
  return counts[static_cast<size_t>(cache)];
}

}  // namespace cleave
