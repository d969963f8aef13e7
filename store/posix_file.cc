#include "store/posix_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include <sys/stat.h>
#include <sys/uio.h>

#include "base/parallel.h"
#include "base/status.h"

namespace cleave::store {
namespace {

std::function<void(const FileEffect&)>& Observer() {
  static std::function<void(const FileEffect&)> observer;
  return observer;
}

void Report(FileEffect::Kind kind, const std::string& path, const std::string& to = "") {
  if (const auto& observer = Observer()) {
    observer({kind, path, to});
  }
}

FileIdentity IdentityOf(const struct stat& info) {
  return {info.st_dev, info.st_ino, info.st_mtim.tv_sec * INT64_C(1'000'000'000) + info.st_mtim.tv_nsec,
          static_cast<uint64_t>(info.st_size), S_ISREG(info.st_mode)};
}

bool NoSuchPath() { return errno == ENOENT || errno == ENOTDIR; }

}  // namespace

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    const FileDescriptor old(std::exchange(descriptor_, other.Release()));
  }
  return *this;
}

FileDescriptor::~FileDescriptor() {
  if (descriptor_ >= 0) {
    close(descriptor_);
  }
}

int FileDescriptor::Release() { return std::exchange(descriptor_, -1); }

absl::Status ErrnoError(absl::string_view action, absl::string_view path) {
  const int error = errno;
  const std::string message = absl::StrCat("cannot ", action, " ", path);
  switch (error) {
    case EISDIR:
    case ENOTDIR:
    case ENOTEMPTY:
      return absl::FailedPreconditionError(absl::StrCat(message, ": a key cannot be both a file and a folder"));
    case ENAMETOOLONG:
      return absl::InvalidArgumentError(absl::StrCat(message, ": the name is too long for the file system"));
    case EIO:
      return absl::UnavailableError(absl::StrCat(message, ": input/output error"));
    default:
      return absl::ErrnoToStatus(error, message);
  }
}

absl::StatusOr<FileDescriptor> OpenFile(const std::string& path, int flags) {
  int descriptor = -1;
  do {
    descriptor = open(path.c_str(), flags | O_CLOEXEC, 0666);
  } while (descriptor < 0 && errno == EINTR);
  if (descriptor >= 0) {
    return FileDescriptor(descriptor);
  }
  return NoSuchPath() ? absl::StatusOr<FileDescriptor>(FileDescriptor()) : ErrnoError("open", path);
}

absl::StatusOr<FileIdentity> Identify(const FileDescriptor& file, absl::string_view path) {
  struct stat info {};
  return fstat(file.get(), &info) == 0 ? absl::StatusOr<FileIdentity>(IdentityOf(info)) : ErrnoError("stat", path);
}

absl::StatusOr<std::optional<FileIdentity>> IdentifyPath(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) == 0) {
    return IdentityOf(info);
  }
  if (NoSuchPath()) {
    return std::nullopt;
  }
  return ErrnoError("stat", path);
}

absl::StatusOr<std::string> ReadAt(const FileDescriptor& file, uint64_t offset, uint64_t length,
                                   absl::string_view path) {
  std::string bytes(length, '\0');
  for (uint64_t done = 0; done < length;) {
    const ssize_t count = pread(file.get(), bytes.data() + done, length - done, static_cast<off_t>(offset + done));
    if (count > 0) {
      done += static_cast<uint64_t>(count);
    } else if (count == 0) {
      return absl::DataLossError(absl::StrCat(path, ": the file became shorter while it was read"));
    } else if (errno != EINTR) {
      return ErrnoError("read", path);
    }
  }
  return bytes;
}

absl::Status ReadInto(const FileDescriptor& file, std::span<const PlacedString> places, absl::string_view path) {
  std::string gap;  // what lies between is read into here, all of it to the same place
  std::vector<iovec> pieces;
  pieces.reserve(2 * places.size());
  for (size_t i = 0; i < places.size(); ++i) {
    const uint64_t end = i == 0 ? places[i].offset : places[i - 1].offset + places[i - 1].bytes->size();
    gap.resize(std::max<size_t>(gap.size(), places[i].offset - end));
  }
  for (size_t i = 0; i < places.size(); ++i) {
    const uint64_t end = i == 0 ? places[i].offset : places[i - 1].offset + places[i - 1].bytes->size();
    if (places[i].offset > end) {
      pieces.push_back({gap.data(), places[i].offset - end});
    }
    pieces.push_back({places[i].bytes->data(), places[i].bytes->size()});
  }
  uint64_t offset = places.empty() ? 0 : places.front().offset;
  for (size_t first = 0; first < pieces.size();) {
    const ssize_t count =
        preadv(file.get(), &pieces[first], static_cast<int>(std::min<size_t>(pieces.size() - first, IOV_MAX)),
               static_cast<off_t>(offset));
    if (count < 0 && errno != EINTR) {
      return ErrnoError("read", path);
    }
    if (count == 0 && pieces[first].iov_len > 0) {
      return absl::DataLossError(absl::StrCat(path, ": the file became shorter while it was read"));
    }
    auto done = static_cast<size_t>(std::max<ssize_t>(count, 0));
    offset += done;
    for (; first < pieces.size() && done >= pieces[first].iov_len; ++first) {
      done -= pieces[first].iov_len;
    }
    if (first < pieces.size()) {
      pieces[first].iov_base = static_cast<char*>(pieces[first].iov_base) + done;
      pieces[first].iov_len -= done;
    }
  }
  return absl::OkStatus();
}

absl::Status ReplaceContents(const FileDescriptor& file, absl::string_view bytes, const std::string& path) {
  if (ftruncate(file.get(), 0) != 0) {
    return ErrnoError("truncate", path);
  }
  return WriteAt(file, 0, bytes, path);
}

absl::Status WriteAt(const FileDescriptor& file, uint64_t offset, absl::string_view bytes, const std::string& path) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t count =
        pwrite(file.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (count >= 0) {
      done += static_cast<size_t>(count);
    } else if (errno != EINTR) {
      return ErrnoError("write", path);
    }
  }
  Report(FileEffect::Kind::kWrite, path);
  return absl::OkStatus();
}

absl::Status TruncateFile(const FileDescriptor& file, uint64_t size_bytes, const std::string& path) {
  if (ftruncate(file.get(), static_cast<off_t>(size_bytes)) != 0) {
    return ErrnoError("truncate", path);
  }
  Report(FileEffect::Kind::kWrite, path);
  return absl::OkStatus();
}

void StartWriteback(const FileDescriptor& file, uint64_t offset, uint64_t length) {
  (void)sync_file_range(file.get(), static_cast<off_t>(offset), static_cast<off_t>(length), SYNC_FILE_RANGE_WRITE);
}

absl::Status SetModificationTime(const FileDescriptor& file, int64_t mtime_ns, absl::string_view path) {
  timespec times[2] = {};
  times[0].tv_nsec = UTIME_OMIT;
  times[1].tv_sec = mtime_ns / 1'000'000'000;
  times[1].tv_nsec = mtime_ns % 1'000'000'000;
  return futimens(file.get(), times) == 0 ? absl::OkStatus() : ErrnoError("set the time of", path);
}

absl::Status SyncFile(const FileDescriptor& file, const std::string& path) {
  if (fsync(file.get()) != 0) {
    return ErrnoError("sync", path);
  }
  Report(FileEffect::Kind::kSyncFile, path);
  return absl::OkStatus();
}

absl::Status SyncFolder(const std::string& path) {
  CLEAVE_ASSIGN_OR_RETURN(const FileDescriptor folder, OpenFile(path, O_RDONLY | O_DIRECTORY));
  if (!folder.is_open() || fsync(folder.get()) != 0) {
    return ErrnoError("sync folder", path);
  }
  Report(FileEffect::Kind::kSyncFolder, path);
  return absl::OkStatus();
}

absl::Status SyncFileAndFolder(const FileDescriptor& file, const std::string& path, const std::string& folder_path) {
  CLEAVE_ASSIGN_OR_RETURN(const FileDescriptor folder, OpenFile(folder_path, O_RDONLY | O_DIRECTORY));
  if (!folder.is_open()) {
    return ErrnoError("sync folder", folder_path);
  }
  CLEAVE_RETURN_IF_ERROR(ParallelFor(2, 2, [&](int64_t i) {
    const FileDescriptor& synced = i == 0 ? file : folder;
    return fsync(synced.get()) == 0 ? absl::OkStatus() : ErrnoError("sync", i == 0 ? path : folder_path);
  }));
  Report(FileEffect::Kind::kSyncFile, path);
  Report(FileEffect::Kind::kSyncFolder, folder_path);
  return absl::OkStatus();
}

absl::Status RenameFile(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) {
    return ErrnoError("replace", to);
  }
  Report(FileEffect::Kind::kRename, from, to);
  return absl::OkStatus();
}

absl::Status UnlinkFile(const std::string& path) {
  if (unlink(path.c_str()) != 0) {
    return NoSuchPath() ? absl::OkStatus() : ErrnoError("remove", path);
  }
  Report(FileEffect::Kind::kUnlink, path);
  return absl::OkStatus();
}

absl::StatusOr<bool> MakeFolder(const std::string& path) {
  if (mkdir(path.c_str(), 0777) == 0) {
    Report(FileEffect::Kind::kMakeFolder, path);
    return true;
  }
  if (errno != EEXIST) {
    return ErrnoError("make folder", path);
  }
  CLEAVE_ASSIGN_OR_RETURN(const FileDescriptor folder, OpenFile(path, O_PATH | O_DIRECTORY));
  return folder.is_open() ? absl::StatusOr<bool>(false) : ErrnoError("make folder", path);
}

void SetFileEffectObserver(std::function<void(const FileEffect&)> observer) { Observer() = std::move(observer); }

}  // namespace cleave::store
