#include "base/parallel.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"

namespace cleave {

int DefaultThreadCount() {
  int threads = 0;
  if (const char* text = std::getenv("CLEAVE_THREADS");
      text != nullptr && absl::SimpleAtoi(text, &threads) && threads > 0) {
    return threads;
  }
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

absl::Status ParallelFor(int64_t count, int threads, const std::function<absl::Status(int64_t)>& body) {
  std::atomic<int64_t> next = 0;
  std::atomic<bool> failed = false;
  std::mutex mutex;
  absl::Status first_error;
  const auto work = [&] {
    for (int64_t i = next++; i < count && !failed; i = next++) {
      if (absl::Status status = body(i); !status.ok()) {
        const std::lock_guard lock(mutex);
        first_error.Update(status);
        failed = true;
      }
    }
  };
  std::vector<std::jthread> helpers;
  for (int64_t i = 1; i < std::min<int64_t>(threads, count); ++i) {
    helpers.emplace_back(work);
  }
  work();
  helpers.clear();
  return first_error;
}

}  // namespace cleave
