// Which data files some versions need.
#pragma once

#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"

#include "base/progress.h"
#include "ocdbt/manifest.h"
#include "ocdbt/node_reader.h"

namespace cleave::ocdbt {

// Walks through trees, each node once, and collects the keys of the files in which nodes and values lie. Values are not
// read, nor leaves without values outside of the tree. Any damage is an error: what lies behind it is not known then.
class ReachableFiles {
 public:
  explicit ReachableFiles(const NodeReader& reader) : reader_(reader) {}

  // All versions of a manifest, and its version tree.
  [[nodiscard]] absl::Status AddManifest(const Manifest& manifest, Progress& progress);
  [[nodiscard]] absl::Status AddVersion(const Version& version);

  [[nodiscard]] bool Contains(const std::string& key) const { return files_.contains(key); }
  [[nodiscard]] size_t file_count() const { return files_.size(); }
  [[nodiscard]] uint64_t nodes_read() const { return nodes_read_; }

 private:
  [[nodiscard]] absl::Status AddVersionNode(const VersionNodeReference& reference, int arity_log2, Progress& progress);
  [[nodiscard]] absl::Status AddNode(const NodeReference& reference, int height, const std::string& first_key);
  // Whether the node was not met before. Takes up its file.
  bool Enter(const DataReference& location);

  const NodeReader& reader_;
  absl::flat_hash_set<std::string> files_;
  absl::flat_hash_set<std::string> nodes_;
  uint64_t nodes_read_ = 0;
};

}  // namespace cleave::ocdbt
