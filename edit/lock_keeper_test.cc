// Goal: a lock lives as long as its plan is being made, and a plan that lost its lock does not commit. Method: locks
// with a short expiry under the keeper's eyes; a session whose lock another operation took while it slept.
#include "edit/lock_keeper.h"

#include "absl/time/clock.h"

#include "edit/block_rows_testing.h"
#include "edit/edge_plan.h"
#include "edit/lock_keys.h"
#include "edit/session.h"

namespace cleave::edit {
namespace {

using graph::NodeId;
using graph::OperationId;

constexpr absl::Duration kExpiry = absl::Milliseconds(600);

class LockKeeperTest : public BlockRows {
 protected:
  NodeId RootOf(NodeId supervoxel) { return dataset().Now().Roots(std::vector{supervoxel}).value().front(); }
  OperationRecord NewRecord() {
    OperationRecord record;
    record.id = dataset().ids().NewOperation().value();
    return record;
  }
  // A merge of two blocks, for a session to commit.
  std::vector<PlannedOperation> Planned(const OperationRecord& record) {
    const Draft draft(dataset());
    Stages stages;
    const graph::EdgeEnds edges[] = {{A(0), A(1)}};
    auto plan = PlanJoin(draft, record.id, edges, {}, stages);
    EXPECT_TRUE(plan.ok()) << plan.status();
    return {{record, *std::move(plan)}};
  }
};

TEST_F(LockKeeperTest, KeptLocksDoNotExpireAndDroppedOnesDo) {
  LockKeeper keeper(dataset().table(), Clock::System(), kExpiry);
  table::RowLocks locks(dataset().table(), Clock::System(), table::LockedRows::kRoots, kExpiry);
  const NodeId roots[] = {RootOf(A(0)), RootOf(A(1))};
  const std::vector<std::string> keys = RootLockKeys(roots);
  ASSERT_TRUE(locks.Acquire(keys, 5).ok());
  keeper.KeepRoots(OperationId{5}, keys);
  for (int i = 0; i < 5; ++i) {
    absl::SleepFor(kExpiry / 2);
    EXPECT_TRUE(absl::IsUnavailable(locks.Acquire(keys, 6))) << "after " << i;
  }
  keeper.Drop(OperationId{5});
  absl::SleepFor(kExpiry + absl::Milliseconds(50));
  EXPECT_TRUE(locks.Acquire(keys, 6).ok());
}

TEST_F(LockKeeperTest, ALockThatAnotherTookIsNotTakenBack) {
  LockKeeper keeper(dataset().table(), Clock::System(), kExpiry);
  table::RowLocks locks(dataset().table(), Clock::System(), table::LockedRows::kRoots, kExpiry);
  const NodeId roots[] = {RootOf(A(0))};
  const std::vector<std::string> keys = RootLockKeys(roots);
  ASSERT_TRUE(locks.Acquire(keys, 5).ok());
  absl::SleepFor(kExpiry + absl::Milliseconds(20));
  ASSERT_TRUE(locks.Acquire(keys, 6).ok());
  keeper.KeepRoots(OperationId{5}, keys);
  absl::SleepFor(kExpiry);
  EXPECT_EQ(table::ReadLocks(dataset().table(), keys)->front().temporal->operation_id, 6U);
}

TEST_F(LockKeeperTest, ALongPlanKeepsItsLockAndCommits) {
  LockKeeper keeper(dataset().table().ordered(), Clock::System(), kExpiry);
  const OperationRecord record = NewRecord();
  Session session(dataset(), Clock::System(), record, &keeper, kExpiry);
  const NodeId roots[] = {RootOf(A(0)), RootOf(A(1))};
  ASSERT_TRUE(session.Begin(roots).ok());
  absl::SleepFor(2 * kExpiry);
  table::RowLocks others(dataset().table(), Clock::System(), table::LockedRows::kRoots, kExpiry);
  EXPECT_TRUE(absl::IsUnavailable(others.Acquire(RootLockKeys(roots), 99)));
  Stages stages;
  const auto done = session.Commit(Planned(record), stages);
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_TRUE(Together(A(0), A(1)));
  ExpectNoLocks();
}

TEST_F(LockKeeperTest, APlanThatOutlivedItsLockIsRefused) {
  LockKeeper asleep(dataset().table().ordered(), Clock::System(), absl::Hours(1));
  const OperationRecord record = NewRecord();
  Session session(dataset(), Clock::System(), record, &asleep, kExpiry);
  const NodeId roots[] = {RootOf(A(0)), RootOf(A(1))};
  ASSERT_TRUE(session.Begin(roots).ok());
  std::vector<PlannedOperation> planned = Planned(record);
  absl::SleepFor(kExpiry + absl::Milliseconds(20));
  table::RowLocks others(dataset().table(), Clock::System(), table::LockedRows::kRoots, kExpiry);
  ASSERT_TRUE(others.Acquire(RootLockKeys(roots), 99).ok());
  Stages stages;
  ExpectRefused(session.Commit(std::move(planned), stages).status(), absl::StatusCode::kAborted, {"no longer holds"});
  EXPECT_FALSE(Together(A(0), A(1)));
  EXPECT_EQ(Logged(record.id).failure, OperationFailure::kFailed);
  const auto locks = table::ReadLocks(dataset().table(), RootLockKeys(roots));
  EXPECT_EQ(locks->front().temporal->operation_id, 99U) << "the other's lock is left alone";
  ASSERT_TRUE(others.Release(RootLockKeys(roots), 99).ok());
  ExpectNoLocks();
}

// Editors wait for a bounded time, and say who is in the way.
TEST_F(LockKeeperTest, ARefusalNamesTheHolder) {
  const NodeId roots[] = {RootOf(A(1))};
  table::RowLocks others(dataset().table(), Clock::System(), table::LockedRows::kRoots);
  ASSERT_TRUE(others.Acquire(RootLockKeys(roots), 99).ok());
  const absl::Time start = absl::Now();
  ExpectRefused(editor().Merge({.edges = {{A(0), A(1)}}}).status(), absl::StatusCode::kUnavailable,
                {"locked by operation 99 since 20"});
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(3 * 20) * 0.7);
  EXPECT_EQ(Log().back().failure, OperationFailure::kFailed);
  ASSERT_TRUE(others.Release(RootLockKeys(roots), 99).ok());
  ExpectNoLocks();
}

}  // namespace
}  // namespace cleave::edit
