// The queues of an ingest, as the process sees them that owns the table: it makes them, has workers do them, and ends
// the fills of the base that they make parts of.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "base/progress.h"
#include "graph/dataset.h"
#include "ingest/chunk_lots.h"
#include "ingest/ingest_folder.h"
#include "ingest/job_engine.h"
#include "ingest/job_queue.h"
#include "ingest/process_ingest.h"
#include "ingest/worker_crew.h"

namespace cleave::ingest {

// One queue of the board: its jobs are lots of something.
struct BoardQueue {
  std::string name;
  Lots lots;
  std::string unit;  // of lots: "chunks"
};

// Not thread-safe. All arguments must outlive it.
class JobBoard {
 public:
  JobBoard(graph::Dataset& dataset, IngestFolder& folder, JobEngine& engine, const ChunkLots& chunks,
           const ProcessIngestOptions& options, Progress& progress)
      : dataset_(dataset), folder_(folder), engine_(engine), chunks_(chunks), options_(options), progress_(progress) {}

  // Makes the queues, or goes on with those that are there, in which failed jobs and jobs of which something that they
  // left is lost are queued again; workers do them in this order.
  [[nodiscard]] absl::Status Plan(std::vector<BoardQueue> queues);
  // Whether a queue is there and all of its jobs are done.
  [[nodiscard]] absl::StatusOr<bool> IsDone(const std::string& name) const;
  // For each job of a queue, whether all that it leaves is there: a part of the fill, files of the spool.
  [[nodiscard]] absl::StatusOr<std::vector<bool>> LeftWhole(const BoardQueue& planned) const;
  // Waits until all jobs of a planned queue are done, with workers of its own if that is wanted. `look` is called every
  // now and then with the records of the jobs, and once when all are done. The error of the jobs, when some failed. An
  // engine that forgets queues meanwhile gets them again, without the jobs whose work is there.
  [[nodiscard]] absl::Status WaitFor(const std::string& name,
                                     absl::FunctionRef<absl::Status(const std::vector<JobRecord>&)> look);
  // Jobs for chunks are to be done again, in whichever of the queues there are: what they left in the spool is removed.
  // Not while workers are at work.
  [[nodiscard]] absl::Status Requeue(const std::vector<std::string>& names, const std::vector<int64_t>& jobs);
  // Commits the fill of this name, whose parts are the jobs'. Once, however often it is called.
  [[nodiscard]] absl::Status CommitFill(const BoardQueue& queue);
  [[nodiscard]] absl::Status ForgetFill(const std::string& name);
  // Nothing is to be done any more: ends the workers, and removes from the base what dead ones left half written, and
  // what only the fills needed. REQUIRES: all fills are committed and forgotten.
  [[nodiscard]] absl::Status Clear();
  // Jobs that Plan has made queues of.
  [[nodiscard]] int64_t jobs() const { return jobs_; }

 private:
  enum class Failed { kStay, kQueued };
  [[nodiscard]] absl::StatusOr<std::unique_ptr<JobQueue>> Make(const BoardQueue& planned, Failed failed);
  [[nodiscard]] absl::Status MakeLostAgain();
  [[nodiscard]] absl::Status RequeueLost(JobQueue& queue, const BoardQueue& planned) const;
  [[nodiscard]] absl::Status BuryDead();

  graph::Dataset& dataset_;
  IngestFolder& folder_;
  JobEngine& engine_;
  const ChunkLots& chunks_;
  const ProcessIngestOptions& options_;
  Progress& progress_;
  std::vector<BoardQueue> plan_;
  std::vector<std::unique_ptr<JobQueue>> queues_;  // of the plan
  std::unique_ptr<WorkerCrew> crew_;
  int64_t jobs_ = 0;
  int64_t losses_ = 0;  // of the engine, as far as they were looked after
};

}  // namespace cleave::ingest
