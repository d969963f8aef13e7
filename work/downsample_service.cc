#include "work/downsample_service.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"

#include "base/status.h"

namespace cleave::work {

absl::StatusOr<std::unique_ptr<DownsampleService>> DownsampleService::Start(graph::Dataset& dataset,
                                                                            const DownsampleServiceOptions& options) {
  CLEAVE_RETURN_IF_ERROR(ReleaseDeadWorkers(dataset));
  std::unique_ptr<DownsampleService> service(new DownsampleService(options));
  DownsampleOptions each = options.work;
  each.memory_bytes /= std::max(1, options.workers);
  for (int i = 0; i < options.workers; ++i) {
    CLEAVE_ASSIGN_OR_RETURN(service->workers_.emplace_back(), DownsampleWorker::Create(dataset, each));
  }
  for (const std::unique_ptr<DownsampleWorker>& worker : service->workers_) {
    service->threads_.emplace_back([raw = service.get(), one = worker.get()] { raw->Run(*one); });
  }
  return service;
}

DownsampleService::~DownsampleService() {
  {
    const absl::MutexLock lock(&mutex_);
    stopped_ = true;
    stop_changed_.SignalAll();
  }
  for (const std::unique_ptr<DownsampleWorker>& worker : workers_) {
    worker->Stop();
  }
  threads_.clear();
}

DownsampleServiceState DownsampleService::state() const {
  const absl::MutexLock lock(&mutex_);
  return state_;
}

bool DownsampleService::Rest(absl::Duration period) {
  const absl::MutexLock lock(&mutex_);
  const absl::Time due = absl::Now() + period;
  while (!stopped_ && absl::Now() < due) {
    stop_changed_.WaitWithDeadline(&mutex_, due);
  }
  return !stopped_;
}

void DownsampleService::Run(DownsampleWorker& worker) {
  for (bool goes_on = true; goes_on;) {
    const absl::StatusOr<WorkDone> step = worker.Step();
    if (step.ok()) {
      {
        const absl::MutexLock lock(&mutex_);
        state_.done += *step;
        state_.is_failing = false;
      }
      goes_on = Rest(step->events > 0 ? absl::ZeroDuration() : options_.poll_period);
      continue;
    }
    bool is_new = false;
    {
      const absl::MutexLock lock(&mutex_);
      is_new = !absl::IsCancelled(step.status()) && step.status() != state_.last_error;
      state_.errors += absl::IsCancelled(step.status()) ? 0 : 1;
      state_.last_error = step.status();
      state_.is_failing = !absl::IsCancelled(step.status());
    }
    if (is_new && options_.on_error) {
      options_.on_error(step.status());
    }
    goes_on = Rest(options_.retry_period);
  }
}

}  // namespace cleave::work
