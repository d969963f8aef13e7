// Goal: an operation that gives old ids back waits for those of an earlier time, and for no other. Method: rows of
// operations in flight are planted in a table in memory, in each state; then one is waited for while it ends.
#include "edit/earlier_voxels.h"

#include <thread>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"

#include "edit/operation_log.h"
#include "table/memory_table.h"

namespace cleave::edit {
namespace {

constexpr graph::OperationId kOther{7};

class EarlierVoxels : public testing::Test {
 protected:
  // The intent's time is the second that is given.
  void SetUp() override {
    earlier_ = log_.NextCommitTime(absl::FromUnixSeconds(1000)).value();
    intent_.operation = graph::OperationId{8};
  }
  void GiveTime() { intent_.time = log_.NextCommitTime(absl::FromUnixSeconds(1000)).value(); }
  void Plant(OperationStatus status, absl::Time time, uint64_t chunks = 3) {
    OperationRecord record;
    record.id = kOther;
    record.status = status;
    record.time = time;
    record.changed_chunk_count = chunks;
    ASSERT_TRUE(log_.Write(record).ok());
  }
  void PlantInFlight(bool is_committing) {
    InFlight in_flight;
    in_flight.id = kOther;
    in_flight.is_committing = is_committing;
    ASSERT_TRUE(log_.WriteInFlight(in_flight).ok());
  }
  absl::Status Wait() { return WaitForEarlierVoxels(table_, intent_, absl::Milliseconds(20)); }
  void ExpectWaits(bool waits) {
    const absl::Status status = Wait();
    EXPECT_EQ(absl::IsUnavailable(status), waits) << status;
    EXPECT_TRUE(waits || status.ok()) << status;
    EXPECT_EQ(absl::StrContains(status.message(), "operation 7"), waits) << status;
  }

  table::MemoryTable table_;
  OperationLog log_{table_};
  Intent intent_;
  absl::Time earlier_;
};

TEST_F(EarlierVoxels, NobodyIsInFlight) {
  GiveTime();
  ExpectWaits(false);
}

TEST_F(EarlierVoxels, WhoPlansWillGetALaterTime) {
  GiveTime();
  PlantInFlight(false);
  ExpectWaits(false);
  Plant(OperationStatus::kCreated, earlier_);
  ExpectWaits(false);
}

TEST_F(EarlierVoxels, WhoIsAboutToGetATimeMayHaveAnEarlierOne) {
  Plant(OperationStatus::kCreated, earlier_);
  PlantInFlight(true);
  GiveTime();
  ExpectWaits(true);
  PlantInFlight(true);  // written again, behind the intent's time
  ExpectWaits(false);
}

TEST_F(EarlierVoxels, CommittedOnesByTheirTime) {
  GiveTime();
  PlantInFlight(true);
  Plant(OperationStatus::kWriteStarted, earlier_);
  ExpectWaits(true);
  Plant(OperationStatus::kWriteStarted, earlier_, 0);  // of the graph alone
  ExpectWaits(false);
  Plant(OperationStatus::kWriteStarted, intent_.time + absl::Milliseconds(1));
  ExpectWaits(false);
  for (const OperationStatus status :
       {OperationStatus::kSuccess, OperationStatus::kException, OperationStatus::kWriteFailed}) {
    Plant(status, earlier_);
    ExpectWaits(false);
  }
}

TEST_F(EarlierVoxels, ItGoesOnWhenTheOtherEnds) {
  GiveTime();
  PlantInFlight(true);
  Plant(OperationStatus::kWriteStarted, earlier_);
  std::thread other([&] {
    absl::SleepFor(absl::Milliseconds(30));
    Plant(OperationStatus::kSuccess, earlier_);
  });
  EXPECT_TRUE(WaitForEarlierVoxels(table_, intent_).ok());
  EXPECT_EQ(log_.Read(kOther)->status, OperationStatus::kSuccess);
  other.join();
}

}  // namespace
}  // namespace cleave::edit
