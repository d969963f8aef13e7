// Finds keys in a B+tree, and walks through it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "ocdbt/node_reader.h"
#include "ocdbt/version.h"
#include "store/store.h"

namespace cleave::ocdbt {

// A value, and the node that holds the bytes to which it points.
struct FoundValue {
  LeafValue value;
  std::shared_ptr<const BtreeNode> owner;
};

// Nothing when the key is not there.
[[nodiscard]] absl::StatusOr<std::optional<FoundValue>> FindKey(const NodeReader& reader, const Version& version,
                                                                absl::string_view key);

// The values of several keys, in the order of `keys`, in one descent: level by level, every node on the way is read
// once, those of one level side by side. Nothing where a key is not there. All nodes of a level are in memory at once.
[[nodiscard]] absl::StatusOr<std::vector<std::optional<FoundValue>>> FindKeys(const NodeReader& reader,
                                                                              const Version& version,
                                                                              std::span<const std::string> keys);

// A leaf in key order: its entries' stored keys, each of which `prefix` completes. Returns false to end the walk.
using LeafVisitor = std::function<absl::StatusOr<bool>(const std::string& prefix, const BtreeNode& leaf)>;

// Visits the leaves that can hold keys of `range`, in key order.
[[nodiscard]] absl::Status VisitLeaves(const NodeReader& reader, const Version& version, const store::KeyRange& range,
                                       const LeafVisitor& visit);

// What an interior entry says of its child: where it is, its height, and the smallest key as stored in it.
struct ExpectedNode {
  DataReference location;
  int height = 0;
  std::string first_key;
};

// Reads a node. DATA_LOSS when its height is another, or it holds a key smaller than its parent says.
[[nodiscard]] absl::StatusOr<std::shared_ptr<const BtreeNode>> ReadExpectedNode(const NodeReader& reader,
                                                                                const ExpectedNode& expected);

}  // namespace cleave::ocdbt
