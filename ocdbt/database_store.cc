#include "ocdbt/database_store.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/status.h"
#include "ocdbt/kvstore_spec.h"
#include "ocdbt/manifest_store.h"
#include "store/key_text.h"

namespace cleave::ocdbt {

DatabaseStore::DatabaseStore(std::shared_ptr<Database> database) : database_(std::move(database)) {}

DatabaseStore::DatabaseStore(std::shared_ptr<Database> database, Snapshot pinned)
    : database_(std::move(database)), pinned_(std::move(pinned)) {}

absl::StatusOr<store::ReadResult> DatabaseStore::Read(absl::string_view key, const store::ReadOptions& options) const {
  CLEAVE_RETURN_IF_ERROR(store::ValidateKey(key));
  CLEAVE_ASSIGN_OR_RETURN(const Snapshot current, Current());
  return current.Read(key, options);
}

absl::StatusOr<std::vector<std::optional<std::string>>> DatabaseStore::ReadMany(
    std::span<const std::string> keys) const {
  for (const std::string& key : keys) {
    CLEAVE_RETURN_IF_ERROR(store::ValidateKey(key));
  }
  CLEAVE_ASSIGN_OR_RETURN(const Snapshot current, Current());
  return current.ReadMany(keys);
}

absl::StatusOr<store::Generation> DatabaseStore::Write(absl::string_view key, absl::string_view value,
                                                       const store::WriteOptions& options) {
  const store::KeyedWrite write{std::string(key), std::string(value), options.if_generation};
  CLEAVE_ASSIGN_OR_RETURN(const CommitResult committed, Commit({&write, 1}));
  return committed.key_generations.front();
}

absl::Status DatabaseStore::Delete(absl::string_view key, const store::WriteOptions& options) {
  const store::KeyedWrite write{std::string(key), std::nullopt, options.if_generation};
  return Commit({&write, 1}).status();
}

absl::StatusOr<std::vector<std::string>> DatabaseStore::List(const store::KeyRange& range) const {
  CLEAVE_ASSIGN_OR_RETURN(const Snapshot current, Current());
  return current.List(range);
}

absl::Status DatabaseStore::WriteBatch(std::span<const store::KeyedWrite> writes) { return Commit(writes).status(); }

absl::StatusOr<CommitResult> DatabaseStore::Commit(std::span<const store::KeyedWrite> writes) {
  ocdbt::WriteBatch batch;
  for (const store::KeyedWrite& write : writes) {
    CLEAVE_RETURN_IF_ERROR(store::ValidateKey(write.key));
    if (write.value) {
      batch.Put(write.key, *write.value, write.if_generation);
    } else {
      batch.Delete(write.key, write.if_generation);
    }
  }
  if (pinned_) {
    return absl::InvalidArgumentError(
        absl::StrCat("Writing is not supported with version=", FormatVersionSpec(pinned_->generation()), " specified"));
  }
  return database_->Commit(batch);
}

std::string DatabaseStore::Describe(absl::string_view key) const {
  const std::string manifest = database_->Describe();
  std::string text =
      absl::StrCat(absl::StripSuffix(manifest, kManifestKey),
                   "|ocdbt:", pinned_ ? absl::StrCat("@", FormatVersionSpec(pinned_->generation()), "/") : "", key);
  const absl::StatusOr<Snapshot> current = Current();
  const std::string place = current.ok() && !key.empty() ? current->DescribeValue(key) : "";
  if (!place.empty()) {
    absl::StrAppend(&text, " (stored in ", place, ")");
  }
  return text;
}

std::string DatabaseStore::KvStoreSpec() const {
  return pinned_ ? OcdbtKvStoreSpec(*database_->store(), database_->options().prefixes, pinned_->generation())
                 : database_->KvStoreSpec();
}

absl::StatusOr<GenerationNumber> DatabaseStore::generation() const {
  CLEAVE_ASSIGN_OR_RETURN(const Snapshot current, Current());
  return current.generation();
}

absl::StatusOr<Snapshot> DatabaseStore::Current() const {
  return pinned_ ? absl::StatusOr<Snapshot>(*pinned_) : database_->Newest();
}

}  // namespace cleave::ocdbt
