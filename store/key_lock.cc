#include "store/key_lock.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include <sys/file.h>

#include "base/crash_point.h"
#include "base/status.h"

namespace cleave::store {
namespace {

absl::Status LockWhole(const FileDescriptor& file, const std::string& path) {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  int result = 0;
  do {
    result = fcntl(file.get(), F_OFD_SETLKW, &whole);
  } while (result != 0 && errno == EINTR);
  if (result != 0 && (errno == EINVAL || errno == ENOTSUP || errno == ENOSYS)) {
    do {
      result = flock(file.get(), LOCK_EX);
    } while (result != 0 && errno == EINTR);
  }
  return result == 0 ? absl::OkStatus() : ErrnoError("lock", path);
}

absl::StatusOr<bool> StillNamed(const FileDescriptor& file, const std::string& path) {
  CLEAVE_ASSIGN_OR_RETURN(const FileIdentity held, Identify(file, path));
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<FileIdentity> named, IdentifyPath(path));
  return named && named->device == held.device && named->inode == held.inode;
}

}  // namespace

absl::StatusOr<KeyLock> KeyLock::Acquire(const std::string& path) {
  const std::string lock_path = absl::StrCat(path, kLockSuffix);
  while (true) {
    CLEAVE_ASSIGN_OR_RETURN(FileDescriptor file, OpenFile(lock_path, O_CREAT | O_WRONLY));
    if (!file.is_open()) {
      return absl::NotFoundError(absl::StrCat("the folder of ", path, " does not exist"));
    }
    CLEAVE_RETURN_IF_ERROR(LockWhole(file, lock_path));
    CLEAVE_ASSIGN_OR_RETURN(const bool ours, StillNamed(file, lock_path));
    if (ours) {
      return KeyLock(path, std::move(file));
    }
  }
}

KeyLock::~KeyLock() {
  if (file_.is_open()) {
    (void)UnlinkFile(lock_path());  // left behind it would only be taken over by the next writer
  }
}

absl::Status KeyLock::SetContents(absl::string_view value, int64_t previous_mtime_ns) {
  CLEAVE_RETURN_IF_ERROR(ReplaceContents(file_, value, lock_path()));
  // The kernel's own file times are coarse and inode numbers are reused at once, so the two alone could name two
  // values alike. A time of our own, later than the replaced file's, cannot.
  const int64_t mtime_ns = std::max(absl::GetCurrentTimeNanos(), previous_mtime_ns + 1);
  return SetModificationTime(file_, mtime_ns, lock_path());
}

absl::Status KeyLock::Sync() {
  CrashPoint("file_store.before_sync");
  return SyncFile(file_, lock_path());
}

absl::StatusOr<FileIdentity> KeyLock::Commit() {
  CLEAVE_ASSIGN_OR_RETURN(const FileIdentity identity, Identify(file_, lock_path()));
  CrashPoint("file_store.before_rename");
  CLEAVE_RETURN_IF_ERROR(RenameFile(lock_path(), path_));
  CrashPoint("file_store.after_rename");
  file_ = FileDescriptor();
  return identity;
}

std::string KeyLock::lock_path() const { return absl::StrCat(path_, kLockSuffix); }

}  // namespace cleave::store
