// The lock that writers of one key of a file store hold, and the file through which they replace it.
//
// The rules are those of TensorStore's `file` driver, so that both programs may write one folder at the same time
// (the OCDBT format's base store; mode "os" of its file_io_locking):
//   1. Open "KEY.__lock", making it if need be, and take an exclusive lock of the whole file (an open file description
//      lock, so that threads exclude each other too; flock where the file system has none).
//   2. Look at what is now named "KEY.__lock". Another file, or none: its owner has renamed or removed it; start again.
//   3. Only who holds the lock of the file so named may rename or remove it. A new value is written into it (emptied
//      first: a writer that died may have left part of a longer value) and renamed to KEY.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "store/posix_file.h"

namespace cleave::store {

inline constexpr absl::string_view kLockSuffix = ".__lock";

class KeyLock {
 public:
  // Waits until the lock of the file at `path` is ours. NOT_FOUND when the folder of `path` does not exist.
  [[nodiscard]] static absl::StatusOr<KeyLock> Acquire(const std::string& path);
  KeyLock(KeyLock&&) = default;
  KeyLock& operator=(KeyLock&&) = delete;
  // Removes the lock file, if it was not committed, and lets the next one in.
  ~KeyLock();

  // The three steps of a write. First `value` into the lock file; `previous_mtime_ns` is the time of the file that is
  // replaced (0: none), the new one is later.
  [[nodiscard]] absl::Status SetContents(absl::string_view value, int64_t previous_mtime_ns);
  [[nodiscard]] absl::Status Sync();
  // Then the lock file takes the place of the file: all is durable but for the folder entry. Returns the identity of
  // the new file, and lets the next one in.
  [[nodiscard]] absl::StatusOr<FileIdentity> Commit();

 private:
  KeyLock(std::string path, FileDescriptor file) : path_(std::move(path)), file_(std::move(file)) {}
  [[nodiscard]] std::string lock_path() const;

  std::string path_;
  FileDescriptor file_;  // none once committed
};

}  // namespace cleave::store
