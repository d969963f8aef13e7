#include "ingest/job_board.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"

#include "base/crash_point.h"
#include "base/status.h"
#include "ingest/ingest_jobs.h"
#include "ingest/worker_presence.h"
#include "ocdbt/database.h"
#include "ocdbt/fill.h"
#include "ocdbt/garbage.h"
#include "ocdbt/lease.h"

namespace cleave::ingest {
namespace {

constexpr absl::Duration kPauseOfBoard = absl::Milliseconds(30);
constexpr int64_t kFailuresTolerated = 20;  // then the rest of the queue is left alone
constexpr size_t kFailuresShown = 5;

// OK when no job failed.
absl::Status ErrorOfJobs(const std::string& name, const JobQueue& queue) {
  CLEAVE_ASSIGN_OR_RETURN(const JobCounts counts, queue.Counts());
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<JobFailure> failures, queue.Failures(kFailuresShown));
  if (failures.empty()) {
    return absl::OkStatus();
  }
  const std::string texts = absl::StrJoin(failures, "; ", [](std::string* out, const JobFailure& failure) {
    absl::StrAppend(out, failure.status.message());
  });
  return absl::Status(failures.front().status.code(),
                      absl::StrCat(counts.failed, " of ", counts.total(), " jobs of '", name, "' failed: ", texts,
                                   std::ssize(failures) < counts.failed ? "; ..." : "",
                                   ". Mend it and run the command again: it goes on"));
}

}  // namespace

absl::Status JobBoard::Plan(std::vector<BoardQueue> queues) {
  plan_ = std::move(queues);
  queues_.clear();
  std::vector<std::string> names;
  for (const BoardQueue& planned : plan_) {
    CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<JobQueue> queue,
                            JobQueue::Create(folder_.QueuePath(planned.name), planned.lots.count(), options_.queue));
    CLEAVE_RETURN_IF_ERROR(queue->RequeueFailed());
    if (planned.name != kSurfaceQueue && planned.name != kGraphQueue) {
      CLEAVE_RETURN_IF_ERROR(RequeueLost(*queue, planned.name));
    }
    jobs_ += queue->size();
    queues_.push_back(std::move(queue));
    names.push_back(planned.name);
  }
  CLEAVE_RETURN_IF_ERROR(folder_.WritePlan(names));
  CrashPoint("ingest.planned");
  return absl::OkStatus();
}

// Queues the jobs that are marked as done, but whose part of the fill is not there.
absl::Status JobBoard::RequeueLost(JobQueue& queue, const std::string& name) {
  CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Fill fill, ocdbt::Fill::Create(dataset_.database(), name));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> names, fill.FinishedParts());
  const std::set<std::string> finished(names.begin(), names.end());
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<JobRecord> records, queue.Records());
  std::vector<int64_t> lost;
  for (int64_t lot = 0; lot < queue.size(); ++lot) {
    if (records[static_cast<size_t>(lot)].state == JobState::kDone && !finished.contains(PartName(lot))) {
      lost.push_back(lot);
    }
  }
  return queue.Requeue(lost);
}

absl::StatusOr<bool> JobBoard::IsDone(const std::string& name) const {
  const auto queue = JobQueue::Open(folder_.QueuePath(name), options_.queue);
  if (absl::IsNotFound(queue.status())) {
    return false;
  }
  CLEAVE_RETURN_IF_ERROR(queue.status());
  CLEAVE_ASSIGN_OR_RETURN(const JobCounts counts, (*queue)->Counts());
  return counts.done == counts.total();
}

absl::Status JobBoard::BuryDead() {
  return BuryDeadWorkers(folder_.workers_path(), [&](WorkerId dead) -> absl::Status {
    for (const std::unique_ptr<JobQueue>& queue : queues_) {
      CLEAVE_RETURN_IF_ERROR(queue->Release(dead));
    }
    return absl::OkStatus();
  });
}

absl::Status JobBoard::WaitFor(const std::string& name,
                               absl::FunctionRef<absl::Status(const std::vector<JobRecord>&)> look) {
  if (crew_ == nullptr && options_.start_workers) {
    CLEAVE_ASSIGN_OR_RETURN(crew_, options_.start_workers(folder_.project()));
  }
  const auto place = static_cast<size_t>(std::ranges::find(plan_, name, &BoardQueue::name) - plan_.begin());
  const Lots& lots = plan_[place].lots;
  const JobQueue& queue = *queues_[place];
  progress_.Begin(name, lots.items, plan_[place].unit);
  int64_t shown = 0;
  for (;;) {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<JobRecord> records, queue.Records());
    int64_t done = 0, open = 0, failed = 0;
    for (int64_t lot = 0; lot < queue.size(); ++lot) {
      const JobState state = records[static_cast<size_t>(lot)].state;
      done += state == JobState::kDone ? lots.end(lot) - lots.begin(lot) : 0;
      open += state == JobState::kQueued || state == JobState::kTaken ? 1 : 0;
      failed += state == JobState::kFailed ? 1 : 0;
    }
    progress_.Advance(done - shown);
    shown = done;
    CLEAVE_RETURN_IF_ERROR(look(records));
    if (open == 0 || failed >= kFailuresTolerated) {
      break;
    }
    if (crew_ != nullptr) {
      CLEAVE_RETURN_IF_ERROR(crew_->Tend());
    }
    CLEAVE_RETURN_IF_ERROR(BuryDead());
    absl::SleepFor(kPauseOfBoard);
  }
  progress_.End();
  return ErrorOfJobs(name, queue);
}

absl::Status JobBoard::Requeue(const std::vector<std::string>& names, const std::vector<int64_t>& jobs) {
  for (const std::string& name : names) {
    const auto queue = JobQueue::Open(folder_.QueuePath(name), options_.queue);
    if (absl::IsNotFound(queue.status())) {
      continue;
    }
    CLEAVE_RETURN_IF_ERROR(queue.status());
    CLEAVE_RETURN_IF_ERROR((*queue)->Requeue(jobs));
  }
  return absl::OkStatus();
}

absl::Status JobBoard::CommitFill(const BoardQueue& queue) {
  progress_.Begin(absl::StrCat("committing ", queue.name), 0, "");
  CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Fill fill, ocdbt::Fill::Create(dataset_.database(), queue.name));
  std::vector<std::string> parts;
  for (int64_t lot = 0; lot < queue.lots.count(); ++lot) {
    parts.push_back(PartName(lot));
  }
  CLEAVE_RETURN_IF_ERROR(fill.Commit(parts).status());
  progress_.End();
  CrashPoint("ingest.fill_committed");
  return absl::OkStatus();
}

absl::Status JobBoard::ForgetFill(const std::string& name) {
  CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Fill fill, ocdbt::Fill::Create(dataset_.database(), name));
  return fill.Remove();
}

// All jobs are done, so a lease that is still there is a dead worker's. Once the base is sealed, garbage cannot be told
// from what forks read.
absl::Status JobBoard::Clear() {
  CLEAVE_RETURN_IF_ERROR(folder_.WritePlan({}));
  plan_.clear();
  queues_.clear();
  crew_.reset();
  progress_.Begin("removing garbage", 0, "");
  const std::shared_ptr<store::Store>& store = dataset_.database().store();
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> leases,
                          store->List(store::KeyRange::Prefix(ocdbt::kPinsPrefix)));
  for (const std::string& lease : leases) {
    CLEAVE_RETURN_IF_ERROR(store->Delete(lease));
  }
  ocdbt::GarbageOptions options;
  options.grace = absl::ZeroDuration();
  options.dry_run = false;
  CLEAVE_RETURN_IF_ERROR(ocdbt::CollectGarbage(dataset_.database(), options, Progress::Silent()).status());
  progress_.End();
  CrashPoint("ingest.garbage_removed");
  return absl::OkStatus();
}

}  // namespace cleave::ingest
