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
#include "ocdbt/database.h"
#include "ocdbt/fill.h"
#include "ocdbt/garbage.h"
#include "ocdbt/lease.h"

namespace cleave::ingest {
namespace {

constexpr absl::Duration kPauseOfBoard = absl::Milliseconds(30);
constexpr absl::Duration kPauseOfBoardByRedis = absl::Milliseconds(100);
constexpr int64_t kFailuresTolerated = 20;  // then the rest of the queue is left alone
constexpr size_t kFailuresShown = 5;
constexpr int kTriesToMake = 5;  // a queue, of an engine that loses it at once again

absl::Status ErrorOfJobs(const std::string& name, const JobCounts& counts, const std::vector<JobFailure>& failures) {
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
  losses_ = engine_.losses();
  std::vector<std::string> names;
  for (const BoardQueue& planned : plan_) {
    CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<JobQueue> queue, Make(planned, Failed::kQueued));
    jobs_ += queue->size();
    queues_.push_back(std::move(queue));
    names.push_back(planned.name);
  }
  CLEAVE_RETURN_IF_ERROR(folder_.WritePlan(names));
  CrashPoint("ingest.planned");
  return absl::OkStatus();
}

// The queue, with the jobs queued of which something is lost.
absl::StatusOr<std::unique_ptr<JobQueue>> JobBoard::Make(const BoardQueue& planned, Failed failed) {
  for (int tries_left = kTriesToMake;; --tries_left) {
    std::vector<int64_t> done;
    if (engine_.Forgets()) {
      CLEAVE_ASSIGN_OR_RETURN(const std::vector<bool> whole, LeftWhole(planned));
      for (int64_t lot = 0; lot < planned.lots.count(); ++lot) {
        if (whole[static_cast<size_t>(lot)]) {
          done.push_back(lot);
        }
      }
    }
    CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<JobQueue> queue, engine_.Create(planned.name, planned.lots.count(), done));
    absl::Status made = failed == Failed::kQueued ? queue->RequeueFailed() : absl::OkStatus();
    if (made.ok()) {
      made = RequeueLost(*queue, planned);
    }
    if (made.ok()) {
      return queue;
    }
    if (!absl::IsNotFound(made) || tries_left == 1) {
      return made;
    }
  }
}

// What is whole of the queues that the engine has lost is marked as done in new ones, and what it has lost of others is
// found by what jobs left. Those who hold the queues need not know.
absl::Status JobBoard::MakeLostAgain() {
  losses_ = engine_.losses();
  for (const BoardQueue& planned : plan_) {
    CLEAVE_RETURN_IF_ERROR(Make(planned, Failed::kStay).status());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<bool>> JobBoard::LeftWhole(const BoardQueue& planned) const {
  std::vector<bool> whole(static_cast<size_t>(planned.lots.count()), true);
  const bool spools = planned.unit == kUnitOfChunks;
  if (spools) {
    std::vector<ChunkPoint> chunks;
    for (int64_t i = 0; i < planned.lots.items; ++i) {
      chunks.push_back(chunks_.Chunk(i));
    }
    const SpoolKind kind = planned.name == kGraphQueue ? SpoolKind::kRows : SpoolKind::kSurfaces;
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<bool> have, folder_.spool().Have(kind, chunks));
    for (int64_t i = 0; i < planned.lots.items; ++i) {
      if (!have[static_cast<size_t>(i)]) {
        whole[static_cast<size_t>(i / planned.lots.size)] = false;
      }
    }
  }
  if (planned.name == kVoxelQueue || !spools) {
    CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Fill fill, ocdbt::Fill::Create(dataset_.database(), planned.name));
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> names, fill.FinishedParts());
    const std::set<std::string> finished(names.begin(), names.end());
    for (int64_t lot = 0; lot < planned.lots.count(); ++lot) {
      if (!finished.contains(PartName(lot))) {
        whole[static_cast<size_t>(lot)] = false;
      }
    }
  }
  return whole;
}

// Queues the jobs that are marked as done, but did not leave all that they should. The marks are read first: what is
// done after that is whole.
absl::Status JobBoard::RequeueLost(JobQueue& queue, const BoardQueue& planned) const {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<JobRecord> records, queue.Records());
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<bool> whole, LeftWhole(planned));
  std::vector<int64_t> lost;
  for (int64_t lot = 0; lot < queue.size(); ++lot) {
    if (records[static_cast<size_t>(lot)].state == JobState::kDone && !whole[static_cast<size_t>(lot)]) {
      lost.push_back(lot);
    }
  }
  return queue.Requeue(lost);
}

absl::StatusOr<bool> JobBoard::IsDone(const std::string& name) const {
  const auto queue = engine_.Open(name);
  if (absl::IsNotFound(queue.status())) {
    return false;
  }
  CLEAVE_RETURN_IF_ERROR(queue.status());
  const absl::StatusOr<JobCounts> counts = (*queue)->Counts();
  if (absl::IsNotFound(counts.status())) {
    return false;
  }
  CLEAVE_RETURN_IF_ERROR(counts.status());
  return counts->done == counts->total();
}

absl::Status JobBoard::BuryDead() {
  return engine_.BuryDead([&](WorkerId dead) -> absl::Status {
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
    const absl::StatusOr<std::vector<JobRecord>> read = queue.Records();
    if (engine_.losses() != losses_ || (engine_.Forgets() && absl::IsNotFound(read.status()))) {
      CLEAVE_RETURN_IF_ERROR(MakeLostAgain());
      continue;
    }
    CLEAVE_RETURN_IF_ERROR(read.status());
    const std::vector<JobRecord>& records = *read;
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
      const absl::StatusOr<std::vector<JobFailure>> failures =
          failed == 0 ? std::vector<JobFailure>() : queue.Failures(kFailuresShown);
      if (!engine_.Forgets() || !absl::IsNotFound(failures.status())) {
        CLEAVE_RETURN_IF_ERROR(failures.status());
        progress_.End();
        return ErrorOfJobs(name, CountsOf(records), *failures);
      }
    }
    if (crew_ != nullptr) {
      CLEAVE_RETURN_IF_ERROR(crew_->Tend());
    }
    CLEAVE_RETURN_IF_ERROR(BuryDead());
    absl::SleepFor(engine_.Forgets() ? kPauseOfBoardByRedis : kPauseOfBoard);
  }
}

absl::Status JobBoard::Requeue(const std::vector<std::string>& names, const std::vector<int64_t>& jobs) {
  for (const int64_t lot : jobs) {
    for (const ChunkPoint chunk : chunks_.ChunksOf(lot)) {
      for (const SpoolKind kind : {SpoolKind::kRows, SpoolKind::kSurfaces}) {
        CLEAVE_RETURN_IF_ERROR(folder_.spool().Remove(kind, chunk));
      }
    }
  }
  for (const std::string& name : names) {
    const auto queue = engine_.Open(name);
    if (absl::IsNotFound(queue.status())) {
      continue;
    }
    CLEAVE_RETURN_IF_ERROR(queue.status());
    const absl::Status queued = (*queue)->Requeue(jobs);
    if (!absl::IsNotFound(queued)) {  // a queue that is lost since is made by what there is
      CLEAVE_RETURN_IF_ERROR(queued);
    }
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
