#include "store/memory_store.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "store/key_text.h"

namespace cleave::store {

MemoryStore::MemoryStore() : MemoryStore(std::make_shared<MemoryBytes>(), "", "") {}

MemoryStore::MemoryStore(std::shared_ptr<MemoryBytes> bytes, std::string name, std::string prefix)
    : bytes_(std::move(bytes)), name_(std::move(name)), prefix_(std::move(prefix)) {}

absl::StatusOr<ReadResult> MemoryStore::Read(absl::string_view key, const ReadOptions& options) const {
  CLEAVE_RETURN_IF_ERROR(ValidateKey(key));
  const std::lock_guard lock(bytes_->mutex);
  const auto found = bytes_->values.find(absl::StrCat(prefix_, key));
  if (found == bytes_->values.end()) {
    return ReadResult{};
  }
  const std::string& value = found->second.bytes;
  CLEAVE_ASSIGN_OR_RETURN(const Extent extent, ResolveRange(options.range, value.size(), Describe(key)));
  return ReadResult{value.substr(extent.offset, extent.length), GenerationLocked(found->first)};
}

absl::StatusOr<Generation> MemoryStore::Write(absl::string_view key, absl::string_view value,
                                              const WriteOptions& options) {
  CLEAVE_RETURN_IF_ERROR(ValidateKey(key));
  const std::lock_guard lock(bytes_->mutex);
  const std::string full_key = absl::StrCat(prefix_, key);
  CLEAVE_RETURN_IF_ERROR(CheckCondition(options, GenerationLocked(full_key), Describe(key)));
  return PutLocked(full_key, value);
}

absl::Status MemoryStore::Delete(absl::string_view key, const WriteOptions& options) {
  CLEAVE_RETURN_IF_ERROR(ValidateKey(key));
  const std::lock_guard lock(bytes_->mutex);
  const std::string full_key = absl::StrCat(prefix_, key);
  CLEAVE_RETURN_IF_ERROR(CheckCondition(options, GenerationLocked(full_key), Describe(key)));
  bytes_->values.erase(full_key);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> MemoryStore::List(const KeyRange& range) const {
  const std::lock_guard lock(bytes_->mutex);
  std::vector<std::string> keys;
  for (auto it = bytes_->values.lower_bound(absl::StrCat(prefix_, range.begin));
       it != bytes_->values.end() && absl::StartsWith(it->first, prefix_); ++it) {
    std::string key = it->first.substr(prefix_.size());
    if (!range.Contains(key)) {
      break;
    }
    keys.push_back(std::move(key));
  }
  return keys;
}

absl::Status MemoryStore::WriteBatch(std::span<const KeyedWrite> writes) {
  const std::lock_guard lock(bytes_->mutex);
  // The writes are tried on the map itself; `undo` remembers what to put back if one of them fails.
  std::vector<std::pair<std::string, std::optional<MemoryBytes::Value>>> undo;
  absl::Status status;
  for (const KeyedWrite& write : writes) {
    const std::string full_key = absl::StrCat(prefix_, write.key);
    status = ValidateKey(write.key);
    status.Update(CheckCondition({write.if_generation}, GenerationLocked(full_key), Describe(write.key)));
    if (!status.ok()) {
      break;
    }
    const auto found = bytes_->values.find(full_key);
    undo.emplace_back(full_key, found == bytes_->values.end() ? std::nullopt : std::optional(found->second));
    if (write.value) {
      (void)PutLocked(full_key, *write.value);
    } else {
      bytes_->values.erase(full_key);
    }
  }
  for (; !status.ok() && !undo.empty(); undo.pop_back()) {
    if (undo.back().second) {
      bytes_->values[undo.back().first] = *std::move(undo.back().second);
    } else {
      bytes_->values.erase(undo.back().first);
    }
  }
  return status;
}

std::string MemoryStore::Describe(absl::string_view key) const {
  return absl::StrCat("memory://", name_, "/", prefix_, key);
}

Generation MemoryStore::GenerationLocked(const std::string& full_key) const {
  const auto found = bytes_->values.find(full_key);
  return found == bytes_->values.end() ? Generation::Absent() : Generation(absl::StrCat(found->second.generation));
}

Generation MemoryStore::PutLocked(const std::string& full_key, absl::string_view value) {
  bytes_->values[full_key] = {std::string(value), ++bytes_->last_generation};
  return GenerationLocked(full_key);
}

std::shared_ptr<MemoryBytes> SharedMemoryBytes(absl::string_view name) {
  static std::mutex mutex;
  static auto& named = *new std::map<std::string, std::shared_ptr<MemoryBytes>, std::less<>>();
  const std::lock_guard lock(mutex);
  std::shared_ptr<MemoryBytes>& bytes = named[std::string(name)];
  if (bytes == nullptr) {
    bytes = std::make_shared<MemoryBytes>();
  }
  return bytes;
}

}  // namespace cleave::store
