// A worker of an ingest by many processes: takes jobs from the queues of the plan, and does them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "base/parallel.h"
#include "ingest/job_engine.h"
#include "ingest/job_queue.h"

namespace cleave::ingest {

struct WorkerOptions {
  int threads = DefaultThreadCount();
  // At the end of the plan: waits for another one, until `stop`. Else it returns when nothing is left that it could do,
  // and nobody else is at work.
  bool wait_for_more = false;
  // Asked between jobs. Empty: never.
  std::function<bool()> stop = {};
  JobQueueOptions queue = {};
  // Of an ingest that shares its jobs through Redis, and only of such a one.
  std::optional<RedisJobsOptions> redis = {};
  RandomSource* random = &RandomSource::System();
};

struct WorkerReport {
  int64_t done = 0;    // jobs, by this worker
  int64_t failed = 0;  // likewise
  int64_t left = 0;    // jobs of the plan that are not done, when it ended
};

// An error of a transport (UNAVAILABLE, DEADLINE_EXCEEDED, ABORTED, INTERNAL) is tried again a few times, for about six
// seconds; then, and with every other error, the job is marked as failed and the next one is taken. A queue is begun
// when all jobs of those before it are done. While Redis does not answer, or has lost the queues and the coordinator
// has not made them again, the worker waits, as long as Redis's patience says. Returns an error when the ingest itself
// cannot be worked on: NOT_FOUND when none is under way, FAILED_PRECONDITION when it goes by files and not by Redis, or
// the other way round.
[[nodiscard]] absl::StatusOr<WorkerReport> RunIngestWorker(const std::string& project_folder,
                                                           const WorkerOptions& options);

// Whether an error may go away by itself.
[[nodiscard]] bool IsOfTransport(const absl::Status& status);

}  // namespace cleave::ingest
