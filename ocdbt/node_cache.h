// Decoded nodes, most recently used first, within a limit of memory.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace cleave::ocdbt {

// Maps names of immutable things to the things. What is evicted lives on while someone uses it. Thread-safe.
class NodeCache {
 public:
  explicit NodeCache(size_t limit_bytes) : limit_bytes_(limit_bytes) {}

  // nullptr when it is not there. REQUIRES: it was inserted as a T.
  template <typename T>
  [[nodiscard]] std::shared_ptr<const T> Find(const std::string& name) {
    return std::static_pointer_cast<const T>(FindAny(name));
  }
  // A thing larger than the limit is not kept.
  void Insert(const std::string& name, std::shared_ptr<const void> node, size_t bytes);

  [[nodiscard]] size_t used_bytes() const;

 private:
  struct Item {
    std::string name;
    std::shared_ptr<const void> node;
    size_t bytes = 0;
  };
  [[nodiscard]] std::shared_ptr<const void> FindAny(const std::string& name);

  const size_t limit_bytes_;
  mutable std::mutex mutex_;
  // All below are guarded by mutex_.
  size_t used_bytes_ = 0;
  std::list<Item> items_;
  absl::flat_hash_map<std::string, std::list<Item>::iterator> by_name_;
};

}  // namespace cleave::ocdbt
