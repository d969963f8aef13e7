// Goal: the log gives back what was written, in order; times it hands out never repeat or go back.
// Method: records with every member set, over a table in memory; clocks that stand still and that go backwards;
// threads.
#include "edit/operation_log.h"

#include <set>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "gtest/gtest.h"

#include "table/columns.h"
#include "table/memory_table.h"
#include "table/row_keys.h"
#include "table/serializers.h"

namespace cleave::edit {
namespace {

using graph::NodeId;
using graph::OperationId;

OperationRecord ExampleRecord() {
  OperationRecord record;
  record.id = OperationId{12};
  record.kind = OperationKind::kSplit;
  record.status = OperationStatus::kSuccess;
  record.user = "ada";
  record.time = absl::FromUnixMillis(1'700'000'000'123);
  record.sources = {{1, -2, 3}};
  record.sinks = {{4, 5, 6}, {-7, 8, 9}};
  record.source_supervoxels = {NodeId{100}};
  record.sink_supervoxels = {NodeId{101}, NodeId{102}};
  record.added_edges = {{NodeId{1}, NodeId{2}}};
  record.removed_edges = {{NodeId{3}, NodeId{4}}, {NodeId{5}, NodeId{6}}};
  record.old_roots = {NodeId{7}};
  record.new_roots = {NodeId{8}, NodeId{9}};
  record.fragments = {NodeId{100}, NodeId{101}};
  record.chunk_scope = {NodeId{50}};
  record.read_generation = 3;
  record.written_generation = 4;
  record.exception = "";
  record.affinities = {0.25F, 1.5F};
  record.bounding_box_offset = VoxelPoint{240, 240, 24};
  record.new_l2_nodes = {NodeId{60}, NodeId{61}};
  record.fragment_origins = {{NodeId{100}, NodeId{99}, 1, 7}, {NodeId{101}, NodeId{99}, 2, 8}};
  record.changed_boxes = {{{-1, 2, 3}, {4, 5, 6}}, {{0, 0, 0}, {9, 9, 9}}};
  record.changed_chunk_count = 3;
  record.overridden = {NodeId{7}};
  record.request_key = "a key";
  record.batch = OperationId{12};
  record.batch_operations = {OperationId{12}, OperationId{13}};
  return record;
}

void ExpectSame(const OperationRecord& a, const OperationRecord& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.status, b.status);
  EXPECT_EQ(a.user, b.user);
  EXPECT_EQ(a.time, b.time);
  EXPECT_EQ(a.sources, b.sources);
  EXPECT_EQ(a.sinks, b.sinks);
  EXPECT_EQ(a.source_supervoxels, b.source_supervoxels);
  EXPECT_EQ(a.sink_supervoxels, b.sink_supervoxels);
  EXPECT_EQ(a.added_edges, b.added_edges);
  EXPECT_EQ(a.removed_edges, b.removed_edges);
  EXPECT_EQ(a.old_roots, b.old_roots);
  EXPECT_EQ(a.new_roots, b.new_roots);
  EXPECT_EQ(a.fragments, b.fragments);
  EXPECT_EQ(a.chunk_scope, b.chunk_scope);
  EXPECT_EQ(a.read_generation, b.read_generation);
  EXPECT_EQ(a.written_generation, b.written_generation);
  EXPECT_EQ(a.exception, b.exception);
  EXPECT_EQ(a.failure, b.failure);
  EXPECT_EQ(a.target, b.target);
  EXPECT_EQ(a.undone_by, b.undone_by);
  EXPECT_EQ(a.affinities, b.affinities);
  EXPECT_EQ(a.bounding_box_offset, b.bounding_box_offset);
  EXPECT_EQ(a.new_l2_nodes, b.new_l2_nodes);
  EXPECT_EQ(a.fragment_origins, b.fragment_origins);
  EXPECT_EQ(a.changed_boxes, b.changed_boxes);
  EXPECT_EQ(a.changed_chunk_count, b.changed_chunk_count);
  EXPECT_EQ(a.overridden, b.overridden);
  EXPECT_EQ(a.request_key, b.request_key);
  EXPECT_EQ(a.batch, b.batch);
  EXPECT_EQ(a.batch_operations, b.batch_operations);
}

TEST(OperationLog, GivesBackWhatWasWritten) {
  table::MemoryTable table;
  OperationLog log(table);
  ASSERT_TRUE(log.Write(ExampleRecord()).ok());
  const auto read = log.Read(OperationId{12});
  ASSERT_TRUE(read.ok()) << read.status();
  ExpectSame(*read, ExampleRecord());
  EXPECT_TRUE(absl::IsNotFound(log.Read(OperationId{13}).status()));
}

TEST(OperationLog, ARowOfANodeIsNoOperation) {
  table::MemoryTable table;
  const uint64_t node = (uint64_t{2} << 56) + 1;
  const table::RowMutation row{table::NodeRowKey(node),
                               {table::SetCell{table::columns::kChild, absl::UnixEpoch(), "x"}}};
  ASSERT_TRUE(table.Apply({&row, 1}).ok());
  EXPECT_TRUE(absl::IsNotFound(OperationLog(table).Read(OperationId{node}).status()));
}

TEST(OperationLog, ALaterWriteReplacesStatusAndScope) {
  table::MemoryTable table;
  OperationLog log(table);
  OperationRecord record = ExampleRecord();
  record.status = OperationStatus::kWriteStarted;
  ASSERT_TRUE(log.Write(record).ok());
  record.status = OperationStatus::kSuccess;
  record.chunk_scope.clear();
  ASSERT_TRUE(log.Write(record).ok());
  const auto read = log.Read(OperationId{12});
  ASSERT_TRUE(read.ok()) << read.status();
  ExpectSame(*read, record);
}

TEST(OperationLog, ListsOperationsAndNothingElse) {
  table::MemoryTable table;
  OperationLog log(table);
  for (const uint64_t id : {30, 4, 100}) {
    OperationRecord record = ExampleRecord();
    record.id = OperationId{id};
    ASSERT_TRUE(log.Write(record).ok());
  }
  const table::RowMutation node[] = {
      {table::NodeRowKey(uint64_t{1} << 56 | 5),
       {table::SetCell{table::columns::kParent, std::nullopt, table::EncodeValue(uint64_t{1})}}}};
  ASSERT_TRUE(table.Apply(node).ok());
  ASSERT_TRUE(log.WriteInFlight({OperationId{4}, {NodeId{9}}, {NodeId{5}, NodeId{6}}}).ok());
  const auto all = log.ReadAll();
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->size(), 3U);
  EXPECT_EQ((*all)[0].id, OperationId{4});
  EXPECT_EQ((*all)[1].id, OperationId{30});
  EXPECT_EQ((*all)[2].id, OperationId{100});
  const auto in_flight = log.ListInFlight();
  ASSERT_TRUE(in_flight.ok()) << in_flight.status();
  ASSERT_EQ(in_flight->size(), 1U);
  EXPECT_EQ(in_flight->front().id, OperationId{4});
  EXPECT_EQ(in_flight->front().locked_roots, std::vector{NodeId{9}});
  EXPECT_EQ(in_flight->front().chunk_scope, (std::vector{NodeId{5}, NodeId{6}}));
  ASSERT_TRUE(log.RemoveInFlight(OperationId{4}).ok());
  EXPECT_TRUE(log.ListInFlight()->empty());
}

TEST(OperationLog, ARowThatCannotBeReadHidesNoOther) {
  table::MemoryTable table;
  OperationLog log(table);
  for (const uint64_t id : {4, 30, 100}) {
    OperationRecord record = ExampleRecord();
    record.id = OperationId{id};
    record.kind = OperationKind::kRepair;
    ASSERT_TRUE(log.Write(record).ok());
  }
  const table::RowMutation damage[] = {
      {table::OperationRowKey(30), {table::SetCell{table::columns::kSourceId, std::nullopt, "odd"}}}};
  ASSERT_TRUE(table.Apply(damage).ok());
  const auto rows = OperationLog::ReadEach(table);
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_EQ(rows->records.size(), 2U);
  EXPECT_EQ(rows->records[0].id, OperationId{4});
  EXPECT_EQ(rows->records[1].id, OperationId{100});
  EXPECT_EQ(rows->records[1].kind, OperationKind::kRepair);
  ASSERT_EQ(rows->unreadable.size(), 1U);
  EXPECT_EQ(rows->unreadable[0].first, OperationId{30});
  EXPECT_TRUE(absl::IsDataLoss(rows->unreadable[0].second));
  EXPECT_TRUE(absl::IsDataLoss(log.ReadAll().status()));
}

TEST(OperationLog, UndoAndRedoNameTheirTarget) {
  table::MemoryTable table;
  OperationLog log(table);
  for (const OperationKind kind : {OperationKind::kUndo, OperationKind::kRedo}) {
    OperationRecord record = ExampleRecord();
    record.kind = kind;
    record.id = OperationId{20 + static_cast<uint64_t>(kind)};
    record.target = OperationId{12};
    ASSERT_TRUE(log.Write(record).ok());
    const auto read = log.Read(record.id);
    ASSERT_TRUE(read.ok()) << read.status();
    ExpectSame(*read, record);
  }
}

TEST(OperationLog, ARowSaysWhetherItIsUndone) {
  table::MemoryTable table;
  OperationLog log(table);
  ASSERT_TRUE(log.Write(ExampleRecord()).ok());
  EXPECT_FALSE(log.Read(OperationId{12})->undone_by.has_value());
  for (const uint64_t undo : {30, 0, 31}) {
    const table::RowMutation mark[] = {OperationLog::UndoneMark(OperationId{12}, OperationId{undo})};
    ASSERT_TRUE(table.Apply(mark).ok());
    EXPECT_EQ(log.Read(OperationId{12})->undone_by, OperationId{undo});
    ASSERT_TRUE(log.Write(ExampleRecord()).ok());  // a later write of the row leaves the mark alone
    EXPECT_EQ(log.Read(OperationId{12})->undone_by, OperationId{undo});
  }
}

TEST(OperationLog, AFailedRowSaysHow) {
  table::MemoryTable table;
  OperationLog log(table);
  for (const OperationFailure failure :
       {OperationFailure::kRejected, OperationFailure::kFailed, OperationFailure::kAbandoned}) {
    OperationRecord record = ExampleRecord();
    record.status = OperationStatus::kException;
    record.exception = "no";
    record.failure = failure;
    ASSERT_TRUE(log.Write(record).ok());
    ExpectSame(*log.Read(record.id), record);
  }
}

// Rows of the field's own programs have no column of ours (design reference A, section 9.3).
TEST(OperationLog, TheKindOfAForeignRowFollowsFromItsColumns) {
  namespace columns = table::columns;
  struct Case {
    std::vector<table::Column> columns;
    OperationKind kind;
    bool is_multicut;
  };
  const std::vector<Case> cases = {
      {{columns::kUndoOperationId, columns::kRemovedEdge}, OperationKind::kUndo, false},
      {{columns::kRedoOperationId, columns::kAddedEdge}, OperationKind::kRedo, false},
      {{columns::kAddedEdge}, OperationKind::kMerge, false},
      {{columns::kRemovedEdge}, OperationKind::kSplit, false},
      {{columns::kRemovedEdge, columns::kBoundingBoxOffset}, OperationKind::kSplit, true},
      {{columns::kBoundingBoxOffset}, OperationKind::kSplit, true},
  };
  table::MemoryTable table;
  for (size_t i = 0; i < cases.size(); ++i) {
    table::RowMutation row{table::OperationRowKey(i + 1), {}};
    for (const table::Column& column : cases[i].columns) {
      const bool is_id = column == columns::kUndoOperationId || column == columns::kRedoOperationId;
      const bool is_offset = column == columns::kBoundingBoxOffset;
      row.changes.push_back(table::SetCell{column, absl::UnixEpoch(),
                                           is_id       ? table::EncodeIdText(9)
                                           : is_offset ? table::EncodeArray(std::vector<int64_t>{240, 240, 24})
                                                       : table::EncodeArray(std::vector<uint64_t>{3, 4})});
    }
    ASSERT_TRUE(table.Apply({&row, 1}).ok());
    const auto record = OperationLog(table).Read(OperationId{i + 1});
    ASSERT_TRUE(record.ok()) << record.status();
    EXPECT_EQ(record->kind, cases[i].kind) << "case " << i;
    EXPECT_EQ(record->bounding_box_offset.has_value(), cases[i].is_multicut) << "case " << i;
  }
  const table::RowMutation nothing[] = {
      {table::OperationRowKey(99), {table::SetCell{columns::kUserId, absl::UnixEpoch(), "ada"}}}};
  ASSERT_TRUE(table.Apply(nothing).ok());
  EXPECT_TRUE(absl::IsDataLoss(OperationLog(table).Read(OperationId{99}).status()));
}

TEST(OperationLog, ADamagedColumnIsNamed) {
  table::MemoryTable table;
  OperationLog log(table);
  ASSERT_TRUE(log.Write(ExampleRecord()).ok());
  const table::RowMutation damage[] = {
      {table::OperationRowKey(12), {table::SetCell{table::columns::kSourceId, std::nullopt, "odd"}}}};
  ASSERT_TRUE(table.Apply(damage).ok());
  const auto read = log.Read(OperationId{12});
  EXPECT_TRUE(absl::IsDataLoss(read.status()));
  EXPECT_NE(read.status().message().find("source_ids"), absl::string_view::npos) << read.status();
}

TEST(OperationLog, CommitTimesNeverRepeatNorGoBack) {
  table::MemoryTable table;
  OperationLog log(table);
  const absl::Time now = absl::FromUnixMillis(5000);
  EXPECT_EQ(log.NextCommitTime(now).value(), now);
  EXPECT_EQ(log.NextCommitTime(now).value(), now + absl::Milliseconds(1));
  EXPECT_EQ(log.NextCommitTime(now - absl::Hours(1)).value(), now + absl::Milliseconds(2));
  EXPECT_EQ(log.NextCommitTime(now + absl::Hours(1) + absl::Microseconds(7)).value(), now + absl::Hours(1));
  const absl::Time three = log.NextCommitTime(now, 3).value();
  EXPECT_EQ(log.NextCommitTime(now).value(), three + absl::Milliseconds(3));
  absl::Mutex mutex;
  std::set<absl::Time> times;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int j = 0; j < 50; ++j) {
          const absl::StatusOr<absl::Time> time = log.NextCommitTime(now);
          ASSERT_TRUE(time.ok()) << time.status();
          const absl::MutexLock lock(&mutex);
          EXPECT_TRUE(times.insert(*time).second);
        }
      });
    }
  }
  EXPECT_EQ(times.size(), 200U);
}

}  // namespace
}  // namespace cleave::edit
