#include "ocdbt/reachable.h"

#include "base/status.h"
#include "ocdbt/tree_reader.h"
#include "ocdbt/version_tree.h"

namespace cleave::ocdbt {

absl::Status ReachableFiles::AddManifest(const Manifest& manifest, Progress& progress) {
  for (const VersionNodeReference& node : manifest.version_tree_nodes) {
    CLEAVE_RETURN_IF_ERROR(AddVersionNode(node, manifest.config.version_tree_arity_log2, progress));
  }
  for (const Version& version : manifest.versions) {
    CLEAVE_RETURN_IF_ERROR(AddVersion(version));
    progress.Advance(1);
  }
  return absl::OkStatus();
}

absl::Status ReachableFiles::AddVersion(const Version& version) {
  return version.empty() ? absl::OkStatus() : AddNode(version.root, version.root_height, "");
}

absl::Status ReachableFiles::AddVersionNode(const VersionNodeReference& reference, int arity_log2, Progress& progress) {
  if (!Enter(reference.location)) {
    return absl::OkStatus();
  }
  CLEAVE_ASSIGN_OR_RETURN(const auto node, ReadVersionNode(reference, arity_log2, reader_));
  ++nodes_read_;
  for (const VersionNodeReference& child : node->children) {
    CLEAVE_RETURN_IF_ERROR(AddVersionNode(child, arity_log2, progress));
  }
  for (const Version& version : node->versions) {
    CLEAVE_RETURN_IF_ERROR(AddVersion(version));
    progress.Advance(1);
  }
  return absl::OkStatus();
}

absl::Status ReachableFiles::AddNode(const NodeReference& reference, int height, const std::string& first_key) {
  if (!Enter(reference.location) || (height == 0 && reference.statistics.num_indirect_value_bytes == 0)) {
    return absl::OkStatus();
  }
  CLEAVE_ASSIGN_OR_RETURN(const auto node, ReadExpectedNode(reader_, {reference.location, height, first_key}));
  ++nodes_read_;
  for (const LeafEntry& entry : node->leaf_entries()) {
    if (entry.value.indirect) {
      files_.insert(entry.value.reference.file.path());
    }
  }
  for (const InteriorEntry& entry : node->interior_entries()) {
    CLEAVE_RETURN_IF_ERROR(AddNode(entry.child, height - 1, std::string(entry.key.substr(entry.subtree_prefix_bytes))));
  }
  return absl::OkStatus();
}

bool ReachableFiles::Enter(const DataReference& location) {
  files_.insert(location.file.path());
  return nodes_.insert(Describe(location)).second;
}

}  // namespace cleave::ocdbt
