// Builds a B+tree from entries that come in key order, with one open node per level in memory.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "ocdbt/bulk_runs.h"
#include "ocdbt/tree_writer.h"

namespace cleave::ocdbt {

// Nodes are filled to three quarters of the configured size, so that the first edits do not split them.
class TreeBuilder {
 public:
  // Both must outlive the builder.
  TreeBuilder(const Config& config, DataFileWriter& writer);

  // REQUIRES: the key is greater than all before.
  [[nodiscard]] absl::Status Add(OwnedEntry entry);
  // The root; missing when nothing was added.
  [[nodiscard]] absl::StatusOr<NewRoot> Finish();

 private:
  // Interior nodes that wait for more siblings; level 0 is of height 1.
  struct OpenLevel {
    std::vector<NewNode> children;
    uint64_t bytes = 0;
    uint64_t nodes_written = 0;
  };
  [[nodiscard]] absl::Status CloseLeaf();
  [[nodiscard]] absl::Status AddToLevel(size_t level, std::vector<NewNode> nodes);
  [[nodiscard]] absl::Status CloseLevel(size_t level);

  const Config& config_;
  DataFileWriter& writer_;
  uint64_t full_bytes_;
  std::vector<OwnedEntry> leaf_;
  uint64_t leaf_bytes_ = 0;
  std::vector<OpenLevel> levels_;
};

}  // namespace cleave::ocdbt
