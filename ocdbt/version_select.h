// Parts of a version tree: what it was at an earlier version, and what is left of it when old versions go.
//
// The format allows gaps, with one rule (manifest.h): every node that has a parent, or will have one, ends at the end
// of its block. So a kept version keeps with it the last version of every block around it that is complete; those are
// named anchors here. A run of the newest versions needs none.
#pragma once

#include <set>

#include "absl/status/statusor.h"

#include "ocdbt/data_file_writer.h"
#include "ocdbt/manifest.h"
#include "ocdbt/node_reader.h"

namespace cleave::ocdbt {

// The manifest as it was when `last` was the newest version; subtrees are shared, and the few nodes that have grown
// since are written anew. NOT_FOUND when the manifest has no such version.
[[nodiscard]] absl::StatusOr<Manifest> ManifestUpTo(const Manifest& manifest, GenerationNumber last,
                                                    const NodeReader& reader, DataFileWriter& writer);

// Which versions shall stay.
struct KeptGenerations {
  GenerationNumber from;               // this one and all later ones
  std::set<GenerationNumber> singles;  // and these
  [[nodiscard]] bool Keeps(GenerationNumber generation) const;
  // Of the generations `range`: whether any, or all of them, stay.
  [[nodiscard]] bool KeepsAny(const GenerationRange& range) const;
  [[nodiscard]] bool KeepsAll(const GenerationRange& range) const;
};

// The manifest without the versions that `kept` does not name and that are no anchors. The newest one always stays.
// Nodes in which something is missing are written anew, the others shared.
[[nodiscard]] absl::StatusOr<Manifest> KeepVersions(const Manifest& manifest, const KeptGenerations& kept,
                                                    const NodeReader& reader, DataFileWriter& writer);

}  // namespace cleave::ocdbt
