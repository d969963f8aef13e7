// One node of the B+tree: its bytes, and the same in memory.
//
//   height           u8, 0 for a leaf
//   data_file_table  (data_file.h)
//   num_entries = n  varint32, 1 to 1048576
//   key_prefix_length             varint16[n-1]  for entries 1 to n-1: bytes shared with the key before
//   key_suffix_length             varint16[n]
//   subtree_common_prefix_length  varint16[n]    interior nodes only
//   key_suffix                    bytes, one after the other
//   leaf:                                        interior:
//     value_length      varint[n]                  data_file_id, data_file_offset, data_file_length  varint[n] each
//     value_kind        u8[n]: 0 inline,           num_keys, num_tree_bytes,
//                       1 indirect                 num_indirect_value_bytes                          varint[n] each
//     data_file_id      varint, indirect only
//     data_file_offset  varint, indirect only
//     inline values     bytes, one after the other
//
// Bytes that all keys below a child share with the child's own entry are stored once, in the parent: the entry's
// subtree_common_prefix. A key in full is the prefix that leads to its node plus the key stored there.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "ocdbt/config.h"
#include "ocdbt/data_file.h"

namespace cleave::ocdbt {

inline constexpr size_t kMaxKeyBytes = 65535;
inline constexpr size_t kMaxNodeEntries = size_t{1} << 20;

// What a subtree holds. Sums saturate; a subtree that is referred to twice counts twice.
struct Statistics {
  uint64_t num_keys = 0;
  uint64_t num_tree_bytes = 0;            // encoded nodes
  uint64_t num_indirect_value_bytes = 0;  // values outside of the tree
  Statistics& operator+=(const Statistics& other);
  friend bool operator==(const Statistics&, const Statistics&) = default;
};

struct NodeReference {
  DataReference location;
  Statistics statistics;
  friend bool operator==(const NodeReference&, const NodeReference&) = default;
};

// A value: its bytes, or where they lie.
struct LeafValue {
  bool indirect = false;
  absl::string_view inline_bytes;  // of an inline value; owned by whoever made the entry
  DataReference reference;         // of an indirect value
  [[nodiscard]] uint64_t length() const { return indirect ? reference.length : inline_bytes.size(); }
  friend bool operator==(const LeafValue&, const LeafValue&) = default;
};

struct LeafEntry {
  absl::string_view key;
  LeafValue value;
};

struct InteriorEntry {
  absl::string_view key;            // the smallest key of the subtree
  size_t subtree_prefix_bytes = 0;  // how many first bytes of `key` all keys of the subtree share
  NodeReference child;
};

// A decoded node. Its views point into itself, so it stays where it was made. Immutable, thus safe to share.
class BtreeNode {
 public:
  // Decodes an object that lies in a file with the resolved base path `base_path`. DATA_LOSS on any damage.
  [[nodiscard]] static absl::StatusOr<std::shared_ptr<const BtreeNode>> Decode(absl::string_view object,
                                                                               absl::string_view base_path);
  BtreeNode(const BtreeNode&) = delete;
  BtreeNode& operator=(const BtreeNode&) = delete;

  [[nodiscard]] int height() const { return height_; }
  // Entries in key order, with keys as stored. One of the two is empty.
  [[nodiscard]] std::span<const LeafEntry> leaf_entries() const { return leaf_entries_; }
  [[nodiscard]] std::span<const InteriorEntry> interior_entries() const { return interior_entries_; }
  [[nodiscard]] absl::string_view first_key() const;
  // How much memory it takes, about.
  [[nodiscard]] size_t memory_bytes() const;

 private:
  BtreeNode() = default;
  [[nodiscard]] absl::Status DecodeBody(absl::string_view base_path);
  void DecodeKeys(ByteReader& reader, size_t count, std::vector<absl::string_view>& keys,
                  std::vector<uint16_t>& subtree_prefixes);
  void DecodeLeaf(ByteReader& reader, const std::vector<DataFileId>& files, std::span<const absl::string_view> keys);
  void DecodeInterior(ByteReader& reader, const std::vector<DataFileId>& files, std::span<const absl::string_view> keys,
                      std::span<const uint16_t> subtree_prefixes);

  int height_ = 0;
  std::string body_;
  std::string key_bytes_;
  std::vector<LeafEntry> leaf_entries_;
  std::vector<InteriorEntry> interior_entries_;
};

// A new node as bytes, and what its parent must know about it. `statistics.num_tree_bytes` counts the node itself.
struct EncodedNode {
  std::string object;
  Statistics statistics;
};

// Encodes entries with keys in full, of which every one begins with the same `excluded_bytes` bytes that the parent
// keeps (0 for a root). References are written with their resolved base paths. REQUIRES: 1 to kMaxNodeEntries entries.
[[nodiscard]] EncodedNode EncodeLeaf(std::span<const LeafEntry> entries, size_t excluded_bytes,
                                     const Compression& compression);
[[nodiscard]] EncodedNode EncodeInterior(int height, std::span<const InteriorEntry> entries, size_t excluded_bytes,
                                         const Compression& compression);

}  // namespace cleave::ocdbt
