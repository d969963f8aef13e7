// Where the processes of one ingest share their jobs, and are told of each other: the files of the project's folder,
// for one machine, or a Redis server, for machines that see the same folder but cannot trust its locks.
//
//   CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<JobEngine> engine, OpenJobEngine(folder, Beginning::kNo, options));
//   CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Presence> me, engine->Announce());
//   CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<JobQueue> queue, engine->Open("voxels"));
//   CLEAVE_ASSIGN_OR_RETURN(const std::optional<TakenJob> job, queue->Take(me->id()));
//
// What is made of the data lies in the project's folder in either case.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "ingest/ingest_folder.h"
#include "ingest/job_queue.h"
#include "store/redis_connection.h"

namespace cleave::ingest {

// A worker or the coordinator, alive as long as this exists.
class Presence {
 public:
  explicit Presence(WorkerId id) : id_(id) {}
  virtual ~Presence() = default;
  Presence(const Presence&) = delete;
  Presence& operator=(const Presence&) = delete;
  [[nodiscard]] WorkerId id() const { return id_; }  // of a worker

 private:
  const WorkerId id_;
};

// Thread-safe. Must outlive its queues and presences.
class JobEngine {
 public:
  virtual ~JobEngine() = default;

  // Makes the queue with `jobs` jobs, of which those of `done` are done and all others queued; or opens the one that is
  // there. FAILED_PRECONDITION when that has another number of jobs. By the coordinator only.
  [[nodiscard]] virtual absl::StatusOr<std::unique_ptr<JobQueue>> Create(const std::string& name, int64_t jobs,
                                                                         std::span<const int64_t> done) = 0;
  // NOT_FOUND when there is none.
  [[nodiscard]] virtual absl::StatusOr<std::unique_ptr<JobQueue>> Open(const std::string& name) = 0;

  // A worker under an id of its own. The folder must exist.
  [[nodiscard]] virtual absl::StatusOr<std::unique_ptr<Presence>> Announce() = 0;
  // Calls `bury` for each dead worker, and forgets it when that succeeds. Safe to be called by many at once.
  [[nodiscard]] virtual absl::Status BuryDead(const std::function<absl::Status(WorkerId)>& bury) = 0;
  // How many live.
  [[nodiscard]] virtual absl::StatusOr<int> CountWorkers() = 0;

  // Writes down in the folder, which must exist, that the ingest goes by this engine. UNAVAILABLE when it goes by
  // another one by now.
  [[nodiscard]] virtual absl::Status Note() = 0;
  // The process that owns the table. UNAVAILABLE when there is another one. The folder must exist.
  [[nodiscard]] virtual absl::StatusOr<std::unique_ptr<Presence>> Coordinate() = 0;
  [[nodiscard]] virtual absl::StatusOr<bool> CoordinatorLives() = 0;

  // Whether queues can be lost while they are in use. The coordinator then makes them again, by what was left of jobs.
  [[nodiscard]] virtual bool Forgets() const = 0;
  // A number that is another one when something may have been lost since.
  [[nodiscard]] virtual int64_t losses() const = 0;
  // Removes all that is not in the folder. When nobody is at work any more.
  [[nodiscard]] virtual absl::Status Remove() = 0;
};

struct RedisJobsOptions {
  store::RedisAddress address;
  // While the server does not answer, everything waits and tries again; for so long, then it is an error.
  absl::Duration patience = absl::Minutes(10);
  // Of what lives, the key expires so long after it was renewed last; of workers not later than their leases.
  absl::Duration presence = absl::Seconds(5);
  // Called with the first error when the server does not answer, and with OK when it does again; from any thread.
  std::function<void(const absl::Status&)> on_change = {};
};

struct JobEngineOptions {
  JobQueueOptions queue = {};
  std::optional<RedisJobsOptions> redis = {};  // nothing: files
  RandomSource* random = &RandomSource::System();
};

// Whether the caller may begin an ingest, as the coordinator does.
enum class Beginning { kNo, kYes };

// FAILED_PRECONDITION when the ingest goes by another engine than `options` say. `folder` must outlive the engine.
[[nodiscard]] absl::StatusOr<std::unique_ptr<JobEngine>> OpenJobEngine(IngestFolder& folder, Beginning beginning,
                                                                       const JobEngineOptions& options);
// Likewise, without the check.
[[nodiscard]] std::unique_ptr<JobEngine> MakeFileJobEngine(IngestFolder& folder, const JobEngineOptions& options);

}  // namespace cleave::ingest
