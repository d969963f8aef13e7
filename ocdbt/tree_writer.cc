#include "ocdbt/tree_writer.h"

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "ocdbt/tree_reader.h"

namespace cleave::ocdbt {
namespace {

// What has become of one node of the old tree.
struct Outcome {
  bool changed = false;
  std::vector<NewNode> nodes;  // in its place, if it has changed
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
    if (outcome.changed) {
      CLEAVE_ASSIGN_OR_RETURN(outcome.nodes, WriteLeaves(merged, place.level, config_, writer_));
    }
    return outcome;
  }

 private:
  absl::StatusOr<Outcome> ApplyToInterior(const Place& place, std::span<const InteriorEntry> old) {
    Outcome outcome;
    std::vector<NewNode> children;  // all of them, old and new, with keys in full
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
      if (below.changed) {
        outcome.changed = true;
        std::move(below.nodes.begin(), below.nodes.end(), std::back_inserter(children));
      } else {
        children.push_back(
            {absl::StrCat(place.prefix, entry.key), place.prefix.size() + entry.subtree_prefix_bytes, entry.child});
      }
    }
    if (outcome.changed) {
      std::vector<InteriorEntry> entries;
      entries.reserve(children.size());
      for (const NewNode& child : children) {
        entries.push_back(child.entry());
      }
      CLEAVE_ASSIGN_OR_RETURN(outcome.nodes, WriteInterior(place.node.height, entries, place.level, config_, writer_));
    }
    return outcome;
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
  return BuildUpward(std::move(outcome.nodes), old.root_height, config, writer);
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
