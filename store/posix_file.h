// Files and folders of the operating system, with errors as Status and every lasting effect observable by a test.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave::store {

// An open file; closes it when destroyed. May hold none.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int descriptor) : descriptor_(descriptor) {}
  FileDescriptor(FileDescriptor&& other) noexcept : descriptor_(other.Release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor();
  [[nodiscard]] int get() const { return descriptor_; }
  [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }
  // Gives the descriptor away.
  [[nodiscard]] int Release();

 private:
  int descriptor_ = -1;
};

// What identifies one version of a file: it changes whenever the file is replaced.
struct FileIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
  int64_t mtime_ns = 0;
  uint64_t size_bytes = 0;
  bool regular = false;
  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

// The present `errno` as a Status that says what was tried on which path.
[[nodiscard]] absl::Status ErrnoError(absl::string_view action, absl::string_view path);

// Opens a file. An empty FileDescriptor (not an error) when the path, or a folder on the way, does not exist.
[[nodiscard]] absl::StatusOr<FileDescriptor> OpenFile(const std::string& path, int flags);

[[nodiscard]] absl::StatusOr<FileIdentity> Identify(const FileDescriptor& file, absl::string_view path);
// Nothing when there is no such path.
[[nodiscard]] absl::StatusOr<std::optional<FileIdentity>> IdentifyPath(const std::string& path);

// Reads [offset, offset + length) whole; DATA_LOSS when the file ends before.
[[nodiscard]] absl::StatusOr<std::string> ReadAt(const FileDescriptor& file, uint64_t offset, uint64_t length,
                                                 absl::string_view path);

// Where in a file the bytes of a string lie.
struct PlacedString {
  uint64_t offset = 0;
  std::string* bytes = nullptr;  // of the length to be read
};
// Fills all strings by one system call where the file system allows it. REQUIRES: they are in order of offset, do not
// overlap, and the gaps between them are small. DATA_LOSS when the file ends before.
[[nodiscard]] absl::Status ReadInto(const FileDescriptor& file, std::span<const PlacedString> places,
                                    absl::string_view path);

// Empties the file, then writes `bytes`.
[[nodiscard]] absl::Status ReplaceContents(const FileDescriptor& file, absl::string_view bytes,
                                           const std::string& path);
// Writes `bytes` at `offset`.
[[nodiscard]] absl::Status WriteAt(const FileDescriptor& file, uint64_t offset, absl::string_view bytes,
                                   const std::string& path);
[[nodiscard]] absl::Status TruncateFile(const FileDescriptor& file, uint64_t size_bytes, const std::string& path);
// Asks the operating system to begin writing the bytes to the disk, so that a later sync has less to wait for.
void StartWriteback(const FileDescriptor& file, uint64_t offset, uint64_t length);
[[nodiscard]] absl::Status SetModificationTime(const FileDescriptor& file, int64_t mtime_ns, absl::string_view path);
[[nodiscard]] absl::Status SyncFile(const FileDescriptor& file, const std::string& path);
[[nodiscard]] absl::Status SyncFolder(const std::string& path);
// Both at once, which takes a disk little longer than one.
[[nodiscard]] absl::Status SyncFileAndFolder(const FileDescriptor& file, const std::string& path,
                                             const std::string& folder);
[[nodiscard]] absl::Status RenameFile(const std::string& from, const std::string& to);
// Removing a path that does not exist succeeds.
[[nodiscard]] absl::Status UnlinkFile(const std::string& path);
// True when this call made it, false when it was there.
[[nodiscard]] absl::StatusOr<bool> MakeFolder(const std::string& path);

// One lasting effect on the file system.
struct FileEffect {
  enum class Kind { kWrite, kSyncFile, kRename, kUnlink, kMakeFolder, kSyncFolder };
  Kind kind;
  std::string path;
  std::string to;  // kRename: the new path
};
// Calls `observer` after every effect; nullptr removes it. For tests that model what a power cut would leave.
void SetFileEffectObserver(std::function<void(const FileEffect&)> observer);

}  // namespace cleave::store
