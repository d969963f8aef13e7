// Reads what lies in data files: nodes of both trees, through a cache, and values.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "ocdbt/btree_node.h"
#include "ocdbt/manifest.h"
#include "ocdbt/node_cache.h"
#include "store/store.h"

namespace cleave::ocdbt {

// Thread-safe. Every DATA_LOSS names the object in the store, with offset and length. A node or a value that should be
// there and is not, is DATA_LOSS too.
class NodeReader {
 public:
  NodeReader(std::shared_ptr<store::Store> store, size_t cache_bytes);

  [[nodiscard]] absl::StatusOr<std::shared_ptr<const BtreeNode>> ReadBtreeNode(const DataReference& location) const;
  [[nodiscard]] absl::StatusOr<std::shared_ptr<const VersionTreeNode>> ReadVersionTreeNode(
      const DataReference& location) const;
  // A value, or the part of it that `range` selects (errors as store::Store::Read).
  [[nodiscard]] absl::StatusOr<std::string> ReadValue(const LeafValue& value, const store::ByteRange& range) const;

  // Several at once, in the order of what is asked for: bytes that lie near each other come with one request, files are
  // read side by side, and each node is read once.
  [[nodiscard]] absl::StatusOr<std::vector<std::shared_ptr<const BtreeNode>>> ReadBtreeNodes(
      std::span<const DataReference> locations) const;
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> ReadValues(std::span<const LeafValue> values) const;

  // "file:///db/d/0123abcd[0, +153)".
  [[nodiscard]] std::string Describe(const DataReference& location) const;
  // Memory that cached nodes take now.
  [[nodiscard]] size_t cached_bytes() const { return cache_.used_bytes(); }
  [[nodiscard]] store::Store& store() const { return *store_; }
  [[nodiscard]] const std::shared_ptr<store::Store>& shared_store() const { return store_; }

 private:
  [[nodiscard]] absl::StatusOr<std::string> ReadBytes(const DataReference& location) const;
  // The bytes at each of `locations`, in their order.
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> ReadBytes(std::span<const DataReference> locations) const;
  [[nodiscard]] absl::Status ReadTogether(std::span<const DataReference> locations, std::span<const size_t> members,
                                          std::vector<std::string>& bytes) const;
  [[nodiscard]] absl::StatusOr<std::shared_ptr<const BtreeNode>> DecodeAndKeep(const DataReference& location,
                                                                               absl::string_view object) const;

  std::shared_ptr<store::Store> store_;
  mutable NodeCache cache_;
};

}  // namespace cleave::ocdbt
