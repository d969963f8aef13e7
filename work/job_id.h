// Numbers by which workers are told apart in the locks that they hold.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

#include "base/clock.h"

namespace cleave::work {

// Random, and so large that it is no operation's.
[[nodiscard]] inline uint64_t NewJobId() {
  uint8_t bytes[sizeof(uint64_t)];
  RandomSource::System().Fill(bytes);
  uint64_t id = 0;
  std::memcpy(&id, bytes, sizeof id);
  return id | (uint64_t{1} << 63);
}

}  // namespace cleave::work
