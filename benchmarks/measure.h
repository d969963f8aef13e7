// What benchmarks measure of their own process.
#pragma once

#include <chrono>

#include <sys/resource.h>

namespace cleave {

inline double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// The largest resident memory so far, in MiB (ru_maxrss counts KiB on Linux).
inline double PeakMemoryMiB() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

}  // namespace cleave
