// A database as a plain store: for code that reads and writes keys and need not know of versions.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ocdbt/database.h"
#include "store/store.h"

namespace cleave::ocdbt {

// Every write is a commit of its own, and WriteBatch is one commit. A store of a pinned or read-only database refuses
// writes with INVALID_ARGUMENT. Keys obey store::ValidateKey.
class DatabaseStore final : public store::Store {
 public:
  // Reads the newest version at each call.
  explicit DatabaseStore(std::shared_ptr<Database> database);
  // Reads one version; read-only.
  DatabaseStore(std::shared_ptr<Database> database, Snapshot pinned);

  using Store::Delete;
  using Store::Read;
  using Store::Write;
  [[nodiscard]] absl::StatusOr<store::ReadResult> Read(absl::string_view key,
                                                       const store::ReadOptions& options) const override;
  // All of one version, in one descent.
  [[nodiscard]] absl::StatusOr<std::vector<std::optional<std::string>>> ReadMany(
      std::span<const std::string> keys) const override;
  [[nodiscard]] absl::StatusOr<store::Generation> Write(absl::string_view key, absl::string_view value,
                                                        const store::WriteOptions& options) override;
  [[nodiscard]] absl::Status Delete(absl::string_view key, const store::WriteOptions& options) override;
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> List(const store::KeyRange& range) const override;
  [[nodiscard]] absl::Status WriteBatch(std::span<const store::KeyedWrite> writes) override;
  [[nodiscard]] bool atomic_batches() const override { return true; }
  [[nodiscard]] std::string Describe(absl::string_view key) const override;
  [[nodiscard]] std::string KvStoreSpec() const override;

  // The version that reads see now.
  [[nodiscard]] absl::StatusOr<GenerationNumber> generation() const;
  // As WriteBatch, and tells the version in which the writes are visible.
  [[nodiscard]] absl::StatusOr<CommitResult> Commit(std::span<const store::KeyedWrite> writes);
  [[nodiscard]] Database& database() const { return *database_; }

 private:
  [[nodiscard]] absl::StatusOr<Snapshot> Current() const;

  std::shared_ptr<Database> database_;
  std::optional<Snapshot> pinned_;
};

}  // namespace cleave::ocdbt
