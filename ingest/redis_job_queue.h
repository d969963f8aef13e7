// A queue of jobs (job_queue.h) in a Redis server, for workers on any machines. Redis 5 or later.
//
// Keys, each behind "PREFIX:NAME:":
//   size       how many jobs there are
//   jobs       a hash: the number of a job -> its record, see below
//   queued     a sorted set of jobs, by their numbers
//   taken      a sorted set of jobs, by the end of their leases in milliseconds since 1970
//   failures   a hash: the number of a job that failed -> why (EncodeFailure)
//   answers    a hash: a worker -> what its last Take was told, in case that it did not hear it
// They expire a month after the last change: those of an ingest that was given up go by themselves.
//
// Every call is one script, so it happens whole or not at all. The time is the server's. A server that comes back
// empty, or without keys, has lost the queue (NOT_FOUND); one that comes back with less than it had knows of jobs less
// than is true, never more, as every queue may.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "ingest/job_queue.h"
#include "ingest/redis_link.h"

namespace cleave::ingest {

class RedisJobQueue final : public JobQueue {
 public:
  // As JobEngine::Create and Open. `link` must outlive the queue.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<RedisJobQueue>> Create(RedisLink& link, const std::string& key,
                                                                             int64_t jobs,
                                                                             std::span<const int64_t> done,
                                                                             const JobQueueOptions& options);
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<RedisJobQueue>> Open(RedisLink& link, const std::string& key,
                                                                           const JobQueueOptions& options);

  [[nodiscard]] absl::StatusOr<std::optional<TakenJob>> Take(WorkerId worker) override;
  [[nodiscard]] absl::Status Renew(const TakenJob& job) override;
  [[nodiscard]] absl::Status Finish(const TakenJob& job) override;
  [[nodiscard]] absl::Status Fail(const TakenJob& job, const absl::Status& why) override;
  [[nodiscard]] absl::Status Release(WorkerId dead) override;
  [[nodiscard]] absl::Status Requeue(std::span<const int64_t> jobs) override;
  [[nodiscard]] absl::StatusOr<std::vector<JobRecord>> Records() const override;
  [[nodiscard]] absl::StatusOr<JobCounts> Counts() const override;
  [[nodiscard]] absl::StatusOr<std::vector<JobFailure>> Failures(size_t limit) const override;
  [[nodiscard]] int64_t size() const override { return size_; }

 private:
  RedisJobQueue(RedisLink& link, std::string key, const JobQueueOptions& options)
      : link_(link), key_(std::move(key)), options_(options) {}
  // The words that a script answers with, but the first, which says how it went. NOT_FOUND when there is no queue,
  // ABORTED when the job is not the caller's.
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> Run(absl::string_view script,
                                                             const std::vector<std::string>& arguments) const;
  [[nodiscard]] absl::Status Settle(const TakenJob& job, JobState state, const std::string& failure);

  RedisLink& link_;
  const std::string key_;
  const JobQueueOptions options_;
  int64_t size_ = 0;
};

// A record as the scripts write it: state (0 to 3, as JobState), takes, worker (hexadecimal), end of the lease and last
// change (both milliseconds since 1970), with a space between. What is none is a queued job.
[[nodiscard]] JobRecord DecodeRedisJobRecord(absl::string_view text);

}  // namespace cleave::ingest
