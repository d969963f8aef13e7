// Time and randomness, the two inputs that a test must be able to choose.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "absl/time/time.h"

namespace cleave {

// Tells the time. Implementations are thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual absl::Time Now() = 0;

  // The system's clock; lives as long as the process.
  static Clock& System();
};

// Gives unpredictable bytes, for names that must never collide. Implementations are thread-safe.
class RandomSource {
 public:
  virtual ~RandomSource() = default;
  virtual void Fill(std::span<uint8_t> bytes) = 0;

  // The kernel's generator; lives as long as the process.
  static RandomSource& System();
};

}  // namespace cleave
