// For this room's tests: a clock that goes only when a test says so.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace cleave::ocdbt {

// Every look at it is a microsecond later than the one before. Thread-safe.
class FakeClock final : public Clock {
 public:
  absl::Time Now() override { return absl::FromUnixNanos(now_ns_ += 1000); }
  void Advance(absl::Duration duration) { now_ns_ += absl::ToInt64Nanoseconds(duration); }

 private:
  std::atomic<int64_t> now_ns_{1700000000000000000};
};

}  // namespace cleave::ocdbt
