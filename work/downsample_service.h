// Downsample workers in the background of a process that has a project open: what `cleave serve` runs.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

#include "graph/dataset.h"
#include "work/downsample_worker.h"

namespace cleave::work {

struct DownsampleServiceOptions {
  DownsampleOptions work = {};
  int workers = 1;
  absl::Duration poll_period = absl::Milliseconds(100);  // how often an idle worker looks for new events
  absl::Duration retry_period = absl::Seconds(2);        // how long a worker rests after an error
  // Called with each new error, from a worker's thread.
  std::function<void(const absl::Status&)> on_error = {};
};

struct DownsampleServiceState {
  WorkDone done;
  int64_t errors = 0;
  absl::Status last_error;
  bool is_failing = false;  // whether the last try of any worker failed
};

// Thread-safe. The dataset must outlive it, and be opened by no other process. Its end waits for the block under way;
// what is left is in the queue.
class DownsampleService {
 public:
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<DownsampleService>> Start(
      graph::Dataset& dataset, const DownsampleServiceOptions& options);
  DownsampleService(const DownsampleService&) = delete;
  DownsampleService& operator=(const DownsampleService&) = delete;
  ~DownsampleService();

  [[nodiscard]] DownsampleServiceState state() const;

 private:
  explicit DownsampleService(const DownsampleServiceOptions& options) : options_(options) {}
  void Run(DownsampleWorker& worker);
  [[nodiscard]] bool Rest(absl::Duration period);  // whether to go on

  const DownsampleServiceOptions options_;
  mutable absl::Mutex mutex_;
  absl::CondVar stop_changed_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  DownsampleServiceState state_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<DownsampleWorker>> workers_;
  std::vector<std::jthread> threads_;
};

}  // namespace cleave::work
