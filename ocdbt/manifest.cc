#include "ocdbt/manifest.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "ocdbt/byte_coding.h"
#include "ocdbt/envelope.h"

namespace cleave::ocdbt {
namespace {

// The number of generations that 2^bits stands for; beyond 63 bits, all of them.
uint64_t PowerOfTwo(int bits) { return bits > 63 ? UINT64_MAX : uint64_t{1} << bits; }

int MaxHeight(int arity_log2) { return 63 / arity_log2 - 1; }

absl::Status CheckVersions(const std::vector<Version>& versions, int arity_log2) {
  if (versions.empty()) {
    return absl::DataLossError("There are no versions");
  }
  if (versions.front().generation.value <= EndOfBlockBefore(versions.back().generation, arity_log2, 0)) {
    return absl::DataLossError(absl::StrCat("Generations ", versions.front().generation.value, " to ",
                                            versions.back().generation.value, " are not of one block of ",
                                            PowerOfTwo(arity_log2)));
  }
  return absl::OkStatus();
}

absl::Status CheckChildren(const VersionTreeNode& node) {
  const uint64_t stride = PowerOfTwo(node.arity_log2 * node.height);
  if (node.children.empty()) {
    return absl::DataLossError("There are no children");
  }
  const uint64_t before = EndOfBlockBefore(node.children.back().last_generation, node.arity_log2, node.height);
  for (const VersionNodeReference& child : node.children) {
    const uint64_t last = child.last_generation.value;
    if (last % stride != 0 || last <= before || child.num_generations > stride || child.num_generations == 0) {
      return absl::DataLossError(absl::StrCat("Child that ends at generation ", last, " with ", child.num_generations,
                                              " generations does not fit a node of height ", node.height));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckManifestNodes(const Manifest& manifest) {
  const std::vector<GenerationRange> ranges =
      CoveredByHeight(manifest.newest().generation, manifest.config.version_tree_arity_log2);
  int height_before = MaxHeight(manifest.config.version_tree_arity_log2) + 1;
  for (const VersionNodeReference& node : manifest.version_tree_nodes) {
    if (node.height < 1 || node.height >= height_before || static_cast<size_t>(node.height) > ranges.size() ||
        !ranges[node.height - 1].Contains(node.last_generation)) {
      return absl::DataLossError(absl::StrCat("Version tree node of height ", node.height, " that ends at generation ",
                                              node.last_generation.value, " does not fit newest generation ",
                                              manifest.newest().generation.value));
    }
    height_before = node.height;
  }
  return absl::OkStatus();
}

absl::Status DecodeManifestBody(absl::string_view body, Manifest& manifest) {
  ByteReader reader(body);
  manifest.config = DecodeConfig(reader);
  if (reader.ok() && manifest.config.manifest_kind != ManifestKind::kSingle) {
    reader.Fail("Expected single-file manifest kind but received: numbered");
  }
  const std::vector<DataFileId> files = DecodeDataFileTable(reader, "");
  manifest.versions = DecodeVersions(reader, files);
  manifest.version_tree_nodes = DecodeVersionNodes(reader, files, -1);
  reader.ExpectEnd();
  CLEAVE_RETURN_IF_ERROR(reader.status());
  CLEAVE_RETURN_IF_ERROR(CheckVersions(manifest.versions, manifest.config.version_tree_arity_log2));
  return CheckManifestNodes(manifest);
}

absl::Status DecodeNodeBody(absl::string_view body, absl::string_view base_path, VersionTreeNode& node) {
  ByteReader reader(body);
  node.arity_log2 = reader.U8();
  node.height = reader.U8();
  CLEAVE_RETURN_IF_ERROR(reader.status());
  if (node.arity_log2 < 1 || node.arity_log2 > 16 || node.height > MaxHeight(node.arity_log2)) {
    return absl::DataLossError(absl::StrCat("Invalid arity ", node.arity_log2, " or height ", node.height));
  }
  const std::vector<DataFileId> files = DecodeDataFileTable(reader, base_path);
  if (node.height == 0) {
    node.versions = DecodeVersions(reader, files);
  } else {
    node.children = DecodeVersionNodes(reader, files, node.height - 1);
  }
  reader.ExpectEnd();
  CLEAVE_RETURN_IF_ERROR(reader.status());
  return node.height == 0 ? CheckVersions(node.versions, node.arity_log2) : CheckChildren(node);
}

}  // namespace

std::string EncodeManifest(const Manifest& manifest) {
  std::string body;
  EncodeConfig(manifest.config, body);
  DataFileTable files;
  AddFiles(manifest.versions, files);
  AddFiles(manifest.version_tree_nodes, files);
  files.Encode(body);
  EncodeVersions(manifest.versions, files, body);
  EncodeVersionNodes(manifest.version_tree_nodes, true, files, body);
  return EncodeEnvelope(ObjectKind::kManifest, body, manifest.config.compression);
}

absl::StatusOr<Manifest> DecodeManifest(absl::string_view object) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string body, DecodeEnvelope(ObjectKind::kManifest, object));
  Manifest manifest;
  if (absl::Status status = DecodeManifestBody(body, manifest); !status.ok()) {
    return Annotate(status, "Error decoding manifest");
  }
  return manifest;
}

std::string EncodeConfigManifest(const Config& config) {
  std::string body;
  EncodeConfig(config, body);
  return EncodeEnvelope(ObjectKind::kManifest, body, config.compression);
}

absl::StatusOr<Config> DecodeManifestConfig(absl::string_view object) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string body, DecodeEnvelope(ObjectKind::kManifest, object));
  ByteReader reader(body);
  const Config config = DecodeConfig(reader);
  if (config.manifest_kind == ManifestKind::kNumbered) {
    reader.ExpectEnd();
  }
  return reader.ok() ? absl::StatusOr<Config>(config) : Annotate(reader.status(), "Error decoding manifest");
}

std::string EncodeVersionTreeNode(const VersionTreeNode& node, const Compression& compression) {
  std::string body;
  PutU8(body, static_cast<uint8_t>(node.arity_log2));
  PutU8(body, static_cast<uint8_t>(node.height));
  DataFileTable files;
  AddFiles(node.versions, files);
  AddFiles(node.children, files);
  files.Encode(body);
  if (node.height == 0) {
    EncodeVersions(node.versions, files, body);
  } else {
    EncodeVersionNodes(node.children, false, files, body);
  }
  return EncodeEnvelope(ObjectKind::kVersionTreeNode, body, compression);
}

absl::StatusOr<VersionTreeNode> DecodeVersionTreeNode(absl::string_view object, absl::string_view base_path) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string body, DecodeEnvelope(ObjectKind::kVersionTreeNode, object));
  VersionTreeNode node;
  if (absl::Status status = DecodeNodeBody(body, base_path, node); !status.ok()) {
    return Annotate(status, "Error decoding version tree node");
  }
  return node;
}

std::vector<GenerationRange> CoveredByHeight(GenerationNumber newest, int arity_log2) {
  std::vector<GenerationRange> ranges;
  uint64_t last = EndOfBlockBefore(newest, arity_log2, 0);
  for (int height = 1; last > 0 && height <= MaxHeight(arity_log2); ++height) {
    const uint64_t before = EndOfBlockBefore({last}, arity_log2, height);
    ranges.push_back({before + 1, last});
    last = before;
  }
  return ranges;
}

uint64_t EndOfBlockBefore(GenerationNumber generation, int arity_log2, int height) {
  const int bits = arity_log2 * (height + 1);
  return bits > 63 ? 0 : ((generation.value - 1) >> bits) << bits;
}

absl::Status CheckAgainstReference(const VersionTreeNode& node, const VersionNodeReference& reference, int arity_log2) {
  uint64_t count = node.versions.size();
  for (const VersionNodeReference& child : node.children) {
    count += child.num_generations;
  }
  const GenerationNumber last =
      node.height == 0 ? node.versions.back().generation : node.children.back().last_generation;
  if (node.arity_log2 != arity_log2 || node.height != reference.height || last != reference.last_generation ||
      count != reference.num_generations) {
    return absl::DataLossError(absl::StrCat(
        "The version tree node (arity ", node.arity_log2, ", height ", node.height, ", ", count, " generations up to ",
        last.value, ") is not the one that is referred to (arity ", arity_log2, ", height ", reference.height, ", ",
        reference.num_generations, " generations up to ", reference.last_generation.value, ")"));
  }
  return absl::OkStatus();
}

}  // namespace cleave::ocdbt
