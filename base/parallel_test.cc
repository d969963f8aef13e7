// Goal: every index runs once, the first error stops the rest and is returned, and calls may nest.
#include "base/parallel.h"

#include <atomic>
#include <vector>

#include "gtest/gtest.h"

namespace cleave {
namespace {

TEST(ParallelFor, RunsEveryIndexOnce) {
  for (const int threads : {1, 2, 7}) {
    std::vector<std::atomic<int>> calls(100);
    ASSERT_TRUE(ParallelFor(100, threads, [&](int64_t i) {
                  ++calls[i];
                  return absl::OkStatus();
                }).ok());
    for (const auto& count : calls) {
      EXPECT_EQ(count, 1);
    }
  }
}

TEST(ParallelFor, StopsAfterTheFirstError) {
  std::atomic<int> calls = 0;
  const absl::Status status = ParallelFor(1'000'000, 4, [&](int64_t i) {
    ++calls;
    return i == 3 ? absl::DataLossError("third") : absl::OkStatus();
  });
  EXPECT_EQ(status, absl::DataLossError("third"));
  EXPECT_LT(calls, 1'000'000);
}

TEST(ParallelFor, Nests) {
  std::atomic<int> calls = 0;
  ASSERT_TRUE(ParallelFor(4, 4, [&](int64_t) {
                return ParallelFor(4, 4, [&](int64_t) {
                  ++calls;
                  return absl::OkStatus();
                });
              }).ok());
  EXPECT_EQ(calls, 16);
}

}  // namespace
}  // namespace cleave
