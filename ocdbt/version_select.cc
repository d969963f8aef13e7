#include "ocdbt/version_select.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "ocdbt/version_tree.h"

namespace cleave::ocdbt {
namespace {

using Node = std::shared_ptr<const VersionTreeNode>;

// The generations that a node may hold: from the beginning of its block to its last one.
GenerationRange RangeOf(const VersionNodeReference& node, int arity_log2) {
  return {EndOfBlockBefore(node.last_generation, arity_log2, node.height) + 1, node.last_generation.value};
}

bool InBlock(const VersionNodeReference& node, GenerationNumber generation, int arity_log2) {
  return EndOfBlockBefore(node.last_generation, arity_log2, node.height) ==
         EndOfBlockBefore(generation, arity_log2, node.height);
}

// The last generation that a node at this place can come to hold.
uint64_t EndOfBlock(const VersionNodeReference& node, int arity_log2) {
  const int bits = arity_log2 * (node.height + 1);
  return bits > 63 ? UINT64_MAX
                   : EndOfBlockBefore(node.last_generation, arity_log2, node.height) + (uint64_t{1} << bits);
}

// The node of `height` whose block holds `generation`; nothing when the tree has none.
absl::StatusOr<std::optional<VersionNodeReference>> FindNode(const Manifest& manifest, const NodeReader& reader,
                                                             GenerationNumber generation, int height) {
  const int arity_log2 = manifest.config.version_tree_arity_log2;
  std::vector<VersionNodeReference> level = manifest.version_tree_nodes;
  while (true) {
    // Nodes of a manifest may lie in one large block, one after the other; the first that goes as far is the one.
    auto found = level.end();
    for (auto node = level.begin(); node != level.end(); ++node) {
      if (node->height >= height && InBlock(*node, generation, arity_log2)) {
        found = node;
        if (node->last_generation >= generation) {
          break;
        }
      }
    }
    if (found == level.end() || found->height == height) {
      return found == level.end() ? std::nullopt : std::optional(*found);
    }
    CLEAVE_ASSIGN_OR_RETURN(const Node node, ReadVersionNode(*found, arity_log2, reader));
    level = node->children;
  }
}

// The versions of the block of `last`, up to it.
absl::StatusOr<std::vector<Version>> BlockUpTo(const Manifest& manifest, GenerationNumber last,
                                               const NodeReader& reader) {
  const int arity_log2 = manifest.config.version_tree_arity_log2;
  std::vector<Version> versions = manifest.versions;
  if (last.value <= EndOfBlockBefore(manifest.newest().generation, arity_log2, 0)) {
    CLEAVE_ASSIGN_OR_RETURN(const auto found, FindNode(manifest, reader, last, 0));
    versions.clear();
    if (found) {
      CLEAVE_ASSIGN_OR_RETURN(const Node node, ReadVersionNode(*found, arity_log2, reader));
      versions = node->versions;
    }
  }
  std::erase_if(versions, [&](const Version& version) { return version.generation > last; });
  if (versions.empty() || versions.back().generation != last) {
    return absl::NotFoundError(absl::StrCat("Version where generation_number=", last.value, " not present"));
  }
  return versions;
}

// Leaves out versions below one manifest.
class Trimmer {
 public:
  Trimmer(const Manifest& manifest, const KeptGenerations& kept, const NodeReader& reader, DataFileWriter& writer)
      : manifest_(manifest), kept_(kept), reader_(reader), writer_(writer) {}

  [[nodiscard]] bool Stays(const VersionNodeReference& node) const { return kept_.KeepsAny(RangeOf(node, arity())); }

  // REQUIRES: the node stays.
  absl::StatusOr<VersionNodeReference> Trim(const VersionNodeReference& reference) {
    if (kept_.KeepsAll(RangeOf(reference, arity()))) {
      return reference;
    }
    CLEAVE_ASSIGN_OR_RETURN(const Node node, ReadVersionNode(reference, arity(), reader_));
    VersionTreeNode trimmed{node->arity_log2, node->height, {}, {}};
    for (const Version& version : node->versions) {
      if (kept_.Keeps(version.generation) || version.generation == reference.last_generation) {
        trimmed.versions.push_back(version);
      }
    }
    bool changed = trimmed.versions.size() != node->versions.size();
    for (const VersionNodeReference& child : node->children) {
      if (Stays(child) || child.last_generation == reference.last_generation) {
        CLEAVE_ASSIGN_OR_RETURN(VersionNodeReference left, Trim(child));
        changed |= left != child;
        trimmed.children.push_back(std::move(left));
      }
    }
    changed |= trimmed.children.size() != node->children.size();
    return changed ? WriteVersionNode(trimmed, manifest_.config, writer_)
                   : absl::StatusOr<VersionNodeReference>(reference);
  }

 private:
  [[nodiscard]] int arity() const { return manifest_.config.version_tree_arity_log2; }

  const Manifest& manifest_;
  const KeptGenerations& kept_;
  const NodeReader& reader_;
  DataFileWriter& writer_;
};

}  // namespace

bool KeptGenerations::Keeps(GenerationNumber generation) const {
  return generation >= from || singles.contains(generation);
}

bool KeptGenerations::KeepsAny(const GenerationRange& range) const {
  const auto single = singles.lower_bound({range.first});
  return range.last >= from.value || (single != singles.end() && single->value <= range.last);
}

bool KeptGenerations::KeepsAll(const GenerationRange& range) const { return range.first >= from.value; }

absl::StatusOr<Manifest> ManifestUpTo(const Manifest& manifest, GenerationNumber last, const NodeReader& reader,
                                      DataFileWriter& writer) {
  if (last == manifest.newest().generation) {
    return manifest;
  }
  Manifest earlier{manifest.config, {}, {}};
  CLEAVE_ASSIGN_OR_RETURN(earlier.versions, BlockUpTo(manifest, last, reader));
  int height = 0;
  for (const GenerationRange& range : CoveredByHeight(last, manifest.config.version_tree_arity_log2)) {
    ++height;
    CLEAVE_ASSIGN_OR_RETURN(std::optional<VersionNodeReference> found,
                            FindNode(manifest, reader, {range.last}, height));
    if (found && found->last_generation.value > range.last) {
      CLEAVE_ASSIGN_OR_RETURN(const Node node,
                              ReadVersionNode(*found, manifest.config.version_tree_arity_log2, reader));
      VersionTreeNode shorter = *node;
      std::erase_if(shorter.children, [&](const auto& child) { return child.last_generation.value > range.last; });
      found.reset();
      if (!shorter.children.empty()) {
        CLEAVE_ASSIGN_OR_RETURN(found, WriteVersionNode(shorter, manifest.config, writer));
      }
    }
    if (found) {
      earlier.version_tree_nodes.push_back(*std::move(found));
    }
  }
  std::reverse(earlier.version_tree_nodes.begin(), earlier.version_tree_nodes.end());
  return earlier;
}

absl::StatusOr<Manifest> KeepVersions(const Manifest& manifest, const KeptGenerations& kept, const NodeReader& reader,
                                      DataFileWriter& writer) {
  Manifest left{manifest.config, {}, {}};
  for (const Version& version : manifest.versions) {
    if (kept.Keeps(version.generation) || version.generation == manifest.newest().generation) {
      left.versions.push_back(version);
    }
  }
  Trimmer trimmer(manifest, kept, reader, writer);
  std::set<uint64_t> ends;  // of blocks of nodes that stay, whose last part a later node will be
  for (const VersionNodeReference& node : manifest.version_tree_nodes) {
    if (trimmer.Stays(node) || ends.contains(node.last_generation.value)) {
      ends.insert(EndOfBlock(node, manifest.config.version_tree_arity_log2));
      CLEAVE_ASSIGN_OR_RETURN(VersionNodeReference trimmed, trimmer.Trim(node));
      left.version_tree_nodes.push_back(std::move(trimmed));
    }
  }
  return left;
}

}  // namespace cleave::ocdbt
