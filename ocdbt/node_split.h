// How the entries of one level are distributed over nodes.
//
// Method (TensorStore splits the same way, so that both write the same trees):
//   1. The size of a group is the sum of its entries' sizes, less the bytes that all keys share, counted once.
//   2. The rest, from entry i on, needs as many nodes as its size over the limit, rounded up; the target is that size
//      evenly spread over them.
//   3. A node takes entries until it has reached the target and has its least number of entries. If the last one
//   brought
//      it over the limit, and it can spare it, that one starts the next node. Then 2 again.
// Limits are soft: an entry larger than a node has a node of its own.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "ocdbt/btree_node.h"
#include "ocdbt/data_file_writer.h"

namespace cleave::ocdbt {

// Estimated bytes of an entry with its key in full, decoded.
[[nodiscard]] uint64_t EstimatedBytes(const LeafEntry& entry);
[[nodiscard]] uint64_t EstimatedBytes(const InteriorEntry& entry);

struct SplitLimits {
  uint32_t max_node_bytes = 0;  // 0: none
  size_t min_entries = 1;       // 1 for leaves, 2 for interior nodes
};

// The end of each group, in order; the last one is entry_bytes.size(). `shared_key_bytes` is the length of the prefix
// that neighbouring keys all share.
[[nodiscard]] std::vector<size_t> SplitEntries(std::span<const uint64_t> entry_bytes, uint64_t shared_key_bytes,
                                               const SplitLimits& limits);

// An entry of the level above, which owns its key.
struct NewNode {
  std::string first_key;
  size_t subtree_prefix_bytes = 0;
  NodeReference reference;
  [[nodiscard]] InteriorEntry entry() const { return {first_key, subtree_prefix_bytes, reference}; }
};

// Whether the level may be the tree's top: then a single node is the root, which keeps the whole keys.
enum class Level { kTop, kBelow };

// Distributes the entries of one level, which have keys in full and are in order, over nodes, and writes these.
// No entries, no nodes.
[[nodiscard]] absl::StatusOr<std::vector<NewNode>> WriteLeaves(std::span<const LeafEntry> entries, Level level,
                                                               const Config& config, DataFileWriter& writer);
[[nodiscard]] absl::StatusOr<std::vector<NewNode>> WriteInterior(int height, std::span<const InteriorEntry> entries,
                                                                 Level level, const Config& config,
                                                                 DataFileWriter& writer);

}  // namespace cleave::ocdbt
