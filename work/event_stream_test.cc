// Goal: events are the successful operations, each once, in the order of commits, whatever offsets, limits and groups
// ask for them; a project from before the index gets the same; nothing is told that an operation in flight could still
// come before. Method: random edits on a small project, compared with the log; rows of events removed as an older
// program leaves them; a row in flight written by hand.
#include "work/event_stream.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <random>
#include <thread>

#include "gtest/gtest.h"

#include "base/test_seed.h"
#include "edit/repair.h"
#include "work/work_testing.h"

namespace cleave::work {
namespace {

// A table that does something once, right after a range that begins with "e" was read: the events.
class InterruptedTable final : public table::Table {
 public:
  InterruptedTable(table::Table& inner, std::function<void()>& after_events)
      : inner_(inner), after_events_(after_events) {}
  absl::StatusOr<std::vector<table::Row>> ReadRows(std::span<const std::string> keys,
                                                   const table::Filter& filter) const override {
    return inner_.ReadRows(keys, filter);
  }
  absl::StatusOr<std::vector<table::Row>> ReadRange(const table::RowRange& range, const table::Filter& filter,
                                                    int64_t limit) const override {
    auto rows = inner_.ReadRange(range, filter, limit);
    if (range.begin.starts_with('e') && after_events_) {
      std::exchange(after_events_, nullptr)();
    }
    return rows;
  }
  absl::Status Apply(std::span<const table::RowMutation> mutations) override { return inner_.Apply(mutations); }
  bool atomic_batches() const override { return inner_.atomic_batches(); }
  absl::StatusOr<bool> ApplyIf(absl::string_view key, std::span<const table::CellMatch> predicate,
                               std::span<const table::Change> if_matched,
                               std::span<const table::Change> if_not_matched) override {
    return inner_.ApplyIf(key, predicate, if_matched, if_not_matched);
  }
  absl::StatusOr<int64_t> Increment(absl::string_view key, const table::Column& column, int64_t delta) override {
    return inner_.Increment(key, column, delta);
  }

 private:
  table::Table& inner_;
  std::function<void()>& after_events_;
};

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

  // The project with its third event in flight again, until `after_events_` is called.
  std::unique_ptr<graph::Dataset> OpenWithThirdEventInFlight(std::vector<graph::OperationId>& all) {
    const EventPage page = ReadEvents(dataset(), {}, 0).value();
    for (const edit::OperationRecord& event : page.events) {
      all.push_back(event.id);
    }
    const edit::OperationRecord third = page.events[2];
    project_ = {};
    auto opened = graph::Dataset::Open(folder_.path() + "/p", {.table = [&](table::Table& table) {
                                         return std::make_unique<InterruptedTable>(table, after_events_);
                                       }});
    graph::Dataset* const dataset = opened.value().get();
    edit::OperationLog log(dataset->table());
    edit::OperationRecord begun = third;
    begun.status = edit::OperationStatus::kWriteStarted;
    EXPECT_TRUE(log.Write(begun).ok());
    EXPECT_TRUE(log.WriteInFlight({.id = third.id, .locked_roots = {}, .chunk_scope = {}}).ok());
    const table::RowMutation gone[] = {
        {edit::EventRowKey({.time = third.time, .operation = third.id}), {table::DeleteRow{}}}};
    EXPECT_TRUE(dataset->table().Apply(gone).ok());
    EXPECT_EQ(ReadEvents(*dataset, {}, 0)->events.size(), 2U);
    third_time_ = third.time;
    after_events_ = [dataset, third] {
      edit::OperationLog ending(dataset->table());
      ASSERT_TRUE(ending.Write(third).ok());
      const table::RowMutation event[] = {edit::EventRow({third.time, third.id})};
      ASSERT_TRUE(dataset->table().Apply(event).ok());
      ASSERT_TRUE(ending.RemoveInFlight(third.id).ok());
    };
    return *std::move(opened);
  }

  store::TemporaryFolder folder_;
  edit::OpenProject project_;
  std::function<void()> after_events_;
  absl::Time third_time_;
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

TEST_F(EventStreamTest, AnOperationThatEndsWhileEventsAreReadIsNotPassed) {
  std::vector<graph::OperationId> all;
  const std::unique_ptr<graph::Dataset> dataset = OpenWithThirdEventInFlight(all);
  const EventPage page = ReadEvents(*dataset, {}, 0).value();
  EXPECT_FALSE(after_events_) << "the operation did not end in between";
  std::vector<graph::OperationId> told;
  for (const edit::OperationRecord& event : page.events) {
    told.push_back(event.id);
  }
  EXPECT_EQ(told, std::vector(all.begin(), all.begin() + std::ssize(told)));
  EXPECT_GE(told.size(), 2U);
  EXPECT_EQ(told.size() + ReadEvents(*dataset, page.next, 0)->events.size(), all.size());
}

TEST_F(EventStreamTest, AnOperationThatEndsWhileTheWorkerWorksIsNotPassed) {
  std::vector<graph::OperationId> all;
  const std::unique_ptr<graph::Dataset> dataset = OpenWithThirdEventInFlight(all);
  const auto worker = DownsampleWorker::Create(*dataset, {}).value();
  ASSERT_TRUE(worker->Step().ok());
  EXPECT_FALSE(after_events_) << "the operation did not end in between";
  EXPECT_LT(edit::ReadAcknowledged(dataset->table(), edit::kDownsampleGroup).value(), third_time_);
  ASSERT_TRUE(worker->Drain().ok());
  ASSERT_NO_FATAL_FAILURE(ExpectFreshScales(*dataset));
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
