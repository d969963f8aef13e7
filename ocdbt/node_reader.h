// Reads what lies in data files: nodes of both trees, through a cache, and values.
#pragma once

#include <memory>
#include <string>

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

  // "file:///db/d/0123abcd[0, +153)".
  [[nodiscard]] std::string Describe(const DataReference& location) const;
  [[nodiscard]] store::Store& store() const { return *store_; }
  [[nodiscard]] const std::shared_ptr<store::Store>& shared_store() const { return store_; }

 private:
  [[nodiscard]] absl::StatusOr<std::string> ReadBytes(const DataReference& location) const;

  std::shared_ptr<store::Store> store_;
  mutable NodeCache cache_;
};

}  // namespace cleave::ocdbt
