#include "ingest/redis_job_queue.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "ingest/redis_job_scripts.h"

namespace cleave::ingest {
namespace {

std::string WorkerText(WorkerId worker) { return absl::StrCat(absl::Hex(static_cast<uint64_t>(worker))); }
std::string MillisText(absl::Duration duration) { return absl::StrCat(absl::ToInt64Milliseconds(duration)); }

// A number of a script's answer.
absl::StatusOr<int64_t> NumberIn(const std::vector<std::string>& words, size_t place) {
  int64_t number = 0;
  if (place >= words.size() || !absl::SimpleAtoi(words[place], &number)) {
    return absl::InternalError("Redis answered what no script of ours says");
  }
  return number;
}

std::string NewCall() {
  std::array<uint8_t, sizeof(uint64_t)> bytes{};
  RandomSource::System().Fill(bytes);
  std::string call;
  for (const uint8_t byte : bytes) {
    absl::StrAppend(&call, absl::Hex(byte, absl::kZeroPad2));
  }
  return call;
}

}  // namespace

JobRecord DecodeRedisJobRecord(absl::string_view text) {
  const std::vector<absl::string_view> words = absl::StrSplit(text, ' ');
  uint32_t state = 0;
  uint64_t worker = 0;
  int64_t expires = 0, changed = 0;
  JobRecord record;
  if (words.size() != 5 || !absl::SimpleAtoi(words[0], &state) || state > static_cast<uint32_t>(JobState::kFailed) ||
      !absl::SimpleAtoi(words[1], &record.takes) || !absl::SimpleHexAtoi(words[2], &worker) ||
      !absl::SimpleAtoi(words[3], &expires) || !absl::SimpleAtoi(words[4], &changed)) {
    return {};
  }
  record.state = static_cast<JobState>(state);
  record.worker = WorkerId{worker};
  record.expires = expires == 0 ? absl::Time() : absl::FromUnixMillis(expires);
  record.changed = absl::FromUnixMillis(changed);
  return record;
}

absl::StatusOr<std::vector<std::string>> RedisJobQueue::Run(absl::string_view script,
                                                            const std::vector<std::string>& arguments) const {
  const std::string now =
      options_.clock == &Clock::System() ? "" : absl::StrCat(absl::ToUnixMillis(options_.clock->Now()));
  CLEAVE_ASSIGN_OR_RETURN(const store::RedisReply reply, link_.Ask([&](Sending sending) {
    std::vector<std::string> words = {"EVAL", absl::StrCat(kJobPrelude, script), "6"};
    for (const char* part : {"size", "jobs", "queued", "taken", "failures", "answers"}) {
      words.push_back(absl::StrCat(key_, ":", part));
    }
    words.insert(words.end(), {now, sending == Sending::kAgain ? "1" : "0"});
    words.insert(words.end(), arguments.begin(), arguments.end());
    return words;
  }));
  std::vector<std::string> words;
  words.reserve(reply.list.size());
  for (const store::RedisReply& word : reply.list) {
    words.push_back(word.text);
  }
  const std::string outcome = words.empty() ? "gone" : std::exchange(words.front(), "");
  if (outcome == "gone") {
    return absl::NotFoundError(absl::StrCat(link_.options().address.ToString(), " holds no queue ", key_));
  }
  if (outcome == "lost") {
    return absl::AbortedError(absl::StrCat(key_, ": job ", arguments[1], " is no longer this worker's"));
  }
  words.erase(words.begin());
  return words;
}

absl::StatusOr<std::unique_ptr<RedisJobQueue>> RedisJobQueue::Create(RedisLink& link, const std::string& key,
                                                                     int64_t jobs, std::span<const int64_t> done,
                                                                     const JobQueueOptions& options) {
  std::unique_ptr<RedisJobQueue> queue(new RedisJobQueue(link, key, options));
  std::vector<std::string> arguments = {absl::StrCat(jobs)};
  for (const int64_t job : done) {
    arguments.push_back(absl::StrCat(job));
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> answer, queue->Run(kCreateScript, arguments));
  CLEAVE_ASSIGN_OR_RETURN(queue->size_, NumberIn(answer, 0));
  if (queue->size_ != jobs) {
    return absl::FailedPreconditionError(absl::StrCat(key, " is a queue of ", queue->size_, " jobs, not of ", jobs));
  }
  return queue;
}

absl::StatusOr<std::unique_ptr<RedisJobQueue>> RedisJobQueue::Open(RedisLink& link, const std::string& key,
                                                                   const JobQueueOptions& options) {
  std::unique_ptr<RedisJobQueue> queue(new RedisJobQueue(link, key, options));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> answer, queue->Run(kOpenScript, {}));
  CLEAVE_ASSIGN_OR_RETURN(queue->size_, NumberIn(answer, 0));
  return queue;
}

absl::StatusOr<std::optional<TakenJob>> RedisJobQueue::Take(WorkerId worker) {
  CLEAVE_ASSIGN_OR_RETURN(
      const std::vector<std::string> answer,
      Run(kTakeScript, {WorkerText(worker), MillisText(options_.lease), absl::StrCat(options_.takes_max), NewCall(),
                        EncodeFailure(DiedTooOften(options_.takes_max))}));
  if (answer.empty()) {
    return std::optional<TakenJob>();
  }
  CLEAVE_ASSIGN_OR_RETURN(const int64_t job, NumberIn(answer, 0));
  CLEAVE_ASSIGN_OR_RETURN(const int64_t takes, NumberIn(answer, 1));
  return std::optional(TakenJob{job, worker, static_cast<uint32_t>(takes)});
}

absl::Status RedisJobQueue::Renew(const TakenJob& job) {
  return Run(kRenewScript,
             {WorkerText(job.worker), absl::StrCat(job.index), absl::StrCat(job.takes), MillisText(options_.lease)})
      .status();
}

absl::Status RedisJobQueue::Settle(const TakenJob& job, JobState state, const std::string& failure) {
  return Run(kSettleScript, {WorkerText(job.worker), absl::StrCat(job.index), absl::StrCat(job.takes),
                             absl::StrCat(static_cast<int>(state)), failure})
      .status();
}

absl::Status RedisJobQueue::Finish(const TakenJob& job) { return Settle(job, JobState::kDone, ""); }

absl::Status RedisJobQueue::Fail(const TakenJob& job, const absl::Status& why) {
  return Settle(job, JobState::kFailed, EncodeFailure(why));
}

absl::Status RedisJobQueue::Release(WorkerId dead) { return Run(kReleaseScript, {WorkerText(dead)}).status(); }

absl::Status RedisJobQueue::Requeue(std::span<const int64_t> jobs) {
  std::vector<std::string> arguments;
  for (const int64_t job : jobs) {
    arguments.push_back(absl::StrCat(job));
  }
  return jobs.empty() ? absl::OkStatus() : Run(kRequeueScript, arguments).status();
}

absl::StatusOr<std::vector<JobRecord>> RedisJobQueue::Records() const {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> answer, Run(kRecordsScript, {}));
  std::vector<JobRecord> records(static_cast<size_t>(size_));
  for (size_t i = 0; i + 1 < answer.size(); i += 2) {
    CLEAVE_ASSIGN_OR_RETURN(const int64_t job, NumberIn(answer, i));
    if (job >= 0 && job < size_) {
      records[static_cast<size_t>(job)] = DecodeRedisJobRecord(answer[i + 1]);
    }
  }
  return records;
}

absl::StatusOr<JobCounts> RedisJobQueue::Counts() const {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> answer, Run(kCountsScript, {}));
  JobCounts counts;
  CLEAVE_ASSIGN_OR_RETURN(const int64_t all, NumberIn(answer, 0));
  CLEAVE_ASSIGN_OR_RETURN(counts.queued, NumberIn(answer, 1));
  CLEAVE_ASSIGN_OR_RETURN(counts.taken, NumberIn(answer, 2));
  CLEAVE_ASSIGN_OR_RETURN(counts.failed, NumberIn(answer, 3));
  counts.done = all - counts.queued - counts.taken - counts.failed;
  return counts;
}

absl::StatusOr<std::vector<JobFailure>> RedisJobQueue::Failures(size_t limit) const {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> answer, Run(kFailuresScript, {absl::StrCat(limit)}));
  std::vector<JobFailure> failures;
  for (size_t i = 0; i + 1 < answer.size(); i += 2) {
    CLEAVE_ASSIGN_OR_RETURN(const int64_t job, NumberIn(answer, i));
    failures.push_back({job, DecodeFailure(answer[i + 1])});
  }
  return failures;
}

}  // namespace cleave::ingest
