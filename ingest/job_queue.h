// Jobs that several processes of one machine share: each is done by one of them, and by another when that one dies.
//
//   CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<JobQueue> queue, JobQueue::Create("/p/ingest/voxels", 100, {}));
//   // in any process:
//   CLEAVE_ASSIGN_OR_RETURN(const std::optional<TakenJob> job, queue->Take(worker));
//   ... do job->index, and Renew(*job) meanwhile ...
//   CLEAVE_RETURN_IF_ERROR(queue->Finish(*job));
//
// A job is queued, taken, done or failed. Who takes it has a lease, which ends unless it is renewed; then the next one
// takes it. A worker that only slept does the job a second time: so doing a job twice must be doing it once. What it
// makes must be durable before Finish: after a power cut the queue may have forgotten what it knew last, never the
// other way round.
//
// The queue is a folder. `jobs` holds one record of 64 bytes for each job, and whoever reads or writes records holds
// its lock (flock), which the kernel gives free when a process dies. A record is written at once and has a checksum;
// one that is damaged counts as queued. `failed-N` says why job N failed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "store/file_store.h"
#include "store/posix_file.h"

namespace cleave::ingest {

// Who takes jobs: a number that no other worker has (worker_presence.h).
enum class WorkerId : uint64_t {};

enum class JobState : uint8_t { kQueued = 0, kTaken = 1, kDone = 2, kFailed = 3 };

struct JobRecord {
  JobState state = JobState::kQueued;
  uint32_t takes = 0;       // how often it was taken since it was queued by hand
  WorkerId worker = {};     // who took it last
  absl::Time expires = {};  // of a taken one: the end of the lease
  absl::Time changed = {};  // when it came into this state
  friend bool operator==(const JobRecord&, const JobRecord&) = default;
};

// The right to do one job.
struct TakenJob {
  int64_t index = 0;
  WorkerId worker{};
  uint32_t takes = 0;
};

struct JobCounts {
  int64_t queued = 0;
  int64_t taken = 0;
  int64_t done = 0;
  int64_t failed = 0;
  [[nodiscard]] int64_t total() const { return queued + taken + done + failed; }
  // Nothing will happen any more by itself.
  [[nodiscard]] bool settled() const { return queued == 0 && taken == 0; }
};

struct JobFailure {
  int64_t index = 0;
  absl::Status status;
};

struct JobQueueOptions {
  absl::Duration lease = absl::Minutes(1);
  // A job whose worker died so often is failed: it would go on killing.
  uint32_t takes_max = 50;
  Clock* clock = &Clock::System();
};

// Thread-safe; so are several objects of one folder, in any processes.
class JobQueue {
 public:
  // Makes the queue with `jobs` queued jobs, or opens the one that is there. FAILED_PRECONDITION when that has another
  // number of jobs. One process at a time.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<JobQueue>> Create(const std::string& folder, int64_t jobs,
                                                                        const JobQueueOptions& options);
  // NOT_FOUND when there is none; DATA_LOSS when its file is cut short.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<JobQueue>> Open(const std::string& folder,
                                                                      const JobQueueOptions& options);

  // A job that is queued, or whose lease has ended; nothing when there is none.
  [[nodiscard]] absl::StatusOr<std::optional<TakenJob>> Take(WorkerId worker);
  // These three: ABORTED when the job has another holder by now, or is queued or settled.
  [[nodiscard]] absl::Status Renew(const TakenJob& job);
  [[nodiscard]] absl::Status Finish(const TakenJob& job);
  [[nodiscard]] absl::Status Fail(const TakenJob& job, const absl::Status& why);
  // Queues what a dead worker holds.
  [[nodiscard]] absl::Status Release(WorkerId dead);
  // Queues jobs whatever their state, as if they had never been taken. Not while workers hold them.
  [[nodiscard]] absl::Status Requeue(std::span<const int64_t> jobs);
  // Likewise all that failed.
  [[nodiscard]] absl::Status RequeueFailed();

  [[nodiscard]] absl::StatusOr<std::vector<JobRecord>> Records() const;
  [[nodiscard]] absl::StatusOr<JobCounts> Counts() const;
  // The first `limit` jobs that failed.
  [[nodiscard]] absl::StatusOr<std::vector<JobFailure>> Failures(size_t limit) const;
  [[nodiscard]] int64_t size() const { return size_; }

 private:
  JobQueue(std::string folder, store::FileDescriptor file, int64_t size, const JobQueueOptions& options);
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
