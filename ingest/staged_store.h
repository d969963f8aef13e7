// A store of files for values that several processes may write alike: each is written under a name of its own, in a
// folder beside, and takes its place by a rename. No lock is held meanwhile; so a process that is stopped in the middle
// of a write holds nobody up. Whoever comes last puts the same bytes there again. Once the folder beside is removed,
// who wakes up late changes nothing and gets NOT_FOUND.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "store/durable_folders.h"
#include "store/file_store.h"
#include "store/store.h"

namespace cleave::ingest {

// Thread-safe. All but unconditional writes are those of store::FileStore.
class StagedStore final : public store::Store {
 public:
  // Both are absolute paths without '/' at their end, of one file system. The folder above `staging` must exist when
  // something is written.
  StagedStore(const std::string& folder, std::string staging)
      : base_(folder), folder_(folder), staging_(std::move(staging)) {}

  using Store::Delete;
  using Store::Read;
  using Store::Write;
  [[nodiscard]] absl::StatusOr<store::ReadResult> Read(absl::string_view key,
                                                       const store::ReadOptions& options) const override {
    return base_.Read(key, options);
  }
  [[nodiscard]] absl::StatusOr<store::Generation> Write(absl::string_view key, absl::string_view value,
                                                        const store::WriteOptions& options) override;
  [[nodiscard]] absl::Status Delete(absl::string_view key, const store::WriteOptions& options) override {
    return base_.Delete(key, options);
  }
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> List(const store::KeyRange& range) const override {
    return base_.List(range);
  }
  [[nodiscard]] std::string Describe(absl::string_view key) const override { return base_.Describe(key); }
  [[nodiscard]] std::string KvStoreSpec() const override { return base_.KvStoreSpec(); }

 private:
  store::FileStore base_;
  const std::string folder_;
  const std::string staging_;
  store::DurableFolders folders_;
};

}  // namespace cleave::ingest
