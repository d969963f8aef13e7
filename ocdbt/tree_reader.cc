#include "ocdbt/tree_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "store/key_text.h"

namespace cleave::ocdbt {
namespace {

ExpectedNode ChildOf(const InteriorEntry& entry, int height) {
  return {entry.child.location, height - 1, std::string(entry.key.substr(entry.subtree_prefix_bytes))};
}

ExpectedNode RootOf(const Version& version) { return {version.root.location, version.root_height, ""}; }

// Whether a node is what its parent says of it.
absl::Status CheckNode(const NodeReader& reader, const BtreeNode& node, const ExpectedNode& expected) {
  if (node.height() != expected.height) {
    return absl::DataLossError(absl::StrCat(reader.Describe(expected.location), ": expected a b-tree node of height ",
                                            expected.height, ", but it has height ", node.height()));
  }
  if (node.first_key() < expected.first_key) {
    return absl::DataLossError(absl::StrCat(reader.Describe(expected.location), ": first key ",
                                            store::Quoted(node.first_key()),
                                            " is smaller than its parent says: ", store::Quoted(expected.first_key)));
  }
  return absl::OkStatus();
}

// The last entry whose key is not greater; nullptr when all are.
const InteriorEntry* Route(const BtreeNode& node, absl::string_view key) {
  const auto entries = node.interior_entries();
  const auto after = std::upper_bound(entries.begin(), entries.end(), key,
                                      [](absl::string_view k, const InteriorEntry& entry) { return k < entry.key; });
  return after == entries.begin() ? nullptr : &*std::prev(after);
}

// Walks a subtree. `prefix` completes the keys of its root.
absl::StatusOr<bool> Visit(const NodeReader& reader, const ExpectedNode& expected, const std::string& prefix,
                           const store::KeyRange& range, const LeafVisitor& visit) {
  CLEAVE_ASSIGN_OR_RETURN(const auto node, ReadExpectedNode(reader, expected));
  if (node->height() == 0) {
    return visit(prefix, *node);
  }
  const auto entries = node->interior_entries();
  for (size_t i = 0; i < entries.size(); ++i) {
    const InteriorEntry& entry = entries[i];
    // The child's keys lie from its own first key up to the next entry's.
    const store::KeyRange covered{absl::StrCat(prefix, entry.key),
                                  i + 1 < entries.size() ? absl::StrCat(prefix, entries[i + 1].key) : ""};
    if (store::IsEmpty(store::Intersect(covered, range))) {
      continue;
    }
    CLEAVE_ASSIGN_OR_RETURN(const bool more,
                            Visit(reader, ChildOf(entry, node->height()),
                                  absl::StrCat(prefix, entry.key.substr(0, entry.subtree_prefix_bytes)), range, visit));
    if (!more) {
      return false;
    }
  }
  return true;
}

// The entry of a leaf with exactly this key; nullptr when there is none.
const LeafEntry* Search(const BtreeNode& leaf, absl::string_view key) {
  const auto entries = leaf.leaf_entries();
  const auto found = std::lower_bound(entries.begin(), entries.end(), key,
                                      [](const LeafEntry& entry, absl::string_view k) { return entry.key < k; });
  return found == entries.end() || found->key != key ? nullptr : &*found;
}

// A key on its way down: what is left of it below the present node, and its position in the answer.
struct KeyInSubtree {
  absl::string_view rest;
  size_t place = 0;
};

// The keys that are looked for below one node of the present level, in order.
struct Subtree {
  ExpectedNode root;
  std::vector<KeyInSubtree> keys;
};

absl::StatusOr<std::vector<std::shared_ptr<const BtreeNode>>> ReadRoots(const NodeReader& reader,
                                                                        const std::vector<Subtree>& level) {
  std::vector<DataReference> locations;
  locations.reserve(level.size());
  for (const Subtree& subtree : level) {
    locations.push_back(subtree.root.location);
  }
  CLEAVE_ASSIGN_OR_RETURN(auto nodes, reader.ReadBtreeNodes(locations));
  for (size_t i = 0; i < nodes.size(); ++i) {
    CLEAVE_RETURN_IF_ERROR(CheckNode(reader, *nodes[i], level[i].root));
  }
  return nodes;
}

// Divides the keys of `subtree` among the children of its root.
void Descend(const Subtree& subtree, const BtreeNode& node, std::vector<Subtree>& below) {
  const InteriorEntry* last = nullptr;
  for (const KeyInSubtree& key : subtree.keys) {
    const InteriorEntry* entry = Route(node, key.rest);
    if (entry == nullptr || !absl::StartsWith(key.rest, entry->key.substr(0, entry->subtree_prefix_bytes))) {
      continue;
    }
    if (entry != last) {
      below.push_back({ChildOf(*entry, node.height()), {}});
      last = entry;
    }
    below.back().keys.push_back({key.rest.substr(entry->subtree_prefix_bytes), key.place});
  }
}

}  // namespace

absl::StatusOr<std::vector<std::optional<FoundValue>>> FindKeys(const NodeReader& reader, const Version& version,
                                                                std::span<const std::string> keys) {
  std::vector<std::optional<FoundValue>> found(keys.size());
  if (version.empty() || keys.empty()) {
    return found;
  }
  std::vector<Subtree> level(1);
  level[0].root = RootOf(version);
  for (size_t i = 0; i < keys.size(); ++i) {
    level[0].keys.push_back({keys[i], i});
  }
  std::sort(level[0].keys.begin(), level[0].keys.end(),
            [](const KeyInSubtree& a, const KeyInSubtree& b) { return a.rest < b.rest; });
  while (!level.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(const auto nodes, ReadRoots(reader, level));
    std::vector<Subtree> below;
    for (size_t i = 0; i < level.size(); ++i) {
      if (nodes[i]->height() > 0) {
        Descend(level[i], *nodes[i], below);
        continue;
      }
      for (const KeyInSubtree& key : level[i].keys) {
        if (const LeafEntry* entry = Search(*nodes[i], key.rest); entry != nullptr) {
          found[key.place] = FoundValue{entry->value, nodes[i]};
        }
      }
    }
    level = std::move(below);
  }
  return found;
}

absl::StatusOr<std::optional<FoundValue>> FindKey(const NodeReader& reader, const Version& version,
                                                  absl::string_view key) {
  if (version.empty()) {
    return std::nullopt;
  }
  ExpectedNode expected = RootOf(version);
  while (true) {
    CLEAVE_ASSIGN_OR_RETURN(const auto node, ReadExpectedNode(reader, expected));
    if (node->height() == 0) {
      const LeafEntry* entry = Search(*node, key);
      return entry == nullptr ? std::nullopt : std::optional(FoundValue{entry->value, node});
    }
    const InteriorEntry* entry = Route(*node, key);
    if (entry == nullptr || !absl::StartsWith(key, entry->key.substr(0, entry->subtree_prefix_bytes))) {
      return std::nullopt;
    }
    key.remove_prefix(entry->subtree_prefix_bytes);
    expected = ChildOf(*entry, node->height());
  }
}

absl::Status VisitLeaves(const NodeReader& reader, const Version& version, const store::KeyRange& range,
                         const LeafVisitor& visit) {
  return version.empty() || store::IsEmpty(range) ? absl::OkStatus()
                                                  : Visit(reader, RootOf(version), "", range, visit).status();
}

absl::StatusOr<std::shared_ptr<const BtreeNode>> ReadExpectedNode(const NodeReader& reader,
                                                                  const ExpectedNode& expected) {
  CLEAVE_ASSIGN_OR_RETURN(auto node, reader.ReadBtreeNode(expected.location));
  CLEAVE_RETURN_IF_ERROR(CheckNode(reader, *node, expected));
  return node;
}

}  // namespace cleave::ocdbt
