// What an ingest by many processes does, for who watches it from outside.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

#include "base/progress.h"
#include "ingest/ingest_folder.h"
#include "ingest/job_engine.h"
#include "ingest/job_queue.h"

namespace cleave::ingest {

// Hands everything on to `progress`, and notes it in the folder: at the beginning of a stage, and then every second.
// Errors of writing are not told: the ingest goes on without its note.
class StageFile final : public Progress {
 public:
  StageFile(const IngestFolder& folder, Progress& progress) : folder_(folder), progress_(progress) {}
  void Begin(const std::string& stage, int64_t total, const std::string& unit) override;
  void Advance(int64_t steps) override;
  void End() override;

 private:
  void Note(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  const IngestFolder& folder_;
  Progress& progress_;
  absl::Mutex mutex_;
  std::string stage_ ABSL_GUARDED_BY(mutex_);
  std::string unit_ ABSL_GUARDED_BY(mutex_);
  int64_t done_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t total_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t first_ ABSL_GUARDED_BY(mutex_) = 0;  // done by an earlier run
  absl::Time begun_ ABSL_GUARDED_BY(mutex_);
  absl::Time noted_ ABSL_GUARDED_BY(mutex_);
};

struct StageStatus {
  std::string name;  // "voxels", "layer 4"
  std::string unit;
  int64_t done = 0;
  int64_t total = 0;  // 0: not known
  double per_second = 0;
};

struct QueueStatus {
  std::string name;
  bool lost = false;  // by a Redis server; the coordinator makes it again. What else there is to say is not known
  JobCounts jobs;
  std::string unit;  // what jobs are made of
  int64_t done = 0;
  int64_t total = 0;
  double per_second = 0;             // in the last minute in which anything was done
  std::vector<JobFailure> failures;  // the first few
};

struct IngestStatus {
  bool ended = false;                // all else is empty then
  bool coordinator = false;          // whether the process that owns the table lives
  int workers = 0;                   // that live
  std::optional<StageStatus> stage;  // of the coordinator; the last one when it is dead
  std::vector<QueueStatus> queues;   // of the plan
};

// NOT_FOUND when the folder is no project of `cleave ingest graph`; FAILED_PRECONDITION when it goes by Redis, and
// `redis` does not say where. Opens no table; disturbs nobody.
[[nodiscard]] absl::StatusOr<IngestStatus> ReadIngestStatus(const std::string& project_folder,
                                                            const std::optional<RedisJobsOptions>& redis = {});

}  // namespace cleave::ingest
