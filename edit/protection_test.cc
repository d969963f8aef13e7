// Goal: nobody edits a protected object unawares, whatever happens at the same time. Method: two rows of blocks
// (block_rows_testing.h); marks set between edits, under a foreign lock, over an expired one, and by threads that race
// with edits.
#include "edit/protection.h"

#include <atomic>
#include <thread>

#include "edit/block_rows_testing.h"
#include "edit/lock_keys.h"
#include "table/row_locks.h"

namespace cleave::edit {
namespace {

using graph::NodeId;

class ProtectionTest : public BlockRows {
 protected:
  NodeId RootOf(NodeId supervoxel) { return dataset().Now().Roots(std::vector{supervoxel}).value().front(); }
};

TEST_F(ProtectionTest, EditsOfAProtectedObjectAreRefusedWithWhoAndWhen) {
  const EditReport merge = MergeRowA(0, 2);
  const NodeId root = RootOf(A(0));
  ASSERT_TRUE(editor().Protect({.root = root, .user = "ada", .since = {}, .note = "done, see sheet 4"}).ok());
  const auto listed = ListProtections(dataset());
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_EQ(listed->size(), 1U);
  EXPECT_EQ((*listed)[0].root, root);
  EXPECT_EQ((*listed)[0].user, "ada");
  EXPECT_EQ((*listed)[0].note, "done, see sheet 4");
  EXPECT_GT((*listed)[0].since, absl::Now() - absl::Minutes(5));
  const std::vector<std::string> words = {"protected by ada since 20", "sheet 4", graph::ToString(root)};
  const auto code = absl::StatusCode::kFailedPrecondition;
  ExpectRefused(editor().Merge({.edges = {{A(2), A(3)}}}).status(), code, words);
  ExpectRefused(editor().Split({.edges = {{A(0), A(1)}}}).status(), code, words);
  ExpectRefused(editor().Split({.sources = {PointA(0)}, .sinks = {PointA(2)}}).status(), code, words);
  ExpectRefused(editor().Undo({.operation = merge.operation}).status(), code, words);
  EXPECT_TRUE(editor().Merge({.edges = {{A(3), A(4)}}}).ok()) << "others are not protected";
  Reopen();
  ExpectRefused(editor().Merge({.edges = {{A(2), A(3)}}}).status(), code, words);
  ASSERT_TRUE(Unprotect(dataset(), root).ok());
  EXPECT_TRUE(ListProtections(dataset())->empty());
  EXPECT_TRUE(editor().Merge({.edges = {{A(2), A(3)}}}).ok());
  ExpectRefused(Unprotect(dataset(), root), absl::StatusCode::kNotFound, {"not protected"});
  ExpectClean(dataset());
}

TEST_F(ProtectionTest, AnOverrideEndsTheProtectionAndIsInTheLog) {
  const NodeId root = RootOf(A(0));
  ASSERT_TRUE(editor().Protect({.root = root, .user = "ada", .since = {}, .note = ""}).ok());
  MergeRequest request{.user = "eve", .edges = {{A(0), A(1)}}};
  request.terms.override_protection = true;
  const auto report = editor().Merge(request);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->overridden, std::vector{root});
  EXPECT_EQ(Logged(report->operation).overridden, std::vector{root});
  EXPECT_TRUE(ListProtections(dataset())->empty());
  const auto next = editor().Merge({.edges = {{A(1), A(2)}}});
  ASSERT_TRUE(next.ok()) << "the new object is not protected";
  EXPECT_TRUE(next->overridden.empty());
  ExpectClean(dataset());
}

TEST_F(ProtectionTest, OnlyCurrentRootsAreProtected) {
  const NodeId former = RootOf(A(0));
  MergeRowA(0, 1);
  const auto protect = [&](NodeId id) {
    return editor().Protect({.root = id, .user = "ada", .since = {}, .note = ""});
  };
  ExpectRefused(protect(former), absl::StatusCode::kFailedPrecondition, {"was replaced by"});
  ExpectRefused(protect(A(0)), absl::StatusCode::kInvalidArgument, {"not a root"});
  ExpectRefused(protect(NodeId{Value(RootOf(A(0))) + 500}), absl::StatusCode::kNotFound, {"no object"});
  EXPECT_TRUE(ListProtections(dataset())->empty());
}

TEST_F(ProtectionTest, AnEditInFlightIsWaitedForAndNamed) {
  const NodeId root = RootOf(A(0));
  table::RowLocks locks(dataset().table(), Clock::System(), table::LockedRows::kRoots);
  const NodeId roots[] = {root};
  ASSERT_TRUE(locks.Acquire(RootLockKeys(roots), 77).ok());
  const Protection mark{.root = root, .user = "ada", .since = {}, .note = ""};
  ExpectRefused(editor().Protect(mark), absl::StatusCode::kUnavailable, {"locked by operation 77 since 20"});
  EXPECT_TRUE(ProtectionsOf(dataset().table(), roots)->empty());
  ASSERT_TRUE(locks.Release(RootLockKeys(roots), 77).ok());
  EXPECT_TRUE(editor().Protect(mark).ok());
}

// An operation that sleeps past its lock, while the object is protected, cannot commit when it wakes.
TEST_F(ProtectionTest, AnExpiredLockIsTakenAway) {
  const NodeId roots[] = {RootOf(A(0))};
  const absl::Duration expiry = absl::Milliseconds(50);
  table::RowLocks locks(dataset().table(), Clock::System(), table::LockedRows::kRoots, expiry);
  ASSERT_TRUE(locks.Acquire(RootLockKeys(roots), 77).ok());
  absl::SleepFor(2 * expiry);
  ASSERT_TRUE(
      Protect(dataset(), Clock::System(), expiry, {.root = roots[0], .user = "ada", .since = {}, .note = ""}).ok());
  ExpectRefused(locks.AcquireIndefinite(RootLockKeys(roots), 77), absl::StatusCode::kAborted, {"no longer holds"});
}

// Threads protect the object while others merge it: whatever is protected when its mark was set is never replaced.
TEST_F(ProtectionTest, ProtectionAndEditsDoNotPassEachOther) {
  std::atomic<bool> stop = false;
  std::atomic<int> protections = 0;
  const graph::NodeId first = A(0);
  const graph::NodeId second = A(1);
  std::jthread editing([&] {
    while (!stop) {
      editor().Merge({.edges = {{first, second}}}).status().IgnoreError();
      editor().Split({.edges = {{first, second}}}).status().IgnoreError();
    }
  });
  for (const absl::Time end = absl::Now() + absl::Seconds(20); absl::Now() < end && protections < 15;) {
    const NodeId root = RootOf(first);
    if (!edit::Protect(dataset(), Clock::System(), table::kLockExpiry,
                       {.root = root, .user = "ada", .since = {}, .note = ""})
             .ok()) {
      absl::SleepFor(absl::Microseconds(200));
      continue;  // it was replaced, or is being edited
    }
    ++protections;
    absl::SleepFor(absl::Milliseconds(5));
    EXPECT_EQ(RootOf(first), root) << "a protected object was replaced";
    ASSERT_TRUE(Unprotect(dataset(), root).ok());
  }
  stop = true;
  editing.join();
  EXPECT_GT(protections, 0);
  ExpectClean(dataset());
}

}  // namespace
}  // namespace cleave::edit
