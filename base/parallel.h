// Work on several threads at once.
#pragma once

#include <cstdint>
#include <functional>

#include "absl/status/status.h"

namespace cleave {

// The number of threads that work well on this machine: its processors, or CLEAVE_THREADS when that is set.
[[nodiscard]] int DefaultThreadCount();

// Calls body(i) for every i in [0, count), on up to `threads` threads (the calling one among them), in no particular
// order, and returns when all have ended. After the first error no new call starts; that error is returned.
// `body` must be safe to call from several threads. Calls may nest. REQUIRES: threads >= 1.
[[nodiscard]] absl::Status ParallelFor(int64_t count, int threads, const std::function<absl::Status(int64_t)>& body);

}  // namespace cleave
