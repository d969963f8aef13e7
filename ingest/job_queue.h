// Jobs that several processes share: each is done by one of them, and by another when that one dies.
//
//   CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<JobQueue> queue, engine.Create("voxels", 100, {}));
//   // in any process:
//   CLEAVE_ASSIGN_OR_RETURN(const std::optional<TakenJob> job, queue->Take(worker));
//   ... do job->index, and Renew(*job) meanwhile ...
//   CLEAVE_RETURN_IF_ERROR(queue->Finish(*job));
//
// A job is queued, taken, done or failed. Who takes it has a lease, which ends unless it is renewed; then the next one
// takes it. A worker that only slept does the job a second time: so doing a job twice must be doing it once. What it
// makes must be durable before Finish: a queue may forget what it knew last, never the other way round.
//
// Where queues are kept is an engine's matter (job_engine.h): in files (file_job_queue.h) or in a Redis server
// (redis_job_queue.h).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "base/clock.h"

namespace cleave::ingest {

// Who takes jobs: a number that no other worker has (job_engine.h).
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
  // The system's: in Redis its own, which is the same for all machines.
  Clock* clock = &Clock::System();
};

// Thread-safe; so are several objects of one queue, in any processes. NOT_FOUND, from any of them: the engine has lost
// the queue, which is to be made again.
class JobQueue {
 public:
  virtual ~JobQueue() = default;

  // A job that is queued, or whose lease has ended, the first one in order; nothing when there is none.
  [[nodiscard]] virtual absl::StatusOr<std::optional<TakenJob>> Take(WorkerId worker) = 0;
  // These three: ABORTED when the job has another holder by now, or is queued or settled, or the queue is lost.
  [[nodiscard]] virtual absl::Status Renew(const TakenJob& job) = 0;
  [[nodiscard]] virtual absl::Status Finish(const TakenJob& job) = 0;
  [[nodiscard]] virtual absl::Status Fail(const TakenJob& job, const absl::Status& why) = 0;
  // Queues what a dead worker holds.
  [[nodiscard]] virtual absl::Status Release(WorkerId dead) = 0;
  // Queues jobs whatever their state, as if they had never been taken. Not while workers hold them.
  [[nodiscard]] virtual absl::Status Requeue(std::span<const int64_t> jobs) = 0;
  // Likewise all that failed.
  [[nodiscard]] absl::Status RequeueFailed();

  [[nodiscard]] virtual absl::StatusOr<std::vector<JobRecord>> Records() const = 0;
  [[nodiscard]] virtual absl::StatusOr<JobCounts> Counts() const = 0;
  // The first `limit` jobs that failed.
  [[nodiscard]] virtual absl::StatusOr<std::vector<JobFailure>> Failures(size_t limit) const = 0;
  [[nodiscard]] virtual int64_t size() const = 0;
};

[[nodiscard]] JobCounts CountsOf(std::span<const JobRecord> records);

// Why a job failed, as queues keep it: the code in decimals, a line break, the message. UNKNOWN for what is none.
[[nodiscard]] std::string EncodeFailure(const absl::Status& why);
[[nodiscard]] absl::Status DecodeFailure(absl::string_view text);
[[nodiscard]] absl::Status DiedTooOften(uint32_t takes);

}  // namespace cleave::ingest
