#include "ocdbt/version_tree.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cleave::ocdbt {
namespace {

absl::Status NotPresent(const VersionSpec& spec) {
  if (const auto* generation = std::get_if<GenerationNumber>(&spec)) {
    return absl::NotFoundError(absl::StrCat("Version where generation_number=", generation->value, " not present"));
  }
  return absl::NotFoundError(absl::StrCat("Version where commit_time<=", FormatVersionSpec(spec), " not present"));
}

// The version that `spec` means among `versions`; nullptr when it is not one of them.
const Version* Search(const std::vector<Version>& versions, const VersionSpec& spec) {
  const Version* found = nullptr;
  for (const Version& version : versions) {
    const auto* generation = std::get_if<GenerationNumber>(&spec);
    if (generation != nullptr ? version.generation == *generation
                              : version.commit_time <= std::get<CommittedBy>(spec).time) {
      found = &version;
    }
  }
  return found;
}

// The only child below which the version can be; nullptr when there is none.
const VersionNodeReference* Search(const std::vector<VersionNodeReference>& children, const VersionSpec& spec) {
  if (const auto* generation = std::get_if<GenerationNumber>(&spec)) {
    const auto child = std::find_if(children.begin(), children.end(), [&](const VersionNodeReference& candidate) {
      return candidate.last_generation >= *generation;
    });
    return child == children.end() ? nullptr : &*child;
  }
  const auto child = std::find_if(children.rbegin(), children.rend(), [&](const VersionNodeReference& candidate) {
    return candidate.first_commit_time <= std::get<CommittedBy>(spec).time;
  });
  return child == children.rend() ? nullptr : &*child;
}

absl::Status Collect(const std::vector<Version>& versions, GenerationNumber first, GenerationNumber last,
                     std::vector<Version>& out) {
  std::copy_if(versions.begin(), versions.end(), std::back_inserter(out),
               [&](const Version& version) { return version.generation >= first && version.generation <= last; });
  return absl::OkStatus();
}

absl::Status Collect(const std::vector<VersionNodeReference>& children, int arity_log2, const NodeReader& reader,
                     GenerationNumber first, GenerationNumber last, std::vector<Version>& out) {
  for (const VersionNodeReference& child : children) {
    if (child.last_generation < first) {
      continue;
    }
    if (!out.empty() && out.back().generation >= last) {
      break;
    }
    CLEAVE_ASSIGN_OR_RETURN(const auto node, ReadVersionNode(child, arity_log2, reader));
    CLEAVE_RETURN_IF_ERROR(node->height == 0 ? Collect(node->versions, first, last, out)
                                             : Collect(node->children, arity_log2, reader, first, last, out));
  }
  return absl::OkStatus();
}

std::optional<VersionNodeReference> NodeOfHeight(const Manifest& manifest, int height) {
  for (const VersionNodeReference& node : manifest.version_tree_nodes) {
    if (node.height == height) {
      return node;
    }
  }
  return std::nullopt;
}

// Step 3: the new manifest's nodes, oldest first.
absl::StatusOr<std::vector<VersionNodeReference>> CarryUpward(const Manifest& old, GenerationNumber newest,
                                                              const VersionNodeReference& carried,
                                                              const NodeReader& reader, DataFileWriter& writer) {
  const int arity_log2 = old.config.version_tree_arity_log2;
  std::vector<VersionNodeReference> nodes;
  std::optional<VersionNodeReference> below = carried;
  int height = 0;
  for (const GenerationRange& range : CoveredByHeight(newest, arity_log2)) {
    ++height;
    const std::optional<VersionNodeReference> same = NodeOfHeight(old, height);
    const bool stays = same && range.Contains(same->last_generation);
    const bool rises = below && range.Contains(below->last_generation);
    if (rises) {
      VersionTreeNode node{arity_log2, height, {}, {}};
      if (stays) {
        CLEAVE_ASSIGN_OR_RETURN(const auto present, ReadVersionNode(*same, arity_log2, reader));
        node.children = present->children;
      }
      node.children.push_back(*below);
      CLEAVE_ASSIGN_OR_RETURN(VersionNodeReference written, WriteVersionNode(node, old.config, writer));
      nodes.push_back(std::move(written));
    } else if (stays) {
      nodes.push_back(*same);
    }
    below = same;
  }
  std::reverse(nodes.begin(), nodes.end());
  return nodes;
}

// Finds the version without asking whether others, since removed, stood between it and the next.
absl::StatusOr<Version> FindListed(const Manifest& manifest, const NodeReader& reader, const VersionSpec& spec) {
  if (const Version* version = Search(manifest.versions, spec); version != nullptr) {
    return *version;
  }
  // Found in the manifest means newest first for a time, so what is not there is older, or nowhere.
  std::shared_ptr<const VersionTreeNode> node;
  const VersionNodeReference* child = Search(manifest.version_tree_nodes, spec);
  while (child != nullptr) {
    CLEAVE_ASSIGN_OR_RETURN(node, ReadVersionNode(*child, manifest.config.version_tree_arity_log2, reader));
    if (node->height == 0) {
      const Version* version = Search(node->versions, spec);
      return version != nullptr ? absl::StatusOr<Version>(*version) : NotPresent(spec);
    }
    child = Search(node->children, spec);
  }
  return NotPresent(spec);
}

}  // namespace

absl::StatusOr<Version> FindVersion(const Manifest& manifest, const NodeReader& reader, const VersionSpec& spec) {
  CLEAVE_ASSIGN_OR_RETURN(Version found, FindListed(manifest, reader, spec));
  if (std::holds_alternative<CommittedBy>(spec) && found.generation != manifest.newest().generation) {
    const GenerationNumber next{found.generation.value + 1};
    const absl::Status listed = FindListed(manifest, reader, next).status();
    if (absl::IsNotFound(listed)) {
      return absl::NotFoundError(absl::StrCat("Version where commit_time<=", FormatVersionSpec(spec),
                                              " not present: generation ", next.value, " and perhaps others between ",
                                              found.generation.value, " and that time were removed"));
    }
    CLEAVE_RETURN_IF_ERROR(listed);
  }
  return found;
}

absl::StatusOr<std::vector<Version>> FindVersions(const Manifest& manifest, const NodeReader& reader,
                                                  GenerationNumber first, GenerationNumber last) {
  std::vector<Version> versions;
  CLEAVE_RETURN_IF_ERROR(
      Collect(manifest.version_tree_nodes, manifest.config.version_tree_arity_log2, reader, first, last, versions));
  CLEAVE_RETURN_IF_ERROR(Collect(manifest.versions, first, last, versions));
  return versions;
}

absl::StatusOr<Manifest> AppendVersion(const Manifest& manifest, const Version& version, const NodeReader& reader,
                                       DataFileWriter& writer) {
  Manifest next = manifest;
  const int arity_log2 = manifest.config.version_tree_arity_log2;
  if (manifest.newest().generation.value > EndOfBlockBefore(version.generation, arity_log2, 0)) {
    next.versions.push_back(version);
    return next;
  }
  CLEAVE_ASSIGN_OR_RETURN(const VersionNodeReference carried,
                          WriteVersionNode({arity_log2, 0, manifest.versions, {}}, manifest.config, writer));
  next.versions = {version};
  CLEAVE_ASSIGN_OR_RETURN(next.version_tree_nodes, CarryUpward(manifest, version.generation, carried, reader, writer));
  return next;
}

absl::StatusOr<std::shared_ptr<const VersionTreeNode>> ReadVersionNode(const VersionNodeReference& reference,
                                                                       int arity_log2, const NodeReader& reader) {
  CLEAVE_ASSIGN_OR_RETURN(auto node, reader.ReadVersionTreeNode(reference.location));
  if (absl::Status status = CheckAgainstReference(*node, reference, arity_log2); !status.ok()) {
    return Annotate(status, reader.Describe(reference.location));
  }
  return node;
}

absl::StatusOr<VersionNodeReference> WriteVersionNode(const VersionTreeNode& node, const Config& config,
                                                      DataFileWriter& writer) {
  const std::string object = EncodeVersionTreeNode(node, config.compression);
  VersionNodeReference reference;
  CLEAVE_ASSIGN_OR_RETURN(reference.location, writer.Append(DataKind::kVersionTreeNode, object));
  reference.height = node.height;
  if (node.height == 0) {
    reference.last_generation = node.versions.back().generation;
    reference.num_generations = node.versions.size();
    reference.first_commit_time = node.versions.front().commit_time;
    return reference;
  }
  reference.last_generation = node.children.back().last_generation;
  reference.first_commit_time = node.children.front().first_commit_time;
  for (const VersionNodeReference& child : node.children) {
    reference.num_generations += child.num_generations;
  }
  return reference;
}

}  // namespace cleave::ocdbt
