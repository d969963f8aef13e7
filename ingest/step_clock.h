// Where the time of a parallel job goes.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace cleave::ingest {

enum class Step {
  kReadLabels,
  kSupervoxels,
  kEncodeVoxels,
  kWriteVoxels,
  kEdges,
  kWriteEdges,
  kRows,
  kParents,
  kCoarserScales,
  kSeal
};
inline constexpr std::array<const char*, 10> kStepNames = {
    "read labels", "supervoxels", "encode voxels", "write voxels",   "edges",
    "write edges", "rows",        "parents",       "coarser scales", "seal"};

// Adds up the time that threads spend in each step. Thread-safe.
class StepClock {
 public:
  // Calls `body` on behalf of `step` and returns what it returns.
  template <typename Body>
  auto Time(Step step, Body body) {
    const Span span(nanoseconds_[static_cast<size_t>(step)]);
    return body();
  }
  [[nodiscard]] double Seconds(Step step) const {
    return static_cast<double>(nanoseconds_[static_cast<size_t>(step)].load()) * 1e-9;
  }

 private:
  // The time between its making and its end.
  class Span {
   public:
    explicit Span(std::atomic<int64_t>& total) : total_(total) {}
    Span(const Span&) = delete;
    Span& operator=(const Span&) = delete;
    ~Span() {
      const auto spent = std::chrono::steady_clock::now() - start_;
      total_ += std::chrono::duration_cast<std::chrono::nanoseconds>(spent).count();
    }

   private:
    std::atomic<int64_t>& total_;
    const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  };

  std::array<std::atomic<int64_t>, kStepNames.size()> nanoseconds_ = {};
};

}  // namespace cleave::ingest
