// Versions of a database: what one is, how a list of them is stored, and which one a caller means.
//
// Leaf version array ("inline versions" of the manifest; body of a version-tree node of height 0), column by column:
//   num_versions = n                                        varint
//   generation_number                                       varint[n]  strictly increasing
//   root_height                                             u8[n]
//   data_file_id, data_file_offset, data_file_length        varint[n] each; an empty version has no root: both missing
//   num_keys, num_tree_bytes, num_indirect_value_bytes      varint[n] each
//   commit_time                                             u64le[n]   nanoseconds since 1970
// Interior version array (the manifest's "version_tree_nodes"; body of a version-tree node of height 1 and more):
//   num_children = m                                        varint
//   generation_number                                       varint[m]  the last one in the subtree
//   data_file_id, data_file_offset, data_file_length        varint[m] each
//   num_generations                                         varint[m]
//   commit_time                                             u64le[m]   of the first version in the subtree
//   entry_height                                            u8[m]      only in the manifest
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"

#include "ocdbt/btree_node.h"
#include "ocdbt/data_file.h"

namespace cleave::ocdbt {

// Numbers the versions of one database: 1, 2, 3 and so on.
struct GenerationNumber {
  uint64_t value = 0;
  friend auto operator<=>(const GenerationNumber&, const GenerationNumber&) = default;
};

inline constexpr GenerationNumber kMaxGenerationNumber{UINT64_MAX - 1};

// One committed state of the database.
struct Version {
  GenerationNumber generation;
  int root_height = 0;
  NodeReference root{DataReference::Missing(), {}};  // its location is missing when there are no keys
  absl::Time commit_time;                            // whole nanoseconds; later than that of the version before

  [[nodiscard]] bool empty() const { return root.location.missing(); }
  friend bool operator==(const Version&, const Version&) = default;
};

// A subtree of older versions.
struct VersionNodeReference {
  GenerationNumber last_generation;
  uint64_t num_generations = 0;
  DataReference location;
  absl::Time first_commit_time;
  int height = 0;
  friend bool operator==(const VersionNodeReference&, const VersionNodeReference&) = default;
};

// The newest version that was committed at `time` or before. With a time in the future this follows new commits.
struct CommittedBy {
  absl::Time time;
  friend bool operator==(const CommittedBy&, const CommittedBy&) = default;
};
// Which version a reader wants.
using VersionSpec = std::variant<GenerationNumber, CommittedBy>;

// As it stands in a TensorStore URL: "v7" or "2025-01-01T01:23:45.678Z".
[[nodiscard]] std::string FormatVersionSpec(const VersionSpec& spec);
// The reverse. INVALID_ARGUMENT 'Invalid OCDBT version: "..."' for anything else.
[[nodiscard]] absl::StatusOr<VersionSpec> ParseVersionSpec(absl::string_view text);

// The array without its data file table; `files` already holds its files.
void EncodeVersions(const std::vector<Version>& versions, const DataFileTable& files, std::string& out);
void AddFiles(const std::vector<Version>& versions, DataFileTable& files);
void EncodeVersionNodes(const std::vector<VersionNodeReference>& nodes, bool with_heights, const DataFileTable& files,
                        std::string& out);
void AddFiles(const std::vector<VersionNodeReference>& nodes, DataFileTable& files);

// The reader fails where an array breaks a rule that concerns it alone.
[[nodiscard]] std::vector<Version> DecodeVersions(ByteReader& reader, const std::vector<DataFileId>& files);
// `child_height` is the height of the children, or -1 to read each one's own.
[[nodiscard]] std::vector<VersionNodeReference> DecodeVersionNodes(ByteReader& reader,
                                                                   const std::vector<DataFileId>& files,
                                                                   int child_height);

}  // namespace cleave::ocdbt
