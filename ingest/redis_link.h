// A connection to the Redis server of an ingest that is made anew when it is lost.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

#include "ingest/job_engine.h"
#include "store/redis_connection.h"

namespace cleave::ingest {

// What may be left of an earlier try, whose answer did not come, when a request is sent.
enum class Sending { kFirst, kAgain };

// Thread-safe: one request at a time.
class RedisLink {
 public:
  explicit RedisLink(RedisJobsOptions options) : options_(std::move(options)) {}

  // The answer to what `request` says. Sent again while the server cannot be reached, is still loading, full, or not
  // the one that takes writes; UNAVAILABLE when that lasts longer than the patience, whoever asked first.
  // PERMISSION_DENIED or UNAUTHENTICATED when it does not let us in, FAILED_PRECONDITION for any other error of the
  // server.
  [[nodiscard]] absl::StatusOr<store::RedisReply> Ask(absl::FunctionRef<std::vector<std::string>(Sending)> request);
  [[nodiscard]] absl::StatusOr<store::RedisReply> Ask(const std::vector<std::string>& request);

  // How often a connection was lost.
  [[nodiscard]] int64_t losses() const { return losses_; }
  [[nodiscard]] const RedisJobsOptions& options() const { return options_; }

 private:
  [[nodiscard]] absl::StatusOr<store::RedisReply> AskOnce(const std::vector<std::string>& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Tell(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const RedisJobsOptions options_;
  absl::Mutex mutex_;
  std::unique_ptr<store::RedisConnection> connection_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Time> away_since_ ABSL_GUARDED_BY(mutex_);
  std::atomic<int64_t> losses_ = 0;
};

}  // namespace cleave::ingest
