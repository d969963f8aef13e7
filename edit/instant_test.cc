// Goal: a time and a generation each lead to graph and voxels that belong together.
// Method: hand-made logs with the awkward cases: no edits, edits of the graph alone, failed ones, commits of the store
// in another order than the times of the operations.
#include "edit/instant.h"

#include <vector>

#include "gtest/gtest.h"

namespace cleave::edit {
namespace {

absl::Time At(int64_t ms) { return absl::FromUnixMillis(ms); }

OperationRecord Operation(absl::Time time, std::optional<uint64_t> generation) {
  OperationRecord record;
  record.status = OperationStatus::kSuccess;
  record.time = time;
  record.written_generation = generation;
  return record;
}

TEST(InstantAtTime, IsTheNewestVersionWhereNothingWasEverWritten) {
  EXPECT_EQ(InstantAtTime({}, At(5)).generation, std::nullopt);
  const std::vector<OperationRecord> merges = {Operation(At(3), std::nullopt)};
  const Instant instant = InstantAtTime(merges, At(5));
  EXPECT_EQ(instant.generation, std::nullopt);
  EXPECT_EQ(instant.graph_time, At(5));
}

TEST(InstantAtTime, TakesTheVersionOfTheLastOperationUpToThatTime) {
  const std::vector<OperationRecord> log = {Operation(At(20), 4), Operation(At(10), 3), Operation(At(30), std::nullopt),
                                            Operation(At(40), 5)};
  EXPECT_EQ(InstantAtTime(log, At(9)).generation, 2);
  EXPECT_EQ(InstantAtTime(log, At(10)).generation, 3);
  EXPECT_EQ(InstantAtTime(log, At(19)).generation, 3);
  EXPECT_EQ(InstantAtTime(log, At(35)).generation, 4);
  EXPECT_EQ(InstantAtTime(log, At(1000)).generation, 5);
}

TEST(InstantAtTime, TakesTheNewerVersionWhereCommitsCameInAnotherOrder) {
  // Newer voxels under an older graph are the old state: a fresh supervoxel leads to the old root until its time.
  const std::vector<OperationRecord> log = {Operation(At(10), 7), Operation(At(20), 6)};
  EXPECT_EQ(InstantAtTime(log, At(15)).generation, 7);
}

TEST(InstantAtTime, DoesNotLookAtOperationsThatFailed) {
  std::vector<OperationRecord> log = {Operation(At(10), 3), Operation(At(20), 9)};
  log[1].status = OperationStatus::kException;
  EXPECT_EQ(InstantAtTime(log, At(30)).generation, 3);
}

TEST(InstantAtGeneration, TakesTheTimeOfTheLastOperationInIt) {
  const std::vector<OperationRecord> log = {Operation(At(10), 3), Operation(At(20), std::nullopt),
                                            Operation(At(30), 4)};
  EXPECT_EQ(InstantAtGeneration(log, 2, At(1)).graph_time, At(1));
  EXPECT_EQ(InstantAtGeneration(log, 3, At(1)).graph_time, At(10));
  EXPECT_EQ(InstantAtGeneration(log, 4, At(1)).graph_time, At(30));
  EXPECT_EQ(InstantAtGeneration(log, 4, At(1)).generation, 4);
}

}  // namespace
}  // namespace cleave::edit
