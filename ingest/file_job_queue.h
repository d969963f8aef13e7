// A queue of jobs (job_queue.h) in a folder, for the processes of one machine.
//
// `jobs` holds one record of 64 bytes for each job, and whoever reads or writes records holds its lock (flock), which
// the kernel gives free when a process dies. A record is written at once and has a checksum; one that is damaged counts
// as queued. `failed-N` says why job N failed. After a power cut the newest records may be lost.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

#include "ingest/job_queue.h"
#include "store/file_store.h"
#include "store/posix_file.h"

namespace cleave::ingest {

class FileJobQueue final : public JobQueue {
 public:
  // Makes the queue with `jobs` jobs, of which those of `done` are done and all others queued; or opens the one that is
  // there. FAILED_PRECONDITION when that has another number of jobs. One process at a time.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<FileJobQueue>> Create(const std::string& folder, int64_t jobs,
                                                                            std::span<const int64_t> done,
                                                                            const JobQueueOptions& options);
  // NOT_FOUND when there is none; DATA_LOSS when its file is cut short.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<FileJobQueue>> Open(const std::string& folder,
                                                                          const JobQueueOptions& options);

  [[nodiscard]] absl::StatusOr<std::optional<TakenJob>> Take(WorkerId worker) override;
  [[nodiscard]] absl::Status Renew(const TakenJob& job) override;
  [[nodiscard]] absl::Status Finish(const TakenJob& job) override;
  [[nodiscard]] absl::Status Fail(const TakenJob& job, const absl::Status& why) override;
  [[nodiscard]] absl::Status Release(WorkerId dead) override;
  [[nodiscard]] absl::Status Requeue(std::span<const int64_t> jobs) override;
  [[nodiscard]] absl::StatusOr<std::vector<JobRecord>> Records() const override;
  [[nodiscard]] absl::StatusOr<JobCounts> Counts() const override;
  [[nodiscard]] absl::StatusOr<std::vector<JobFailure>> Failures(size_t limit) const override;
  [[nodiscard]] int64_t size() const override { return size_; }

 private:
  FileJobQueue(std::string folder, store::FileDescriptor file, int64_t size, const JobQueueOptions& options);
  class Locked;
  [[nodiscard]] absl::Status Settle(const TakenJob& job, JobState state);
  [[nodiscard]] absl::Status NoteFailure(int64_t index, const absl::Status& why);
  [[nodiscard]] std::string jobs_path() const { return folder_ + "/jobs"; }

  const std::string folder_;
  const store::FileDescriptor file_;
  const int64_t size_;
  const JobQueueOptions options_;
  mutable store::FileStore messages_;
  mutable absl::Mutex mutex_;  // flock keeps processes apart, this the threads that share the file
};

// One record as it lies in the file: CRC-32C of the rest u32, state u8, 3 zeros, takes u32, 4 zeros, worker u64, end of
// the lease i64, last change i64 (both milliseconds since 1970), 24 zeros; little-endian.
inline constexpr int64_t kJobRecordBytes = 64;
[[nodiscard]] std::string EncodeJobRecord(const JobRecord& record);
// A damaged record is a queued job.
[[nodiscard]] JobRecord DecodeJobRecord(absl::string_view bytes);

}  // namespace cleave::ingest
