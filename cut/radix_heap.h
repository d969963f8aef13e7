// A priority queue for keys that never fall below the last one taken out, as shortest paths need.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstdint>
#include <vector>

namespace cleave::cut {

// A radix heap (R. Ahuja, K. Mehlhorn, J. Orlin, R. Tarjan: Faster algorithms for the shortest path problem, 1990).
// Keys are floats of 0 or more: the order of such floats is that of their bits. Equal keys leave in an order that
// depends only on the order of the calls. Not thread-safe.
class RadixHeap {
 public:
  struct Entry {
    float key;
    uint32_t value;
  };

  [[nodiscard]] bool empty() const { return size_ == 0; }

  // REQUIRES: key is not below the key of the last Pop.
  void Push(float key, uint32_t value) {
    assert(key >= std::bit_cast<float>(last_));
    ++size_;
    buckets_[Bucket(std::bit_cast<uint32_t>(key))].push_back({key, value});
  }

  // Takes out an entry with the smallest key. REQUIRES: not empty.
  Entry Pop() {
    assert(size_ > 0);
    if (buckets_[0].empty()) {
      Refill();
    }
    const Entry entry = buckets_[0].back();
    buckets_[0].pop_back();
    --size_;
    return entry;
  }

 private:
  // Bucket b > 0 holds the keys whose highest bit that differs from the last key's is bit b - 1.
  [[nodiscard]] size_t Bucket(uint32_t key) const { return static_cast<size_t>(std::bit_width(key ^ last_)); }

  void Refill() {
    size_t b = 1;
    while (buckets_[b].empty()) {
      ++b;
    }
    last_ = std::bit_cast<uint32_t>(buckets_[b].front().key);
    for (const Entry& entry : buckets_[b]) {
      last_ = std::min(last_, std::bit_cast<uint32_t>(entry.key));
    }
    for (const Entry& entry : buckets_[b]) {
      buckets_[Bucket(std::bit_cast<uint32_t>(entry.key))].push_back(entry);
    }
    buckets_[b].clear();
  }

  std::array<std::vector<Entry>, 33> buckets_;
  uint32_t last_ = 0;
  size_t size_ = 0;
};

}  // namespace cleave::cut
