#include "ocdbt/snapshot.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include <openssl/sha.h>

#include "base/status.h"
#include "ocdbt/byte_coding.h"
#include "ocdbt/tree_reader.h"

namespace cleave::ocdbt {

absl::StatusOr<store::ReadResult> Snapshot::Read(absl::string_view key, const store::ReadOptions& options) const {
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<FoundValue> found, FindKey(*reader_, version_, key));
  if (!found) {
    return store::ReadResult{};
  }
  CLEAVE_ASSIGN_OR_RETURN(std::string value, reader_->ReadValue(found->value, options.range));
  return store::ReadResult{std::move(value), GenerationOf(found->value)};
}

absl::StatusOr<std::vector<std::optional<std::string>>> Snapshot::ReadMany(std::span<const std::string> keys) const {
  CLEAVE_ASSIGN_OR_RETURN(const auto found, FindKeys(*reader_, version_, keys));
  std::vector<LeafValue> present;
  for (const std::optional<FoundValue>& value : found) {
    if (value) {
      present.push_back(value->value);
    }
  }
  CLEAVE_ASSIGN_OR_RETURN(std::vector<std::string> bytes, reader_->ReadValues(present));
  std::vector<std::optional<std::string>> values(keys.size());
  for (size_t i = 0, next = 0; i < keys.size(); ++i) {
    if (found[i]) {
      values[i] = std::move(bytes[next++]);
    }
  }
  return values;
}

absl::StatusOr<store::Generation> Snapshot::KeyGeneration(absl::string_view key) const {
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<FoundValue> found, FindKey(*reader_, version_, key));
  return found ? GenerationOf(found->value) : store::Generation::Absent();
}

std::string Snapshot::DescribeValue(absl::string_view key) const {
  const auto found = FindKey(*reader_, version_, key);
  const bool indirect = found.ok() && found->has_value() && (*found)->value.indirect;
  return indirect ? reader_->Describe((*found)->value.reference) : std::string();
}

absl::Status Snapshot::Scan(const store::KeyRange& range, const ScanVisitor& visit) const {
  return VisitLeaves(*reader_, version_, range,
                     [&](const std::string& prefix, const BtreeNode& leaf) -> absl::StatusOr<bool> {
                       std::string key = prefix;
                       for (const LeafEntry& entry : leaf.leaf_entries()) {
                         key.resize(prefix.size());
                         absl::StrAppend(&key, entry.key);
                         if (!range.end.empty() && key >= range.end) {
                           return false;
                         }
                         if (key < range.begin) {
                           continue;
                         }
                         CLEAVE_ASSIGN_OR_RETURN(const bool more, visit({key, entry.value}));
                         if (!more) {
                           return false;
                         }
                       }
                       return true;
                     });
}

absl::StatusOr<std::string> Snapshot::ReadValue(const LeafValue& value) const { return reader_->ReadValue(value, {}); }

absl::StatusOr<std::vector<std::string>> Snapshot::List(const store::KeyRange& range) const {
  std::vector<std::string> keys;
  CLEAVE_RETURN_IF_ERROR(Scan(range, [&](const ScannedEntry& entry) {
    keys.emplace_back(entry.key);
    return true;
  }));
  return keys;
}

store::Generation GenerationOf(const LeafValue& value) {
  std::string fields;
  if (value.indirect) {
    const DataReference& reference = value.reference;
    PutU8(fields, 0);
    PutU64Le(fields, reference.offset);
    PutU64Le(fields, reference.length);
    PutU64Le(fields, reference.file.base_path().size());
    PutU64Le(fields, reference.file.relative_path().size());
    absl::StrAppend(&fields, reference.file.base_path(), reference.file.relative_path());
  } else {
    PutU8(fields, 1);
    absl::StrAppend(&fields, value.inline_bytes);
  }
  constexpr size_t kDigestBytes = 20;
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(fields.data()), fields.size(), digest);
  return store::Generation(std::string(1, '\0') + std::string(reinterpret_cast<const char*>(digest), kDigestBytes));
}

}  // namespace cleave::ocdbt
