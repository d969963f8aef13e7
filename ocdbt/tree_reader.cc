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

}  // namespace

absl::StatusOr<std::optional<FoundValue>> FindKey(const NodeReader& reader, const Version& version,
                                                  absl::string_view key) {
  if (version.empty()) {
    return std::nullopt;
  }
  ExpectedNode expected = RootOf(version);
  while (true) {
    CLEAVE_ASSIGN_OR_RETURN(const auto node, ReadExpectedNode(reader, expected));
    if (node->height() == 0) {
      const auto entries = node->leaf_entries();
      const auto found = std::lower_bound(entries.begin(), entries.end(), key,
                                          [](const LeafEntry& entry, absl::string_view k) { return entry.key < k; });
      if (found == entries.end() || found->key != key) {
        return std::nullopt;
      }
      return FoundValue{found->value, node};
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
  if (node->height() != expected.height) {
    return absl::DataLossError(absl::StrCat(reader.Describe(expected.location), ": expected a b-tree node of height ",
                                            expected.height, ", but it has height ", node->height()));
  }
  if (node->first_key() < expected.first_key) {
    return absl::DataLossError(absl::StrCat(reader.Describe(expected.location), ": first key ",
                                            store::Quoted(node->first_key()),
                                            " is smaller than its parent says: ", store::Quoted(expected.first_key)));
  }
  return node;
}

}  // namespace cleave::ocdbt
