// Checks every rule of one version's tree by walking all of it; for tests, and for whoever repairs a database.
#pragma once

#include "absl/status/status.h"

#include "ocdbt/node_reader.h"
#include "ocdbt/version.h"

namespace cleave::ocdbt {

// OK when heights fall by one, keys in full increase over the whole tree, every key has the prefix that leads to it,
// every child's first key is the one its parent says, and all statistics are the sums of what is below. Values are not
// read. DATA_LOSS, naming the node, otherwise.
[[nodiscard]] absl::Status CheckTree(const NodeReader& reader, const Version& version);

// Checks a manifest and all version-tree nodes below it: generations and commit times increase, and every node is what
// its parent says. DATA_LOSS otherwise.
[[nodiscard]] absl::Status CheckVersionTree(const Manifest& manifest, const NodeReader& reader);

}  // namespace cleave::ocdbt
