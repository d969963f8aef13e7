// Union-find over 0, 1, ..., n-1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace cleave::cut {

// Sets of small integers that can be joined. The representative of a set is its smallest member, so it does not depend
// on the order of joining. Not thread-safe.
class DisjointSets {
 public:
  explicit DisjointSets(uint32_t count = 0) : parent_(count) {
    for (uint32_t i = 0; i < count; ++i) {
      parent_[i] = i;
    }
  }

  [[nodiscard]] uint32_t size() const { return static_cast<uint32_t>(parent_.size()); }

  // Adds a set of one new member, numbered size() before the call.
  uint32_t Add() {
    parent_.push_back(size());
    return size() - 1;
  }

  // The smallest member of the set of `i`. Shortens the chain on its way (path halving).
  [[nodiscard]] uint32_t Find(uint32_t i) {
    while (parent_[i] != i) {
      parent_[i] = parent_[parent_[i]];
      i = parent_[i];
    }
    return i;
  }

  // Joins the sets of `a` and `b` and returns the representative of the whole.
  uint32_t Join(uint32_t a, uint32_t b) {
    a = Find(a);
    b = Find(b);
    if (a > b) {
      std::swap(a, b);
    }
    parent_[b] = a;
    return a;
  }

 private:
  std::vector<uint32_t> parent_;  // never above the member itself
};

}  // namespace cleave::cut
