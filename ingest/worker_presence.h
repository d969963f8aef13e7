// Which workers live: each has a file whose lock it holds, and the kernel takes the lock away when the process dies,
// however it dies. So whoever finds the lock free knows that the worker is dead, without waiting for any lease.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "base/clock.h"
#include "ingest/job_queue.h"
#include "store/posix_file.h"

namespace cleave::ingest {

// Alive as long as this exists. The file lies in `folder` and is called by 16 hex digits of the id.
class WorkerPresence {
 public:
  // `folder` must exist.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<WorkerPresence>> Announce(const std::string& folder,
                                                                                RandomSource& random);
  ~WorkerPresence();
  [[nodiscard]] WorkerId id() const { return id_; }

 private:
  WorkerPresence(std::string path, store::FileDescriptor file, WorkerId id)
      : path_(std::move(path)), file_(std::move(file)), id_(id) {}
  const std::string path_;
  const store::FileDescriptor file_;
  const WorkerId id_;
};

// Calls `bury` for each dead worker, and forgets it when that succeeds. Safe to be called by many at once.
[[nodiscard]] absl::Status BuryDeadWorkers(const std::string& folder,
                                           const std::function<absl::Status(WorkerId)>& bury);
// How many live.
[[nodiscard]] absl::StatusOr<int> CountWorkers(const std::string& folder);

// A lock that one process at a time can hold, by the file at `path`, until it is destroyed. UNAVAILABLE, with `what`,
// when another one, or another object of this process, has it.
class ProcessLock {
 public:
  [[nodiscard]] static absl::StatusOr<ProcessLock> Acquire(const std::string& path, absl::string_view what);

 private:
  explicit ProcessLock(store::FileDescriptor file) : file_(std::move(file)) {}
  store::FileDescriptor file_;
};
// Whether anybody holds it.
[[nodiscard]] absl::StatusOr<bool> IsLocked(const std::string& path);

}  // namespace cleave::ingest
