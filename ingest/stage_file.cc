#include "ingest/stage_file.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "graph/dataset.h"
#include "ingest/chunk_lots.h"
#include "ingest/ingest_jobs.h"
#include "ingest/redis_job_engine.h"

namespace cleave::ingest {
namespace {

constexpr absl::Duration kPauseBetweenNotes = absl::Seconds(1);
constexpr absl::Duration kWindow = absl::Minutes(1);
constexpr size_t kFailuresTold = 5;

std::optional<StageStatus> ReadStage(const IngestFolder& folder) {
  const std::optional<std::string> text = folder.ReadStage();
  if (!text.has_value()) {
    return std::nullopt;
  }
  const auto json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  const auto number = [&](const char* name) {
    return json.is_object() && json.contains(name) && json[name].is_number() ? json[name].get<double>() : 0.0;
  };
  const auto word = [&](const char* name) {
    return json.is_object() && json.contains(name) && json[name].is_string() ? json[name].get<std::string>() : "";
  };
  StageStatus stage{word("stage"), word("unit"), static_cast<int64_t>(number("done")),
                    static_cast<int64_t>(number("total")), number("per_second")};
  return stage.name.empty() ? std::nullopt : std::optional(std::move(stage));
}

// Units a second that jobs ended in the last minute before the newest of them did.
double RateOf(const std::vector<JobRecord>& records, const Lots& lots) {
  absl::Time newest = absl::InfinitePast();
  for (const JobRecord& record : records) {
    newest = record.state == JobState::kDone ? std::max(newest, record.changed) : newest;
  }
  absl::Time oldest = absl::InfiniteFuture();
  int64_t units = 0;
  for (int64_t lot = 0; lot < std::ssize(records); ++lot) {
    const JobRecord& record = records[static_cast<size_t>(lot)];
    if (record.state == JobState::kDone && record.changed >= newest - kWindow) {
      oldest = std::min(oldest, record.changed);
      units += lots.end(lot) - lots.begin(lot);
    }
  }
  const double seconds = absl::ToDoubleSeconds(newest - oldest);
  return units > 0 && seconds > 0 ? static_cast<double>(units) / seconds : 0;
}

absl::StatusOr<QueueStatus> StatusOf(const JobQueue& queue, QueueStatus status, const Lots& lots) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<JobRecord> records, queue.Records());
  status.jobs = CountsOf(records);
  if (lots.count() == queue.size()) {
    for (int64_t lot = 0; lot < queue.size(); ++lot) {
      status.done += records[static_cast<size_t>(lot)].state == JobState::kDone ? lots.end(lot) - lots.begin(lot) : 0;
    }
    status.per_second = RateOf(records, lots);
  }
  CLEAVE_ASSIGN_OR_RETURN(status.failures, queue.Failures(kFailuresTold));
  return status;
}

absl::StatusOr<QueueStatus> StatusOf(JobEngine& engine, QueueStatus status, const Lots& lots) {
  const absl::StatusOr<std::unique_ptr<JobQueue>> queue = engine.Open(status.name);
  absl::StatusOr<QueueStatus> found = queue.ok() ? StatusOf(**queue, status, lots) : queue.status();
  if (engine.Forgets() && absl::IsNotFound(found.status())) {
    status.lost = true;
    return status;
  }
  return found;
}

// Who only looks does not wait, and may say where a Redis server is though none is needed.
absl::StatusOr<std::unique_ptr<JobEngine>> OpenToLook(IngestFolder& folder, std::optional<RedisJobsOptions> redis) {
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<RedisIngest> noted, ReadRedisIngest(folder));
  if (!noted.has_value()) {
    redis.reset();
  }
  if (redis.has_value()) {
    redis->patience = absl::ZeroDuration();
  }
  return OpenJobEngine(folder, Beginning::kNo, {.redis = redis});
}

}  // namespace

void StageFile::Begin(const std::string& stage, int64_t total, const std::string& unit) {
  progress_.Begin(stage, total, unit);
  const absl::MutexLock lock(&mutex_);
  stage_ = stage;
  unit_ = unit;
  done_ = 0;
  first_ = -1;
  total_ = total;
  begun_ = absl::Now();
  Note(begun_);
}

void StageFile::Advance(int64_t steps) {
  progress_.Advance(steps);
  const absl::MutexLock lock(&mutex_);
  done_ += steps;
  first_ = first_ < 0 ? done_ : first_;
  if (const absl::Time now = absl::Now(); now - noted_ >= kPauseBetweenNotes) {
    Note(now);
  }
}

void StageFile::End() {
  progress_.End();
  const absl::MutexLock lock(&mutex_);
  Note(absl::Now());
}

void StageFile::Note(absl::Time now) {
  noted_ = now;
  const double seconds = absl::ToDoubleSeconds(now - begun_);
  const auto made = static_cast<double>(done_ - std::max<int64_t>(first_, 0));
  const nlohmann::ordered_json json = {{"stage", stage_},
                                       {"unit", unit_},
                                       {"done", done_},
                                       {"total", total_},
                                       {"per_second", seconds > 0 ? made / seconds : 0.0}};
  if (folder_.exists()) {
    (void)folder_.WriteStage(json.dump());
  }
}

absl::StatusOr<IngestStatus> ReadIngestStatus(const std::string& project_folder,
                                              const std::optional<RedisJobsOptions>& redis) {
  IngestFolder folder(project_folder);
  CLEAVE_ASSIGN_OR_RETURN(const DatasetFile file, folder.ReadDataset());
  IngestStatus status;
  status.ended = !folder.exists();
  if (status.ended) {
    return status;
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<JobEngine> engine, OpenToLook(folder, redis));
  CLEAVE_ASSIGN_OR_RETURN(status.coordinator, engine->CoordinatorLives());
  CLEAVE_ASSIGN_OR_RETURN(status.workers, engine->CountWorkers());
  status.stage = ReadStage(folder);
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> plan, folder.ReadPlan());
  if (plan.empty()) {
    return status;
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<graph::Dataset> dataset,
                          graph::Dataset::OpenWithoutTable(folder.project()));
  CLEAVE_ASSIGN_OR_RETURN(const volume::PyramidBlocks blocks, BlocksOf(*dataset));
  for (const std::string& name : plan) {
    Lots lots = ChunkLots(dataset->layout(), file.chunks_per_job).lots();
    std::string unit = kUnitOfChunks;
    for (int tier = 0; tier < blocks.tier_count(); ++tier) {
      if (name == ScaleQueue(tier)) {
        lots = LotsOfBlocks(blocks, tier);
        unit = kUnitOfBlocks;
      }
    }
    QueueStatus begun;
    begun.name = name;
    begun.unit = unit;
    begun.total = lots.items;
    CLEAVE_ASSIGN_OR_RETURN(QueueStatus queue, StatusOf(*engine, std::move(begun), lots));
    status.queues.push_back(std::move(queue));
  }
  return status;
}

}  // namespace cleave::ingest
