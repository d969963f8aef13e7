// A thread that keeps the stream of events in Redis up to date: what `cleave serve --redis` runs for each project.
// Edits do not wait for it, and it catches up when the server was away.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

#include "graph/dataset.h"
#include "work/redis_events.h"

namespace cleave::work {

struct RedisServiceOptions {
  RedisEventsOptions events;
  absl::Duration poll_period = absl::Milliseconds(100);  // how often new events are looked for
  absl::Duration retry_period = absl::Seconds(1);        // how long to rest after an error
  // Called with each new error, and with OK when it is over, from the thread.
  std::function<void(const absl::Status&)> on_change = {};
};

struct RedisServiceState {
  int64_t events = 0;  // forwarded
  int64_t errors = 0;
  absl::Status last;  // of the last try
};

// Thread-safe. The dataset must outlive it. Its end forwards what waits, if the server can be reached.
class RedisService {
 public:
  RedisService(graph::Dataset& dataset, RedisServiceOptions options);
  RedisService(const RedisService&) = delete;
  RedisService& operator=(const RedisService&) = delete;
  ~RedisService();

  [[nodiscard]] RedisServiceState state() const;

 private:
  void Run();
  void Note(const absl::StatusOr<int64_t>& step);
  [[nodiscard]] bool Rest(absl::Duration period);  // whether to go on

  const RedisServiceOptions options_;
  RedisEvents events_;
  mutable absl::Mutex mutex_;
  absl::CondVar stop_changed_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  RedisServiceState state_ ABSL_GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace cleave::work
