#include "work/redis_service.h"

#include <utility>

#include "absl/time/clock.h"

namespace cleave::work {

RedisService::RedisService(graph::Dataset& dataset, RedisServiceOptions options)
    : options_(std::move(options)), events_(dataset, options_.events), thread_([this] { Run(); }) {}

RedisService::~RedisService() {
  {
    const absl::MutexLock lock(&mutex_);
    stopped_ = true;
    stop_changed_.SignalAll();
  }
  thread_.join();
}

RedisServiceState RedisService::state() const {
  const absl::MutexLock lock(&mutex_);
  return state_;
}

bool RedisService::Rest(absl::Duration period) {
  const absl::MutexLock lock(&mutex_);
  const absl::Time due = absl::Now() + period;
  while (!stopped_ && absl::Now() < due) {
    stop_changed_.WaitWithDeadline(&mutex_, due);
  }
  return !stopped_;
}

void RedisService::Note(const absl::StatusOr<int64_t>& step) {
  bool changed = false;
  {
    const absl::MutexLock lock(&mutex_);
    changed = step.status() != state_.last;
    state_.last = step.status();
    state_.errors += step.ok() ? 0 : 1;
    state_.events += step.ok() ? *step : 0;
  }
  if (changed && options_.on_change) {
    options_.on_change(step.status());
  }
}

void RedisService::Run() {
  for (bool goes_on = true; goes_on;) {
    const absl::StatusOr<int64_t> step = events_.Step();
    Note(step);
    goes_on = Rest(!step.ok() ? options_.retry_period : *step > 0 ? absl::ZeroDuration() : options_.poll_period);
  }
  Note(events_.Drain());
}

}  // namespace cleave::work
