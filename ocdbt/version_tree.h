// Finds, lists and appends versions: the manifest's own, and older ones in version-tree nodes.
//
// Appending generation G, with the rules of manifest.h:
//   1. If G is of the same block as the manifest's own versions, it joins them. Nothing else is written.
//   2. Otherwise that block is full. It is written as a node of height 0, whose reference is carried upward, and G is
//      alone in the manifest.
//   3. For each height h from 1, with the range of generations that a node of height h may now cover: the manifest's
//   old
//      node of that height stays if it ends within the range; the reference that comes from height h-1 (the old node of
//      that height, or the carried one) becomes a child of a node of height h if it ends within the range. Both: the
//      reference is appended to the old node. One: the old node is kept as it is, or a node with one child is made.
#pragma once

#include <vector>

#include "absl/status/statusor.h"

#include "ocdbt/data_file_writer.h"
#include "ocdbt/manifest.h"
#include "ocdbt/node_reader.h"

namespace cleave::ocdbt {

// NOT_FOUND when there is no such version; for a time also when a version was removed (garbage.h) that may have been
// the newest one then.
[[nodiscard]] absl::StatusOr<Version> FindVersion(const Manifest& manifest, const NodeReader& reader,
                                                  const VersionSpec& spec);

// Generations from `first` to `last`, both inclusive, in order; removed ones are left out.
[[nodiscard]] absl::StatusOr<std::vector<Version>> FindVersions(const Manifest& manifest, const NodeReader& reader,
                                                                GenerationNumber first, GenerationNumber last);

// The manifest with one more version, whose generation is the newest one plus 1. Nodes that a full block needs go to
// `writer`; they must be flushed before the manifest is stored.
[[nodiscard]] absl::StatusOr<Manifest> AppendVersion(const Manifest& manifest, const Version& version,
                                                     const NodeReader& reader, DataFileWriter& writer);

// Reads a node; DATA_LOSS when it is not what the reference says.
[[nodiscard]] absl::StatusOr<std::shared_ptr<const VersionTreeNode>> ReadVersionNode(
    const VersionNodeReference& reference, int arity_log2, const NodeReader& reader);
// Writes a node and returns the reference to it.
[[nodiscard]] absl::StatusOr<VersionNodeReference> WriteVersionNode(const VersionTreeNode& node, const Config& config,
                                                                    DataFileWriter& writer);

}  // namespace cleave::ocdbt
