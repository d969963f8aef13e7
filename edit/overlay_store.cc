#include "edit/overlay_store.h"

#include <algorithm>
#include <utility>

namespace cleave::edit {

void OverlayStore::Plan(store::KeyedWrite write) {
  const auto [found, fresh] = planned_.try_emplace(write.key, write);
  if (!fresh) {
    found->second.value = std::move(write.value);
  }
}

std::vector<store::KeyedWrite> OverlayStore::Take() {
  std::vector<store::KeyedWrite> writes;
  for (auto& [key, write] : planned_) {
    writes.push_back(std::move(write));
  }
  planned_.clear();
  return writes;
}

absl::StatusOr<store::ReadResult> OverlayStore::Read(absl::string_view key, const store::ReadOptions& options) const {
  const auto planned = planned_.find(std::string(key));
  if (planned == planned_.end()) {
    return base_.Read(key, options);
  }
  store::ReadResult result;
  // Planned content has no generation of its own yet; the condition of its write stands for it.
  result.generation = planned->second.if_generation.value_or(store::Generation::Absent());
  if (!planned->second.value.has_value()) {
    return result;
  }
  const std::string& value = *planned->second.value;
  if (options.range.begin > value.size()) {
    return absl::OutOfRangeError("the range begins beyond the value");
  }
  const uint64_t end = std::min<uint64_t>(options.range.end.value_or(value.size()), value.size());
  result.value = value.substr(options.range.begin, end - options.range.begin);
  return result;
}

absl::StatusOr<store::Generation> OverlayStore::Write(absl::string_view, absl::string_view,
                                                      const store::WriteOptions&) {
  return absl::FailedPreconditionError("a plan's overlay is read-only");
}

absl::Status OverlayStore::Delete(absl::string_view, const store::WriteOptions&) {
  return absl::FailedPreconditionError("a plan's overlay is read-only");
}

absl::StatusOr<std::vector<std::string>> OverlayStore::List(const store::KeyRange& range) const {
  absl::StatusOr<std::vector<std::string>> keys = base_.List(range);
  if (!keys.ok()) {
    return keys;
  }
  for (const auto& [key, write] : planned_) {
    if (!range.Contains(key)) {
      continue;
    }
    const auto place = std::ranges::lower_bound(*keys, key);
    const bool listed = place != keys->end() && *place == key;
    if (write.value.has_value() && !listed) {
      keys->insert(place, key);
    } else if (!write.value.has_value() && listed) {
      keys->erase(place);
    }
  }
  return keys;
}

}  // namespace cleave::edit
