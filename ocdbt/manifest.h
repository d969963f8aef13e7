// The manifest and the nodes of the version tree: bytes, and the rules that their numbers obey.
//
// Manifest:                                          Version-tree node:
//   config              (config.h)                     version_tree_arity_log2  u8, as the manifest's
//   -- the rest only if the kind is single --          height                   u8
//   data_file_table     (data_file.h)                  data_file_table
//   leaf version array  (version.h)                    leaf version array (height 0) or interior version array
//   interior version array, with heights
//
// Rules, with G the newest generation and A the arity's logarithm. Generations fall into aligned blocks: [1, 2^A],
// [2^A+1, 2*2^A] and so on. The manifest's own versions are the block of G. A node of height h covers at most one block
// of 2^(A(h+1)) generations, and its children end at multiples of 2^(Ah). The manifest lists at most one node per
// height: CoveredByHeight says which generations.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "ocdbt/config.h"
#include "ocdbt/version.h"

namespace cleave::ocdbt {

struct Manifest {
  Config config;
  std::vector<Version> versions;                         // the newest, oldest first; at least one
  std::vector<VersionNodeReference> version_tree_nodes;  // everything before, oldest (highest) first

  [[nodiscard]] const Version& newest() const { return versions.back(); }
};

struct VersionTreeNode {
  int arity_log2 = 0;
  int height = 0;
  std::vector<Version> versions;               // height 0
  std::vector<VersionNodeReference> children;  // height 1 and more
};

// Both decoders give DATA_LOSS for damage, also when only a rule is broken.
[[nodiscard]] std::string EncodeManifest(const Manifest& manifest);
[[nodiscard]] absl::StatusOr<Manifest> DecodeManifest(absl::string_view object);

// The "manifest.ocdbt" of a numbered database holds the configuration alone.
[[nodiscard]] std::string EncodeConfigManifest(const Config& config);
// The configuration at the head of any manifest, of either kind.
[[nodiscard]] absl::StatusOr<Config> DecodeManifestConfig(absl::string_view object);

[[nodiscard]] std::string EncodeVersionTreeNode(const VersionTreeNode& node, const Compression& compression);
// `base_path` is the resolved base path of the file in which the object lies.
[[nodiscard]] absl::StatusOr<VersionTreeNode> DecodeVersionTreeNode(absl::string_view object,
                                                                    absl::string_view base_path);

// Generations [first, last]; empty when first > last.
struct GenerationRange {
  uint64_t first = 1;
  uint64_t last = 0;
  [[nodiscard]] bool empty() const { return first > last; }
  [[nodiscard]] bool Contains(GenerationNumber g) const { return g.value >= first && g.value <= last; }
};

// The generations that the manifest's version-tree node of height 1, 2, 3, ... may end at when `newest` is the newest
// generation, in this order. Stops at the height after which there is nothing left.
[[nodiscard]] std::vector<GenerationRange> CoveredByHeight(GenerationNumber newest, int arity_log2);

// The last generation of the aligned block of 2^(arity_log2 * (height + 1)) before the one that holds `generation`; 0
// when it is the first.
[[nodiscard]] uint64_t EndOfBlockBefore(GenerationNumber generation, int arity_log2, int height);

// Checks a node against what its parent says: height, last generation, number of generations. DATA_LOSS.
[[nodiscard]] absl::Status CheckAgainstReference(const VersionTreeNode& node, const VersionNodeReference& reference,
                                                 int arity_log2);

}  // namespace cleave::ocdbt
