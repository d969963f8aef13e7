// Goal: an operation that has waited comes before those that came later, whatever becomes of its object's root; and an
// edit that needs two busy objects at once gets through. Method: the line by itself, step by step; then an editor whose
// two objects are edited by threads without pause.
#include "edit/lock_queue.h"

#include <atomic>
#include <thread>

#include "absl/time/clock.h"

#include "edit/block_rows_testing.h"

namespace cleave::edit {
namespace {

using graph::NodeId;
using graph::OperationId;

const absl::Duration kPatience = absl::Milliseconds(10);

std::vector<NodeId> Roots(std::initializer_list<uint64_t> values) { return graph::ToNodeIds(values); }

// Refused once, and beyond its patience.
void MakePatient(LockQueue::Place& place, const std::vector<NodeId>& roots) {
  ASSERT_TRUE(place.Want(roots).ok());
  place.Wait(2 * kPatience);
  absl::SleepFor(kPatience);
}

TEST(LockQueue, WhoHasNotWaitedHasNoPrecedence) {
  LockQueue queue(kPatience);
  LockQueue::Place first(queue, OperationId{1});
  LockQueue::Place second(queue, OperationId{2});
  EXPECT_TRUE(first.Want(Roots({10})).ok());
  EXPECT_TRUE(second.Want(Roots({10})).ok());
}

TEST(LockQueue, WhoHasWaitedComesFirst) {
  LockQueue queue(kPatience);
  LockQueue::Place earlier(queue, OperationId{4});
  LockQueue::Place first(queue, OperationId{5});
  LockQueue::Place later(queue, OperationId{6});
  MakePatient(first, Roots({10, 11}));
  ExpectRefused(later.Want(Roots({11, 12})), absl::StatusCode::kUnavailable,
                {"operation 5 has waited for object 11 since 20"});
  EXPECT_TRUE(later.Want(Roots({12})).ok());
  EXPECT_TRUE(earlier.Want(Roots({11})).ok()) << "it came before";
  EXPECT_TRUE(first.Want(Roots({10, 11})).ok());
}

TEST(LockQueue, TellsHowManyWaitNow) {
  LockQueue queue(kPatience);
  LockQueue::Place place(queue, OperationId{1});
  ASSERT_TRUE(place.Want(Roots({10})).ok());
  EXPECT_EQ(queue.waiting(), 0);
  std::jthread waits([&] { place.Wait(absl::Seconds(30)); });
  while (queue.waiting() == 0) {
    absl::SleepFor(absl::Milliseconds(1));
  }
  EXPECT_EQ(queue.waiting(), 1);
  { const LockQueue::Place ended(queue, OperationId{2}); }  // wakes the others
  waits.join();
  EXPECT_EQ(queue.waiting(), 0) << "it tries again";
}

TEST(LockQueue, AChunkIsWaitedForAsAnObjectIs) {
  LockQueue queue(kPatience);
  LockQueue::Place earlier(queue, OperationId{4});
  LockQueue::Place first(queue, OperationId{5});
  LockQueue::Place later(queue, OperationId{6});
  ASSERT_TRUE(first.WantChunks(Roots({100, 101})).ok());
  MakePatient(first, Roots({10}));  // another try: its chunks are wanted all the same
  EXPECT_TRUE(later.Want(Roots({11})).ok());
  ExpectRefused(later.WantChunks(Roots({101, 102})), absl::StatusCode::kUnavailable,
                {"operation 5 has waited for chunk 101 since 20"});
  EXPECT_TRUE(later.WantChunks(Roots({102})).ok());
  EXPECT_TRUE(earlier.WantChunks(Roots({101})).ok()) << "it came before";
  EXPECT_TRUE(first.WantChunks(Roots({100, 101})).ok());
}

TEST(LockQueue, TheLineFollowsTheLineage) {
  LockQueue queue(kPatience);
  LockQueue::Place first(queue, OperationId{1});
  LockQueue::Place later(queue, OperationId{2});
  MakePatient(first, Roots({10}));
  queue.Replaced(Roots({9, 10}), Roots({20, 21}));
  queue.Replaced(Roots({21}), Roots({30}));
  EXPECT_TRUE(absl::IsUnavailable(later.Want(Roots({30}))));
  EXPECT_TRUE(later.Want(Roots({40})).ok());
}

TEST(LockQueue, WhoLeavesMakesPlace) {
  LockQueue queue(kPatience);
  auto gone = std::make_unique<LockQueue::Place>(queue, OperationId{1});
  LockQueue::Place later(queue, OperationId{2});
  MakePatient(*gone, Roots({10}));
  EXPECT_TRUE(absl::IsUnavailable(later.Want(Roots({10}))));
  gone.reset();
  EXPECT_TRUE(later.Want(Roots({10})).ok());
}

TEST(LockQueue, AChangeWakesThoseWhoWait) {
  LockQueue queue(kPatience);
  LockQueue::Place waiting(queue, OperationId{1});
  ASSERT_TRUE(waiting.Want(Roots({1})).ok());
  std::atomic<bool> woken = false;
  std::jthread waiter([&] {
    waiting.Wait(absl::Minutes(1));
    woken = true;
  });
  while (!woken) {
    queue.Replaced({}, {});
    absl::SleepFor(absl::Milliseconds(1));
  }
}

// Four threads part and join two objects without pause, each holding one at nearly every moment; the edit needs both.
class Starvation : public BlockRows {};

TEST_F(Starvation, AnEditOfTwoBusyObjectsGetsThrough) {
  Reopen({.lock_tries = 200, .lock_wait = absl::Milliseconds(50)});
  MergeRowA(0, 3);
  MergeEdges({{B(0), B(1)}, {B(1), B(2)}, {B(2), B(3)}});
  const NodeId a[] = {A(0), A(1), A(2), A(3)};
  const NodeId b[] = {B(0), B(1), B(2), B(3)};
  std::atomic<bool> stop = false;
  std::atomic<int> busy_edits = 0;
  std::vector<std::jthread> threads;
  for (const auto& edge : {graph::EdgeEnds{a[0], a[1]}, graph::EdgeEnds{a[1], a[2]}, graph::EdgeEnds{b[0], b[1]},
                           graph::EdgeEnds{b[1], b[2]}}) {
    threads.emplace_back([&, edge] {
      while (!stop) {
        busy_edits += editor().Split({.edges = {edge}}).ok() ? 1 : 0;
        busy_edits += editor().Merge({.edges = {edge}}).ok() ? 1 : 0;
      }
    });
  }
  while (busy_edits < 8) {
    absl::SleepFor(absl::Milliseconds(1));
  }
  for (int i = 0; i < 3; ++i) {
    const auto merge = editor().Merge({.user = "patient", .edges = {{a[1], b[1]}}});
    EXPECT_TRUE(merge.ok()) << merge.status();
    const auto split = editor().Split({.user = "patient", .edges = {{a[1], b[1]}}});
    EXPECT_TRUE(split.ok()) << split.status();
  }
  stop = true;
  threads.clear();
  std::cout << busy_edits << " edits of others meanwhile\n";
  ExpectClean(dataset());
  ExpectNoLocks();
}

}  // namespace
}  // namespace cleave::edit
