#include "ocdbt/staged_changes.h"

#include <algorithm>
#include <utility>

#include "store/key_text.h"

namespace cleave::ocdbt {
namespace {

bool EndsBefore(const std::string& end, absl::string_view key) { return !end.empty() && end < key; }

const std::string& LaterEnd(const std::string& a, const std::string& b) {
  return a.empty() || (!b.empty() && a > b) ? a : b;
}

}  // namespace

void StagedChanges::Set(absl::string_view key, Change change) {
  changes_.insert_or_assign(std::string(key), std::move(change));
}

void StagedChanges::DeleteRange(const store::KeyRange& range) {
  if (store::IsEmpty(range)) {
    return;
  }
  const auto last = range.end.empty() ? changes_.end() : changes_.lower_bound(range.end);
  changes_.erase(changes_.lower_bound(range.begin), last);
  // Ranges that overlap or touch become one.
  store::KeyRange merged = range;
  auto it = deleted_.upper_bound(range.begin);
  if (it != deleted_.begin() && !EndsBefore(std::prev(it)->second, range.begin)) {
    --it;
    merged.begin = it->first;
  }
  while (it != deleted_.end() && !EndsBefore(merged.end, it->first)) {
    merged.end = LaterEnd(merged.end, it->second);
    it = deleted_.erase(it);
  }
  deleted_.emplace(std::move(merged.begin), std::move(merged.end));
}

const StagedChanges::Change* StagedChanges::Find(absl::string_view key) const {
  static const Change deleted;
  if (const auto found = changes_.find(key); found != changes_.end()) {
    return &found->second;
  }
  return InDeletedRange(key) ? &deleted : nullptr;
}

bool StagedChanges::InDeletedRange(absl::string_view key) const {
  const auto after = deleted_.upper_bound(key);
  return after != deleted_.begin() && (std::prev(after)->second.empty() || key < std::prev(after)->second);
}

bool StagedChanges::Touches(const store::KeyRange& range) const {
  if (const auto first = changes_.lower_bound(range.begin); first != changes_.end() && range.Contains(first->first)) {
    return true;
  }
  const auto next = deleted_.lower_bound(range.begin);
  return InDeletedRange(range.begin) || (next != deleted_.end() && range.Contains(next->first));
}

bool StagedChanges::DeletesAll(const store::KeyRange& range) const {
  const auto after = deleted_.upper_bound(range.begin);
  if (after == deleted_.begin()) {
    return false;
  }
  const std::string& end = std::prev(after)->second;
  if (!end.empty() && (range.end.empty() || end < range.end)) {
    return false;
  }
  for (auto it = changes_.lower_bound(range.begin); it != changes_.end() && range.Contains(it->first); ++it) {
    if (it->second) {
      return false;
    }
  }
  return true;
}

}  // namespace cleave::ocdbt
