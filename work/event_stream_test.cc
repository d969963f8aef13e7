// Goal: events are the successful operations, each once, in the order of commits, whatever offsets, limits and groups
// ask for them; a project from before the index gets the same; nothing is told that an operation in flight could still
// come before. Method: random edits on a small project, compared with the log; rows of events removed as an older
// program leaves them; a row in flight written by hand.
#include "work/event_stream.h"

#include <algorithm>
#include <random>
#include <thread>

#include "gtest/gtest.h"

#include "base/test_seed.h"
#include "edit/repair.h"
#include "work/work_testing.h"

namespace cleave::work {
namespace {

class EventStreamTest : public testing::Test {
 protected:
  void SetUp() override {
    std::mt19937_64 random(TestSeed());
    ASSERT_NO_FATAL_FAILURE(MakeProject(folder_.path() + "/p", random));
    project_ = edit::Open(folder_.path() + "/p");
    ASSERT_NE(project_.editor, nullptr);
    RandomEditor editor(project_, random());
    for (int done = 0; done < 8;) {
      done += editor.EditOnce().ok() ? 1 : 0;
    }
  }
  graph::Dataset& dataset() { return *project_.dataset; }

  store::TemporaryFolder folder_;
  edit::OpenProject project_;
};

TEST_F(EventStreamTest, AreTheLogInOrder) {
  ASSERT_NO_FATAL_FAILURE(ExpectEventsEqualLog(dataset()));
  edit::ExpectClean(dataset());
}

TEST_F(EventStreamTest, PagesJoinWithoutGapOrOverlap) {
  const EventPage all = ReadEvents(dataset(), {}, 0).value();
  ASSERT_GE(all.events.size(), 8U);
  std::vector<graph::OperationId> seen;
  EventOffset offset;
  for (;;) {
    const EventPage page = ReadEvents(dataset(), offset, 3).value();
    if (page.events.empty()) {
      EXPECT_EQ(page.next.after, offset.after);
      break;
    }
    EXPECT_LE(page.events.size(), 3U);
    for (const edit::OperationRecord& event : page.events) {
      seen.push_back(event.id);
    }
    offset = page.next;
  }
  ASSERT_EQ(seen.size(), all.events.size());
  for (size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i], all.events[i].id);
  }
}

TEST_F(EventStreamTest, ProjectFromBeforeTheIndexGetsItOnce) {
  std::vector<table::RowMutation> rows = {{"events", {table::DeleteRow{}}}};
  const auto listed = edit::ListEvents(dataset().table(), absl::InfinitePast(), 0).value();
  for (const edit::EventRef& event : listed) {
    rows.push_back({edit::EventRowKey(event), {table::DeleteRow{}}});
  }
  ASSERT_TRUE(dataset().table().Apply(rows).ok());
  edit::ExpectClean(dataset());  // lacking for a reason
  ASSERT_NO_FATAL_FAILURE(ExpectEventsEqualLog(dataset()));
  EXPECT_EQ(edit::ListEvents(dataset().table(), absl::InfinitePast(), 0).value(), listed);
}

TEST_F(EventStreamTest, AnOperationInFlightHoldsBackLaterEvents) {
  const EventPage all = ReadEvents(dataset(), {}, 0).value();
  edit::OperationRecord begun;
  begun.id = graph::OperationId{1'000'000};
  begun.status = edit::OperationStatus::kWriteStarted;
  begun.time = all.events[2].time;  // committed before the third event and not carried out yet
  edit::OperationLog log(dataset().table());
  ASSERT_TRUE(log.Write(begun).ok());
  ASSERT_TRUE(log.WriteInFlight({.id = begun.id, .locked_roots = {}, .chunk_scope = {}}).ok());
  EXPECT_EQ(ReadEvents(dataset(), {}, 0)->events.size(), 2U);
  EXPECT_EQ(ReadEvents(dataset(), {all.events[4].time}, 0)->events.size(), 0U);
  ASSERT_TRUE(log.RemoveInFlight(begun.id).ok());
  EXPECT_EQ(ReadEvents(dataset(), {}, 0)->events.size(), all.events.size());
}

TEST_F(EventStreamTest, GroupsKeepTheirOwnOffsetAndNeverGoBack) {
  const EventPage all = ReadEvents(dataset(), {}, 0).value();
  table::Table& table = dataset().table();
  EXPECT_EQ(edit::ReadAcknowledged(table, "meshes").value(), absl::InfinitePast());
  ASSERT_TRUE(edit::Acknowledge(table, "meshes", all.events[3].time).ok());
  ASSERT_TRUE(edit::Acknowledge(table, "meshes", all.events[1].time).ok());
  EXPECT_EQ(edit::ReadAcknowledged(table, "meshes").value(), all.events[3].time);
  EXPECT_EQ(edit::ReadAcknowledged(table, "caches").value(), absl::InfinitePast());
  EXPECT_EQ(edit::ListEventGroups(table)->size(), 1U);
  EXPECT_TRUE(absl::IsInvalidArgument(edit::Acknowledge(table, "a/b", absl::Now())));
}

TEST_F(EventStreamTest, ThreadsThatAcknowledgeEndAtTheLatest) {
  const EventPage all = ReadEvents(dataset(), {}, 0).value();
  {
    std::vector<std::jthread> threads;
    for (size_t t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (size_t i = t; i < all.events.size(); i += 2) {
          EXPECT_TRUE(edit::Acknowledge(dataset().table(), "group", all.events[i].time).ok());
        }
      });
    }
  }
  EXPECT_EQ(edit::ReadAcknowledged(dataset().table(), "group").value(), all.events.back().time);
}

TEST_F(EventStreamTest, FsckFindsAndRepairsMissingAndInventedEvents) {
  const auto listed = edit::ListEvents(dataset().table(), absl::InfinitePast(), 0).value();
  const edit::EventRef invented{listed.back().time + absl::Seconds(1), graph::OperationId{999}};
  const table::RowMutation rows[] = {{edit::EventRowKey(listed[1]), {table::DeleteRow{}}}, edit::EventRow(invented)};
  ASSERT_TRUE(edit::EnsureEventIndex(dataset().table()).ok());
  ASSERT_TRUE(dataset().table().Apply(rows).ok());
  const auto report = edit::Fsck(dataset(), {}, Progress::Silent());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->found[8], 2);
  EXPECT_EQ(report->total_found(), 2);
  auto plan = edit::PlanRepair(dataset(), {}, Clock::System(), Progress::Silent());
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_TRUE(plan->after.clean());
  const auto repaired = edit::ApplyRepair(dataset(), Clock::System(), *std::move(plan), "test", {}, Progress::Silent());
  ASSERT_TRUE(repaired.ok()) << repaired.status();
  EXPECT_TRUE(repaired->after.clean());
  ASSERT_NO_FATAL_FAILURE(ExpectEventsEqualLog(dataset()));
}

}  // namespace
}  // namespace cleave::work
