// A store whose keys are files below one folder of the local (or a shared POSIX) file system.
//
// A value is replaced by renaming a finished file over it; the file, its folder entry and the entries of newly made
// folders are synced before a call answers. Writers of one key, in any process, take turns (store/key_lock.h), so
// conditions are exact. No component of a key may end in ".__lock". A key cannot be both a file and a folder.
//
// A key's generation is the device, inode and modification time of its file. Every write of this driver gives the file
// a later time than the one before, so generations never repeat; a foreign program that rewrites a file in place with
// its old time restored would not be noticed.
#pragma once

#include <string>

#include "store/durable_folders.h"
#include "store/posix_file.h"
#include "store/store.h"

namespace cleave::store {

class FileStore final : public Store {
 public:
  // `folder` is an absolute path. It need not exist.
  explicit FileStore(absl::string_view folder);

  using Store::Delete;
  using Store::Read;
  using Store::Write;
  [[nodiscard]] absl::StatusOr<ReadResult> Read(absl::string_view key, const ReadOptions& options) const override;
  [[nodiscard]] absl::StatusOr<std::optional<std::vector<std::string>>> ReadParts(
      absl::string_view key, std::span<const Extent> parts) const override;
  [[nodiscard]] absl::StatusOr<Generation> Write(absl::string_view key, absl::string_view value,
                                                 const WriteOptions& options) override;
  [[nodiscard]] absl::StatusOr<std::unique_ptr<NewValue>> WriteNew(absl::string_view key) override;
  // Holds the key's lock until the write is finished or given up.
  [[nodiscard]] absl::StatusOr<std::unique_ptr<BegunWrite>> BeginWrite(absl::string_view key, absl::string_view value,
                                                                       const WriteOptions& options) override;
  [[nodiscard]] absl::Status Delete(absl::string_view key, const WriteOptions& options) override;
  // Follows symbolic links, except back into a folder above.
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> List(const KeyRange& range) const override;
  [[nodiscard]] std::string Describe(absl::string_view key) const override;
  // {"driver":"file","path":FOLDER}; empty when the folder's name is not UTF-8.
  [[nodiscard]] std::string KvStoreSpec() const override;

 private:
  [[nodiscard]] absl::StatusOr<std::string> PathOf(absl::string_view key) const;
  [[nodiscard]] absl::StatusOr<std::unique_ptr<BegunWrite>> BeginOnce(const std::string& path, absl::string_view value,
                                                                      const WriteOptions& options);

  std::string folder_;  // ends in '/'
  DurableFolders folders_;
};

}  // namespace cleave::store
