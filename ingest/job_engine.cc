#include "ingest/job_engine.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "ingest/file_job_queue.h"
#include "ingest/redis_job_engine.h"
#include "ingest/worker_presence.h"

namespace cleave::ingest {
namespace {

class FilePresence final : public Presence {
 public:
  explicit FilePresence(std::unique_ptr<WorkerPresence> file) : Presence(file->id()), file_(std::move(file)) {}

 private:
  const std::unique_ptr<WorkerPresence> file_;
};

class FileCoordinator final : public Presence {
 public:
  explicit FileCoordinator(ProcessLock lock) : Presence(WorkerId{}), lock_(std::move(lock)) {}

 private:
  const ProcessLock lock_;
};

class FileJobEngine final : public JobEngine {
 public:
  FileJobEngine(const IngestFolder& folder, JobEngineOptions options) : folder_(folder), options_(std::move(options)) {}

  absl::StatusOr<std::unique_ptr<JobQueue>> Create(const std::string& name, int64_t jobs,
                                                   std::span<const int64_t> done) override {
    return FileJobQueue::Create(folder_.QueuePath(name), jobs, done, options_.queue);
  }
  absl::StatusOr<std::unique_ptr<JobQueue>> Open(const std::string& name) override {
    return FileJobQueue::Open(folder_.QueuePath(name), options_.queue);
  }
  absl::StatusOr<std::unique_ptr<Presence>> Announce() override {
    CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<WorkerPresence> file,
                            WorkerPresence::Announce(folder_.workers_path(), *options_.random));
    return std::make_unique<FilePresence>(std::move(file));
  }
  absl::Status BuryDead(const std::function<absl::Status(WorkerId)>& bury) override {
    return BuryDeadWorkers(folder_.workers_path(), bury);
  }
  absl::StatusOr<int> CountWorkers() override { return ingest::CountWorkers(folder_.workers_path()); }
  absl::Status Note() override { return absl::OkStatus(); }
  absl::StatusOr<std::unique_ptr<Presence>> Coordinate() override {
    CLEAVE_ASSIGN_OR_RETURN(ProcessLock lock, ProcessLock::Acquire(folder_.coordinator_path(),
                                                                   "another process makes this project already"));
    return std::make_unique<FileCoordinator>(std::move(lock));
  }
  absl::StatusOr<bool> CoordinatorLives() override { return IsLocked(folder_.coordinator_path()); }
  [[nodiscard]] bool Forgets() const override { return false; }
  [[nodiscard]] int64_t losses() const override { return 0; }
  absl::Status Remove() override { return absl::OkStatus(); }

 private:
  const IngestFolder& folder_;
  const JobEngineOptions options_;
};

}  // namespace

std::unique_ptr<JobEngine> MakeFileJobEngine(IngestFolder& folder, const JobEngineOptions& options) {
  return std::make_unique<FileJobEngine>(folder, options);
}

absl::StatusOr<std::unique_ptr<JobEngine>> OpenJobEngine(IngestFolder& folder, Beginning beginning,
                                                         const JobEngineOptions& options) {
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<RedisIngest> noted, ReadRedisIngest(folder));
  if (!options.redis.has_value()) {
    if (noted.has_value()) {
      return absl::FailedPreconditionError(absl::StrCat("the ingest of ", folder.project(),
                                                        " shares its jobs through the Redis server ", noted->address,
                                                        "; say where it is with --redis URL or CLEAVE_REDIS"));
    }
    return MakeFileJobEngine(folder, options);
  }
  if (noted.has_value()) {
    return MakeRedisJobEngine(folder, noted->id, options);
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> plan, folder.ReadPlan());
  if (beginning == Beginning::kNo || !plan.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the ingest of ", folder.project(),
        " shares its jobs through files, not through Redis: leave --redis, CLEAVE_REDIS and `redis:` away"));
  }
  return MakeRedisJobEngine(folder, NewRedisIngestId(*options.random), options);
}

}  // namespace cleave::ingest
