#include "ingest/ingest_worker.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "base/crash_point.h"
#include "base/status.h"
#include "graph/dataset.h"
#include "ingest/ingest_folder.h"
#include "ingest/ingest_jobs.h"

namespace cleave::ingest {
namespace {

constexpr int kTriesOfTransport = 7;
constexpr absl::Duration kFirstPause = absl::Milliseconds(100);  // doubles with each try
constexpr absl::Duration kPauseBetweenLooks = absl::Milliseconds(50);
constexpr absl::Duration kPauseByRedis = absl::Milliseconds(200);  // one server has many that look

// Renews a lease from a thread of its own, as long as it exists.
class LeaseKeeper {
 public:
  LeaseKeeper(JobQueue& queue, const TakenJob& job, absl::Duration lease)
      : thread_([this, &queue, job, pause = absl::ToChronoMilliseconds(lease / 3)] {
          std::unique_lock lock(mutex_);
          while (!ended_changed_.wait_for(lock, pause, [this] { return ended_; })) {
            (void)queue.Renew(job);  // who has lost it does the job to its end all the same
          }
        }) {}
  ~LeaseKeeper() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    ended_changed_.notify_all();
    thread_.join();
  }
  LeaseKeeper(const LeaseKeeper&) = delete;
  LeaseKeeper& operator=(const LeaseKeeper&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable ended_changed_;
  bool ended_ = false;
  std::thread thread_;
};

class IngestWorker {
 public:
  IngestWorker(graph::Dataset& dataset, const DatasetFile& file, IngestFolder& folder, const WorkerOptions& options,
               JobEngine& engine, WorkerId id)
      : folder_(folder), options_(options), engine_(engine), id_(id), jobs_(dataset, file, folder, options.threads) {}

  absl::StatusOr<WorkerReport> Run() {
    for (;;) {
      if (options_.stop && options_.stop()) {
        return report_;
      }
      absl::StatusOr<Look> found = LookForWork();
      if (engine_.Forgets() && absl::IsNotFound(found.status())) {
        CLEAVE_ASSIGN_OR_RETURN(found, WaitForQueues(found.status()));
      } else {
        lost_since_.reset();
      }
      CLEAVE_ASSIGN_OR_RETURN(const Look look, std::move(found));
      if (look == Look::kNothingLeft && !options_.wait_for_more) {
        return report_;
      }
      if (look != Look::kDidOne) {
        CLEAVE_RETURN_IF_ERROR(BuryDead());
        absl::SleepFor(engine_.Forgets() ? kPauseByRedis : kPauseBetweenLooks);
      }
    }
  }

 private:
  enum class Look { kDidOne, kOthersWork, kNothingLeft };

  absl::StatusOr<Look> LookForWork() {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> plan, folder_.ReadPlan());
    report_.left = 0;
    bool blocked = false;
    for (const std::string& name : plan) {
      CLEAVE_ASSIGN_OR_RETURN(JobQueue * queue, Queue(name));
      if (!blocked) {
        CLEAVE_ASSIGN_OR_RETURN(const std::optional<TakenJob> job, queue->Take(id_));
        if (job.has_value()) {
          CLEAVE_RETURN_IF_ERROR(Do(name, *queue, *job));
          return Look::kDidOne;
        }
      }
      CLEAVE_ASSIGN_OR_RETURN(const JobCounts counts, queue->Counts());
      if (!blocked && !counts.settled()) {
        return Look::kOthersWork;
      }
      report_.left += counts.total() - counts.done;
      blocked = blocked || counts.failed > 0;
    }
    return Look::kNothingLeft;
  }

  // A queue of the plan is lost; the coordinator will make it again.
  absl::StatusOr<Look> WaitForQueues(const absl::Status& lost) {
    const absl::Time now = absl::Now();
    lost_since_ = lost_since_.value_or(now);
    if (now - *lost_since_ > options_.redis->patience) {
      return absl::UnavailableError(
          absl::StrCat(lost.message(), ": it has lost it, and nobody made it again; run `cleave ingest graph`"));
    }
    return Look::kOthersWork;
  }

  absl::StatusOr<JobQueue*> Queue(const std::string& name) {
    std::unique_ptr<JobQueue>& queue = queues_[name];
    if (queue == nullptr) {
      CLEAVE_ASSIGN_OR_RETURN(queue, engine_.Open(name));
    }
    return queue.get();
  }

  absl::Status Do(const std::string& name, JobQueue& queue, const TakenJob& job) {
    CrashPoint("ingest.job_taken");
    absl::Status result;
    {
      const LeaseKeeper keeper(queue, job, options_.queue.lease);
      absl::Duration pause = kFirstPause;
      for (int tries_left = kTriesOfTransport; tries_left > 0; --tries_left, pause *= 2) {
        result = jobs_.Do(name, job.index);
        if (!IsOfTransport(result) || tries_left == 1) {
          break;
        }
        absl::SleepFor(pause);
      }
    }
    CrashPoint("ingest.job_made");
    ++(result.ok() ? report_.done : report_.failed);
    const absl::Status noted = result.ok() ? queue.Finish(job) : queue.Fail(job, result);
    return absl::IsAborted(noted) ? absl::OkStatus() : noted;  // another one has it by now, and will say the same
  }

  absl::Status BuryDead() {
    return engine_.BuryDead([this](WorkerId dead) -> absl::Status {
      CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> plan, folder_.ReadPlan());
      for (const std::string& name : plan) {
        CLEAVE_ASSIGN_OR_RETURN(JobQueue * queue, Queue(name));
        CLEAVE_RETURN_IF_ERROR(queue->Release(dead));
      }
      return absl::OkStatus();
    });
  }

  IngestFolder& folder_;
  const WorkerOptions& options_;
  JobEngine& engine_;
  const WorkerId id_;
  IngestJobs jobs_;
  std::map<std::string, std::unique_ptr<JobQueue>> queues_;
  WorkerReport report_;
  std::optional<absl::Time> lost_since_;
};

}  // namespace

bool IsOfTransport(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) || absl::IsAborted(status) ||
         absl::IsInternal(status);
}

absl::StatusOr<WorkerReport> RunIngestWorker(const std::string& project_folder, const WorkerOptions& options) {
  IngestFolder folder(project_folder);
  CLEAVE_ASSIGN_OR_RETURN(const DatasetFile file, folder.ReadDataset());
  if (!folder.exists()) {
    return absl::NotFoundError(absl::StrCat("no ingest of ", project_folder, " is under way"));
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<graph::Dataset> dataset,
                          graph::Dataset::OpenWithoutTable(folder.project()));
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<JobEngine> engine,
                          OpenJobEngine(folder, Beginning::kNo,
                                        {.queue = options.queue, .redis = options.redis, .random = options.random}));
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Presence> presence, engine->Announce());
  return IngestWorker(*dataset, file, folder, options, *engine, presence->id()).Run();
}

}  // namespace cleave::ingest
