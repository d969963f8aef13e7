// Applies changes to a B+tree: writes new nodes from the changed leaves up to a new root, and shares all others.
//
// Method: 1. From the root down, the changes are divided among the children; a child that none concerns keeps its
// reference unread, and one that a deleted range covers whole is dropped unread. 2. A leaf's entries and its changes
// are merged in key order. If nothing is different the leaf stays. 3. The entries of every changed node, which may have
// become more than one node holds, are distributed over new nodes (node_split.h); the parent takes up as many entries
// for the old one. A node that has lost entries and fills less than a third is not written alone: it is merged with
// small ones beside it, and then with a neighbour that did not change. 4. Above the old root levels are added until one
// node is left, or taken off while the root has one child. A tree without keys has no root. TensorStore does the same,
// but neither merges nor takes off levels; puts alone make the same trees.
#pragma once

#include <optional>

#include "absl/status/statusor.h"

#include "ocdbt/config.h"
#include "ocdbt/data_file_writer.h"
#include "ocdbt/node_reader.h"
#include "ocdbt/node_split.h"
#include "ocdbt/staged_changes.h"
#include "ocdbt/version.h"

namespace cleave::ocdbt {

struct NewRoot {
  int height = 0;
  NodeReference reference{DataReference::Missing(), {}};  // missing: no keys are left
};

// The root of the changed tree; nothing when the changes make no difference. New nodes go to `writer`.
[[nodiscard]] absl::StatusOr<std::optional<NewRoot>> ApplyChanges(const StagedChanges& changes, const Version& old,
                                                                  const Config& config, const NodeReader& reader,
                                                                  DataFileWriter& writer);

// Builds the levels above `nodes`, which are of height `height` and were written as Level::kTop, until one is left.
[[nodiscard]] absl::StatusOr<NewRoot> BuildUpward(std::vector<NewNode> nodes, int height, const Config& config,
                                                  DataFileWriter& writer);

}  // namespace cleave::ocdbt
