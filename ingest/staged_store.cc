#include "ingest/staged_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "base/crash_point.h"
#include "base/status.h"
#include "store/posix_file.h"

namespace cleave::ingest {
namespace {

// No other process has the number of this one while it lives, and none that died began in the same nanosecond.
std::string NameOfItsOwn() {
  static const int64_t begun_ns = absl::GetCurrentTimeNanos();
  static std::atomic<uint64_t> count{0};
  return absl::StrCat(getpid(), "_", begun_ns, "_", count.fetch_add(1));
}

}  // namespace

absl::StatusOr<store::Generation> StagedStore::Write(absl::string_view key, absl::string_view value,
                                                     const store::WriteOptions& options) {
  if (options.if_generation.has_value()) {
    return base_.Write(key, value, options);
  }
  const std::string path = absl::StrCat(folder_, "/", key);
  const std::string final_folder = path.substr(0, path.rfind('/'));
  CLEAVE_RETURN_IF_ERROR(store::MakeFolder(staging_).status());
  const std::string staged = absl::StrCat(staging_, "/", NameOfItsOwn());
  constexpr int kFlags = O_CREAT | O_EXCL | O_WRONLY;
  CLEAVE_ASSIGN_OR_RETURN(const store::FileDescriptor file, store::OpenFile(staged, kFlags));
  if (!file.is_open()) {
    return absl::NotFoundError(absl::StrCat(staging_, " is gone; the ingest has ended"));
  }
  absl::Status status = store::WriteAt(file, 0, value, staged);
  CrashPoint("ingest.staged_write");
  status.Update(status.ok() ? store::SyncFile(file, staged) : absl::OkStatus());
  status.Update(status.ok() ? folders_.Make(final_folder) : absl::OkStatus());
  status.Update(status.ok() ? store::RenameFile(staged, path) : absl::OkStatus());
  if (!status.ok()) {
    (void)store::UnlinkFile(staged);
    return status;
  }
  CLEAVE_RETURN_IF_ERROR(store::SyncFolder(final_folder));
  CLEAVE_ASSIGN_OR_RETURN(store::ReadResult written, base_.Read(key, {.range = {.begin = 0, .end = 0}}));
  return std::move(written.generation);
}

}  // namespace cleave::ingest
