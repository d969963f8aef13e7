// What a commit will do to the tree: new values, deleted keys, deleted ranges, with the later one winning.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

#include "ocdbt/btree_node.h"
#include "store/store.h"

namespace cleave::ocdbt {

class StagedChanges {
 public:
  // A new value, or nothing: the key is deleted. Views of an inline value must outlive this object.
  using Change = std::optional<LeafValue>;
  using Changes = std::map<std::string, Change, std::less<>>;

  void Set(absl::string_view key, Change change);
  void DeleteRange(const store::KeyRange& range);

  // What the changes make of `key`; nullptr when they do not touch it.
  [[nodiscard]] const Change* Find(absl::string_view key) const;
  [[nodiscard]] bool empty() const { return changes_.empty() && deleted_.empty(); }
  // Whether some change can concern a key of `range`.
  [[nodiscard]] bool Touches(const store::KeyRange& range) const;
  // Whether all keys of `range` are deleted and none gets a value.
  [[nodiscard]] bool DeletesAll(const store::KeyRange& range) const;
  // Whether `key` lies in a deleted range, whatever Set said of it.
  [[nodiscard]] bool InDeletedRange(absl::string_view key) const;

  // The single keys, in order.
  [[nodiscard]] const Changes& changes() const { return changes_; }
  [[nodiscard]] Changes::const_iterator LowerBound(absl::string_view key) const { return changes_.lower_bound(key); }

 private:
  Changes changes_;
  std::map<std::string, std::string, std::less<>> deleted_;  // begin to end ("": no bound); disjoint, never touching
};

}  // namespace cleave::ocdbt
