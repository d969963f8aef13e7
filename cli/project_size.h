// How large a project is, counted, not remembered.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

#include "base/progress.h"
#include "graph/dataset.h"

namespace cleave::cli {

struct NodeCounts {
  int64_t supervoxels = 0;
  int64_t l2_nodes = 0;  // past ones too
  int64_t roots = 0;
  int64_t past_roots = 0;
};

// Of the newest state. Reads the rows of the two lowest layers and of the top, chunk by chunk.
[[nodiscard]] absl::StatusOr<NodeCounts> CountNodes(graph::Dataset& dataset, Progress& progress);

// Bytes of all files below a folder; 0 where there is none.
[[nodiscard]] int64_t FolderBytes(const std::string& folder);

}  // namespace cleave::cli
