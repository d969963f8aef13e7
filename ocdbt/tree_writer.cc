#include "ocdbt/tree_writer.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "ocdbt/bulk_runs.h"
#include "ocdbt/tree_reader.h"

namespace cleave::ocdbt {
namespace {

// The contents of a node that is not written yet, because it is to be merged with a neighbour. Keys are in full.
struct Contents {
  std::vector<OwnedEntry> entries;  // of a leaf
  std::vector<NewNode> children;    // of an interior node
  int height = 0;

  [[nodiscard]] bool empty() const { return entries.empty() && children.empty(); }
  void Append(Contents&& other) {
    std::move(other.entries.begin(), other.entries.end(), std::back_inserter(entries));
    std::move(other.children.begin(), other.children.end(), std::back_inserter(children));
  }
};

// What has become of one node of the old tree.
struct Outcome {
  bool changed = false;
  std::vector<NewNode> nodes;  // in its place, if it has changed
  Contents small;              // or this, if it has become too small to stand alone
  int height = 0;              // of `nodes`
};

constexpr size_t kNew = SIZE_MAX;

// A child of a node that is being changed.
struct Child {
  NewNode node;
  Contents small;           // not empty: instead of `node`
  size_t old_index = kNew;  // the child is as it was: this entry of the old node
};

// A place in the old tree.
struct Place {
  ExpectedNode node;
  std::string prefix;     // completes its keys
  store::KeyRange range;  // the keys that are routed to it
  Level level = Level::kBelow;
};

class Applier {
 public:
  Applier(const StagedChanges& changes, const Config& config, const NodeReader& reader, DataFileWriter& writer)
      : changes_(changes), config_(config), reader_(reader), writer_(writer) {}

  absl::StatusOr<Outcome> Apply(const Place& place) {
    CLEAVE_ASSIGN_OR_RETURN(const auto node, ReadExpectedNode(reader_, place.node));
    return node->height() == 0 ? ApplyToLeaf(place, node->leaf_entries())
                               : ApplyToInterior(place, node->interior_entries());
  }

  absl::StatusOr<Outcome> ApplyToLeaf(const Place& place, std::span<const LeafEntry> old) {
    Outcome outcome;
    std::deque<std::string> keys;  // does not move what it holds
    std::vector<LeafEntry> merged;
    merged.reserve(old.size());
    auto change = changes_.LowerBound(place.range.begin);
    const auto at_change = [&] { return change != changes_.changes().end() && place.range.Contains(change->first); };
    const auto take_change = [&](const LeafValue* before) {
      const StagedChanges::Change& value = change->second;
      outcome.changed |= value ? before == nullptr || *before != *value : before != nullptr;
      if (value) {
        merged.push_back({change->first, *value});
      }
      ++change;
    };
    for (const LeafEntry& entry : old) {
      const absl::string_view key =
          place.prefix.empty() ? entry.key : keys.emplace_back(absl::StrCat(place.prefix, entry.key));
      while (at_change() && change->first < key) {
        take_change(nullptr);
      }
      if (at_change() && change->first == key) {
        take_change(&entry.value);
      } else if (changes_.InDeletedRange(key)) {
        outcome.changed = true;
      } else {
        merged.push_back({key, entry.value});
      }
    }
    while (at_change()) {
      take_change(nullptr);
    }
    if (!outcome.changed) {
      return outcome;
    }
    if (merged.size() < old.size() && place.level != Level::kTop && IsSmall(merged)) {
      outcome.small = OwnedCopy(merged);  // of height 0
      return outcome;
    }
    CLEAVE_ASSIGN_OR_RETURN(outcome.nodes, WriteLeaves(merged, place.level, config_, writer_));
    return outcome;
  }

 private:
  absl::StatusOr<Outcome> ApplyToInterior(const Place& place, std::span<const InteriorEntry> old) {
    Outcome outcome;
    outcome.height = place.node.height;
    std::vector<Child> children;  // all of them, old and new, with keys in full
    for (size_t i = 0; i < old.size(); ++i) {
      const InteriorEntry& entry = old[i];
      const Place child = ChildPlace(place, old, i);
      if (changes_.DeletesAll(child.range)) {
        outcome.changed = true;
        continue;
      }
      Outcome below;
      if (changes_.Touches(child.range)) {
        CLEAVE_ASSIGN_OR_RETURN(below, Apply(child));
      }
      if (!below.changed) {
        children.push_back(
            {{absl::StrCat(place.prefix, entry.key), place.prefix.size() + entry.subtree_prefix_bytes, entry.child},
             {},
             i});
        continue;
      }
      outcome.changed = true;
      for (NewNode& node : below.nodes) {
        children.push_back({std::move(node), {}, kNew});
      }
      if (!below.small.empty()) {
        children.push_back({{}, std::move(below.small), kNew});
      }
    }
    return outcome.changed ? WriteChanged(place, old, std::move(children)) : outcome;
  }

  // Steps 3 and 4 for an interior node with these children.
  absl::StatusOr<Outcome> WriteChanged(const Place& place, std::span<const InteriorEntry> old,
                                       std::vector<Child> children) {
    Outcome outcome{true, {}, {}, place.node.height};
    if (place.level == Level::kTop) {
      CLEAVE_ASSIGN_OR_RETURN(std::optional<Outcome> lower, TakeOffTop(place, old, children));
      if (lower) {
        return *std::move(lower);
      }
    }
    if (place.level != Level::kTop && children.size() == 1 && !children.front().small.empty()) {
      outcome.small = std::move(children.front().small);  // perhaps nothing above it is needed either
      return outcome;
    }
    CLEAVE_ASSIGN_OR_RETURN(std::vector<NewNode> nodes, MergeSmall(place, old, std::move(children)));
    std::vector<InteriorEntry> entries;
    entries.reserve(nodes.size());
    for (const NewNode& node : nodes) {
      entries.push_back(node.entry());
    }
    if (entries.size() < old.size() && place.level != Level::kTop && IsSmall(entries)) {
      outcome.small = {{}, std::move(nodes), place.node.height};
      return outcome;
    }
    CLEAVE_ASSIGN_OR_RETURN(outcome.nodes, WriteInterior(place.node.height, entries, place.level, config_, writer_));
    return outcome;
  }

  // When all that is left of a root is one child, or small ones that go together: what takes the root's place, one or
  // more levels lower.
  absl::StatusOr<std::optional<Outcome>> TakeOffTop(const Place& place, std::span<const InteriorEntry> old,
                                                    std::vector<Child>& children) {
    Outcome lower;
    lower.changed = true;
    Contents all;
    if (children.size() == 1 && children.front().old_index != kNew) {
      Place child = ChildPlace(place, old, children.front().old_index);
      CLEAVE_ASSIGN_OR_RETURN(auto node, ReadExpectedNode(reader_, child.node));
      while (node->height() > 0 && node->interior_entries().size() == 1) {
        child = ChildPlace(child, node->interior_entries(), 0);
        CLEAVE_ASSIGN_OR_RETURN(node, ReadExpectedNode(reader_, child.node));
      }
      all = ContentsOf(*node, child.prefix);
    } else if (children.size() == 1 && !children.front().small.empty()) {
      all = std::move(children.front().small);
    } else if (!children.empty() && std::ranges::all_of(children, [](const Child& c) { return !c.small.empty(); })) {
      all.height = place.node.height - 1;
      for (Child& child : children) {
        CLEAVE_RETURN_IF_ERROR(Lift(child.small, all.height));
        all.Append(std::move(child.small));
      }
    } else {
      return std::nullopt;
    }
    lower.height = all.height;
    CLEAVE_ASSIGN_OR_RETURN(lower.nodes, Write(all, Level::kTop));
    return lower;
  }

  // Small children that stand side by side become one; if that is still small, it takes in a neighbour that is as it
  // was.
  absl::StatusOr<std::vector<NewNode>> MergeSmall(const Place& place, std::span<const InteriorEntry> old,
                                                  std::vector<Child> children) {
    const int height = place.node.height - 1;
    std::vector<NewNode> nodes;
    for (size_t i = 0; i < children.size(); ++i) {
      if (children[i].small.empty()) {
        nodes.push_back(std::move(children[i].node));
        continue;
      }
      const size_t before = i > 0 ? children[i - 1].old_index : kNew;
      Contents all = std::move(children[i].small);
      CLEAVE_RETURN_IF_ERROR(Lift(all, height));
      for (; i + 1 < children.size() && !children[i + 1].small.empty(); ++i) {
        CLEAVE_RETURN_IF_ERROR(Lift(children[i + 1].small, height));
        all.Append(std::move(children[i + 1].small));
      }
      if (IsSmall(all) && i + 1 < children.size() && children[i + 1].old_index != kNew) {
        CLEAVE_ASSIGN_OR_RETURN(Contents after, ReadContents(ChildPlace(place, old, children[++i].old_index)));
        children[i].old_index = kNew;  // it is not as it was any more
        all.Append(std::move(after));
      } else if (IsSmall(all) && before != kNew) {
        CLEAVE_ASSIGN_OR_RETURN(Contents joined, ReadContents(ChildPlace(place, old, before)));
        joined.Append(std::move(all));
        all = std::move(joined);
        nodes.pop_back();
      }
      CLEAVE_ASSIGN_OR_RETURN(std::vector<NewNode> written, Write(all, Level::kBelow));
      std::move(written.begin(), written.end(), std::back_inserter(nodes));
    }
    return nodes;
  }

  // Puts levels above contents that had passed for a node of `height` or less.
  absl::Status Lift(Contents& contents, int height) {
    while (contents.height < height) {
      CLEAVE_ASSIGN_OR_RETURN(std::vector<NewNode> nodes, Write(contents, Level::kBelow));
      contents = {{}, std::move(nodes), contents.height + 1};
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<NewNode>> Write(const Contents& contents, Level level) {
    if (contents.height == 0) {
      return WriteLeaves(ViewsOf(contents.entries), level, config_, writer_);
    }
    return WriteInterior(contents.height, ViewsOf(contents.children), level, config_, writer_);
  }

  absl::StatusOr<Contents> ReadContents(const Place& place) {
    CLEAVE_ASSIGN_OR_RETURN(const auto node, ReadExpectedNode(reader_, place.node));
    return ContentsOf(*node, place.prefix);
  }

  static Contents ContentsOf(const BtreeNode& node, const std::string& prefix) {
    Contents contents;
    contents.height = node.height();
    for (const LeafEntry& entry : node.leaf_entries()) {
      contents.entries.push_back({absl::StrCat(prefix, entry.key), entry.value.indirect,
                                  std::string(entry.value.inline_bytes), entry.value.reference});
    }
    for (const InteriorEntry& entry : node.interior_entries()) {
      contents.children.push_back(
          {absl::StrCat(prefix, entry.key), prefix.size() + entry.subtree_prefix_bytes, entry.child});
    }
    return contents;
  }

  static Contents OwnedCopy(std::span<const LeafEntry> entries) {
    Contents contents;
    for (const LeafEntry& entry : entries) {
      contents.entries.push_back(
          {std::string(entry.key), entry.value.indirect, std::string(entry.value.inline_bytes), entry.value.reference});
    }
    return contents;
  }

  static std::vector<LeafEntry> ViewsOf(const std::vector<OwnedEntry>& entries) {
    std::vector<LeafEntry> views;
    views.reserve(entries.size());
    for (const OwnedEntry& entry : entries) {
      views.push_back({entry.key, entry.value()});
    }
    return views;
  }

  static std::vector<InteriorEntry> ViewsOf(const std::vector<NewNode>& nodes) {
    std::vector<InteriorEntry> views;
    views.reserve(nodes.size());
    for (const NewNode& node : nodes) {
      views.push_back(node.entry());
    }
    return views;
  }

  // Whether a node with these entries fills less than a third of what a node may.
  template <typename Entry>
  [[nodiscard]] bool IsSmall(const std::vector<Entry>& entries) const {
    uint64_t bytes = 0;
    for (const Entry& entry : entries) {
      bytes += EstimatedBytes(entry);
    }
    return !entries.empty() && bytes < config_.max_decoded_node_bytes / 3;
  }
  [[nodiscard]] bool IsSmall(const Contents& contents) const {
    return contents.entries.empty() ? IsSmall(ViewsOf(contents.children)) : IsSmall(ViewsOf(contents.entries));
  }

  // The keys of entries 1 and up part the range of their node; all smaller keys belong to child 0.
  static Place ChildPlace(const Place& place, std::span<const InteriorEntry> entries, size_t i) {
    const InteriorEntry& entry = entries[i];
    Place child;
    child.node = {entry.child.location, place.node.height - 1,
                  std::string(entry.key.substr(entry.subtree_prefix_bytes))};
    child.prefix = absl::StrCat(place.prefix, entry.key.substr(0, entry.subtree_prefix_bytes));
    child.range.begin = i == 0 ? place.range.begin : absl::StrCat(place.prefix, entry.key);
    child.range.end = i + 1 == entries.size() ? place.range.end : absl::StrCat(place.prefix, entries[i + 1].key);
    return child;
  }

  const StagedChanges& changes_;
  const Config& config_;
  const NodeReader& reader_;
  DataFileWriter& writer_;
};

}  // namespace

absl::StatusOr<std::optional<NewRoot>> ApplyChanges(const StagedChanges& changes, const Version& old,
                                                    const Config& config, const NodeReader& reader,
                                                    DataFileWriter& writer) {
  Applier applier(changes, config, reader, writer);
  Place root;
  root.node = {old.root.location, old.root_height, ""};
  root.level = Level::kTop;
  Outcome outcome;
  if (changes.empty()) {
    return std::nullopt;
  }
  if (old.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(outcome, applier.ApplyToLeaf(root, {}));
  } else if (changes.DeletesAll({})) {
    outcome.changed = true;
  } else {
    CLEAVE_ASSIGN_OR_RETURN(outcome, applier.Apply(root));
  }
  if (!outcome.changed) {
    return std::nullopt;
  }
  return BuildUpward(std::move(outcome.nodes), outcome.height, config, writer);
}

absl::StatusOr<NewRoot> BuildUpward(std::vector<NewNode> nodes, int height, const Config& config,
                                    DataFileWriter& writer) {
  if (nodes.empty()) {
    return NewRoot{};
  }
  while (nodes.size() > 1) {
    std::vector<InteriorEntry> entries;
    for (const NewNode& node : nodes) {
      entries.push_back(node.entry());
    }
    CLEAVE_ASSIGN_OR_RETURN(nodes, WriteInterior(++height, entries, Level::kTop, config, writer));
  }
  return NewRoot{height, nodes.front().reference};
}

}  // namespace cleave::ocdbt
