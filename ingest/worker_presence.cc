#include "ingest/worker_presence.h"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include <sys/file.h>

#include "base/status.h"

namespace cleave::ingest {
namespace {

namespace fs = std::filesystem;

// False when another one has it.
absl::StatusOr<bool> TryLock(const store::FileDescriptor& file, const std::string& path) {
  while (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return false;
    }
    if (errno != EINTR) {
      return store::ErrnoError("lock", path);
    }
  }
  return true;
}

// The file, locked; none when another one has the lock, or the file is no longer what the path names.
absl::StatusOr<store::FileDescriptor> OpenLocked(const std::string& path, int flags) {
  CLEAVE_ASSIGN_OR_RETURN(store::FileDescriptor file, store::OpenFile(path, flags | O_CLOEXEC));
  if (!file.is_open()) {
    return file;
  }
  CLEAVE_ASSIGN_OR_RETURN(const bool locked, TryLock(file, path));
  CLEAVE_ASSIGN_OR_RETURN(const store::FileIdentity opened, store::Identify(file, path));
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<store::FileIdentity> named, store::IdentifyPath(path));
  return locked && named == opened ? std::move(file) : store::FileDescriptor();
}

absl::StatusOr<std::vector<std::pair<std::string, WorkerId>>> ListWorkers(const std::string& folder) {
  std::vector<std::pair<std::string, WorkerId>> workers;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    uint64_t id = 0;
    const std::string name = entry->path().filename().string();
    if (name.size() == 2 * sizeof(id) && absl::SimpleHexAtoi(name, &id)) {
      workers.emplace_back(entry->path().string(), WorkerId{id});
    }
  }
  return workers;
}

}  // namespace

absl::StatusOr<std::unique_ptr<WorkerPresence>> WorkerPresence::Announce(const std::string& folder,
                                                                         RandomSource& random) {
  for (;;) {
    std::array<uint8_t, sizeof(uint64_t)> bytes{};
    random.Fill(bytes);
    uint64_t id = 0;
    for (const uint8_t byte : bytes) {
      id = id << 8 | byte;
    }
    const std::string path = absl::StrCat(folder, "/", absl::Hex(id, absl::kZeroPad16));
    CLEAVE_ASSIGN_OR_RETURN(store::FileDescriptor file, OpenLocked(path, O_RDWR | O_CREAT | O_EXCL));
    if (file.is_open()) {
      return std::unique_ptr<WorkerPresence>(new WorkerPresence(path, std::move(file), WorkerId{id}));
    }
    std::error_code error;
    if (!fs::is_directory(folder, error)) {
      return absl::NotFoundError(absl::StrCat("there is no folder ", folder));
    }
    // Somebody took it for dead before it was locked: once more, by another name.
  }
}

WorkerPresence::~WorkerPresence() { (void)store::UnlinkFile(path_); }

absl::Status BuryDeadWorkers(const std::string& folder, const std::function<absl::Status(WorkerId)>& bury) {
  CLEAVE_ASSIGN_OR_RETURN(const auto workers, ListWorkers(folder));
  for (const auto& [path, id] : workers) {
    CLEAVE_ASSIGN_OR_RETURN(const store::FileDescriptor file, OpenLocked(path, O_RDWR));
    if (file.is_open()) {
      CLEAVE_RETURN_IF_ERROR(bury(id));
      CLEAVE_RETURN_IF_ERROR(store::UnlinkFile(path));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<int> CountWorkers(const std::string& folder) {
  CLEAVE_ASSIGN_OR_RETURN(const auto workers, ListWorkers(folder));
  int alive = 0;
  for (const auto& [path, id] : workers) {
    CLEAVE_ASSIGN_OR_RETURN(const bool locked, IsLocked(path));
    alive += locked ? 1 : 0;
  }
  return alive;
}

// Who only looks whether it is held (IsLocked) holds it for a moment.
absl::StatusOr<ProcessLock> ProcessLock::Acquire(const std::string& path, absl::string_view what) {
  for (int tries_left = 20; tries_left > 0; --tries_left) {
    CLEAVE_ASSIGN_OR_RETURN(store::FileDescriptor file, OpenLocked(path, O_RDWR | O_CREAT));
    if (file.is_open()) {
      return ProcessLock(std::move(file));
    }
    absl::SleepFor(absl::Milliseconds(10));
  }
  return absl::UnavailableError(what);
}

absl::StatusOr<bool> IsLocked(const std::string& path) {
  CLEAVE_ASSIGN_OR_RETURN(const store::FileDescriptor file, store::OpenFile(path, O_RDWR | O_CLOEXEC));
  if (!file.is_open()) {
    return false;
  }
  CLEAVE_ASSIGN_OR_RETURN(const bool locked, TryLock(file, path));
  return !locked;
}

}  // namespace cleave::ingest
