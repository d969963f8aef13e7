#include "ocdbt/tree_builder.h"

#include <limits>
#include <utility>

#include "base/status.h"

namespace cleave::ocdbt {
namespace {

// Without a limit of the configuration, a leaf that never ends would be all in memory.
constexpr uint64_t kFullBytesWithoutLimit = uint64_t{64} << 20;

std::vector<LeafEntry> ViewsOf(const std::vector<OwnedEntry>& entries) {
  std::vector<LeafEntry> views;
  views.reserve(entries.size());
  for (const OwnedEntry& entry : entries) {
    views.push_back({entry.key, entry.value()});
  }
  return views;
}

std::vector<InteriorEntry> ViewsOf(const std::vector<NewNode>& nodes) {
  std::vector<InteriorEntry> views;
  views.reserve(nodes.size());
  for (const NewNode& node : nodes) {
    views.push_back(node.entry());
  }
  return views;
}

}  // namespace

TreeBuilder::TreeBuilder(const Config& config, DataFileWriter& writer)
    : config_(config),
      writer_(writer),
      full_bytes_(config.max_decoded_node_bytes == 0 ? kFullBytesWithoutLimit
                                                     : uint64_t{config.max_decoded_node_bytes} * 3 / 4) {}

absl::Status TreeBuilder::Add(OwnedEntry entry) {
  const uint64_t bytes = EstimatedBytes(LeafEntry{entry.key, entry.value()});
  // The leaf is written when its next entry is known, so that the last one can still become the root.
  if (!leaf_.empty() && leaf_bytes_ + bytes > full_bytes_) {
    CLEAVE_RETURN_IF_ERROR(CloseLeaf());
  }
  leaf_bytes_ += bytes;
  leaf_.push_back(std::move(entry));
  return absl::OkStatus();
}

absl::Status TreeBuilder::CloseLeaf() {
  CLEAVE_ASSIGN_OR_RETURN(std::vector<NewNode> nodes, WriteLeaves(ViewsOf(leaf_), Level::kBelow, config_, writer_));
  leaf_.clear();
  leaf_bytes_ = 0;
  return AddToLevel(0, std::move(nodes));
}

absl::Status TreeBuilder::AddToLevel(size_t level, std::vector<NewNode> nodes) {
  if (levels_.size() <= level) {
    levels_.resize(level + 1);
  }
  for (NewNode& node : nodes) {
    const uint64_t bytes = EstimatedBytes(node.entry());
    if (levels_[level].children.size() >= 2 && levels_[level].bytes + bytes > full_bytes_) {
      CLEAVE_RETURN_IF_ERROR(CloseLevel(level));
    }
    levels_[level].bytes += bytes;
    levels_[level].children.push_back(std::move(node));
  }
  return absl::OkStatus();
}

absl::Status TreeBuilder::CloseLevel(size_t level) {
  CLEAVE_ASSIGN_OR_RETURN(
      std::vector<NewNode> nodes,
      WriteInterior(static_cast<int>(level) + 1, ViewsOf(levels_[level].children), Level::kBelow, config_, writer_));
  levels_[level].children.clear();
  levels_[level].bytes = 0;
  ++levels_[level].nodes_written;
  return AddToLevel(level + 1, std::move(nodes));
}

absl::StatusOr<NewRoot> TreeBuilder::Finish() {
  if (levels_.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(std::vector<NewNode> nodes, WriteLeaves(ViewsOf(leaf_), Level::kTop, config_, writer_));
    return BuildUpward(std::move(nodes), 0, config_, writer_);
  }
  CLEAVE_RETURN_IF_ERROR(CloseLeaf());
  for (size_t level = 0; level + 1 < levels_.size(); ++level) {
    CLEAVE_RETURN_IF_ERROR(CloseLevel(level));
  }
  const int height = static_cast<int>(levels_.size());
  CLEAVE_ASSIGN_OR_RETURN(std::vector<NewNode> nodes,
                          WriteInterior(height, ViewsOf(levels_.back().children), Level::kTop, config_, writer_));
  return BuildUpward(std::move(nodes), height, config_, writer_);
}

}  // namespace cleave::ocdbt
