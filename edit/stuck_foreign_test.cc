// Goal: an operation that PyChunkedGraph left behind is listed, and replay cleans up after it and makes its edit under
// its own number; revert ends it; what of it has been written is refused.
// Method: rows as PyChunkedGraph writes them, with a chunk scope and locks, or without locks as in a loaded table.
#include "edit/stuck_foreign.h"

#include <string>
#include <vector>

#include "edit/lock_keys.h"
#include "edit/repair_testing.h"
#include "edit/stuck_testing.h"
#include "table/columns.h"
#include "table/pickle.h"
#include "table/row_keys.h"
#include "table/serializers.h"

namespace cleave::edit {
namespace {

using graph::NodeId;
using graph::OperationId;
namespace columns = table::columns;

constexpr OperationId kTheirs{7};

class StuckForeignTest : public StuckProject {
 protected:
  void SetUp() override {
    StuckProject::SetUp();
    project_ = OpenAsLeft(Copy(origin_));
  }
  graph::Dataset& dataset() { return *project_.dataset; }

  std::vector<NodeId> Scope() { return ChunkIds(dataset().layout(), std::vector<ChunkPoint>{{0, 1, 0}, {1, 0, 0}}); }

  // The row of a multicut, as the field writes it.
  void WriteRow(OperationStatus status, const std::vector<VoxelPoint>& sources) {
    const auto set = [](const table::Column& column, std::string value) {
      return table::SetCell{column, std::nullopt, std::move(value)};
    };
    table::RowMutation row{table::OperationRowKey(Value(kTheirs)), {}};
    row.changes = {set(columns::kStatus, table::EncodePickledInteger(static_cast<int>(status))),
                   set(columns::kOperationId, table::EncodeIdText(Value(kTheirs))), set(columns::kUserId, "theirs"),
                   set(columns::kBoundingBoxOffset, table::EncodeArray(std::vector<VoxelPoint>{{240, 240, 24}})),
                   set(columns::kL2ChunkLockScope, table::EncodeArray(Scope()))};
    if (!sources.empty()) {
      row.changes.emplace_back(set(columns::kSourceCoordinate, table::EncodeArray(sources)));
      row.changes.emplace_back(set(columns::kSinkCoordinate, table::EncodeArray(std::vector<VoxelPoint>{kSink})));
    }
    const table::RowMutation rows[] = {row};
    ASSERT_TRUE(dataset().table().Apply(rows).ok());
  }
  void TakeLocks() {
    const NodeId root[] = {NodeId{RootAt(dataset(), kSource)}};
    table::RowLocks roots(dataset().table(), Clock::System(), table::LockedRows::kRoots);
    table::RowLocks chunks(dataset().table(), Clock::System(), table::LockedRows::kChunks);
    ASSERT_TRUE(roots.Acquire(RootLockKeys(root), Value(kTheirs)).ok());
    ASSERT_TRUE(roots.AcquireIndefinite(RootLockKeys(root), Value(kTheirs)).ok());
    ASSERT_TRUE(chunks.Acquire(ChunkLockKeys(Scope()), Value(kTheirs)).ok());
    ASSERT_TRUE(chunks.AcquireIndefinite(ChunkLockKeys(Scope()), Value(kTheirs)).ok());
  }
  // What a supervoxel split writes before its hierarchy: the supervoxel at kSource becomes two. Returns these.
  std::vector<NodeId> WriteHalfASplit() {
    const graph::IdLayout& layout = dataset().layout();
    const auto labels = dataset().segmentation().ReadVoxels(0, std::vector<VoxelPoint>{kSource});
    const NodeId former{labels->front()};
    const graph::ChunkAddress chunk = layout.ChunkOf(former);
    const std::vector<NodeId> fresh = {layout.MakeNode(chunk, graph::Segment{77}),
                                       layout.MakeNode(chunk, graph::Segment{78})};
    const std::string made_by = table::EncodeIdText(Value(kTheirs));
    const absl::Time now = absl::Now();
    const table::Row row = dataset().table().ReadRow(table::NodeRowKey(Value(former)), {}).value();
    std::vector<table::RowMutation> rows;
    for (const NodeId id : fresh) {
      table::RowMutation& written = rows.emplace_back(table::RowMutation{table::NodeRowKey(Value(id)), {}});
      written.changes = {table::SetCell{columns::kFormerIdentity, now, table::EncodeArray(std::vector<NodeId>{former})},
                         table::SetCell{columns::kOperationId, now, made_by}};
      for (const table::Cell& cell : row.cells.at(columns::kParent)) {
        written.changes.emplace_back(table::SetCell{columns::kParent, cell.time, cell.value});
      }
    }
    rows.push_back({row.key, {table::SetCell{columns::kNewIdentity, now, table::EncodeArray(fresh)}}});
    for (const table::Cell& cell : row.cells.at(columns::kParent)) {
      const std::string parent = table::NodeRowKey(table::DecodeValue<uint64_t>(cell.value).value());
      const table::Row node = dataset().table().ReadRow(parent, {.columns = {columns::kChild}}).value();
      const table::Cell& list = node.cells.at(columns::kChild).front();
      auto children = table::DecodeCompressedArray<NodeId>(list.value).value();
      std::erase(children, former);
      children.insert(children.end(), fresh.begin(), fresh.end());
      rows.push_back({parent, {table::SetCell{columns::kChild, list.time, table::EncodeCompressedArray(children)}}});
    }
    const NodeId chunk_id = layout.MakeNode({graph::kL2Layer, chunk.position}, graph::Segment{0});
    rows.push_back({table::EditedEdgesRowKey(Value(chunk_id)),
                    {table::SetCell{columns::kSplitEdges, now,
                                    table::EncodeArray(std::vector<graph::EdgeEnds>{{fresh[0], fresh[1]}})},
                     table::SetCell{columns::kAffinity, now, table::EncodeArray(std::vector<float>{0.001F})},
                     table::SetCell{columns::kArea, now, table::EncodeArray(std::vector<uint64_t>{1})}}});
    EXPECT_TRUE(dataset().table().Apply(rows).ok());
    return fresh;
  }
  bool Apart() { return RootAt(dataset(), kSource) != RootAt(dataset(), kSink); }

  void ExpectReplayed() {
    const auto outcome = ReplayStuck(dataset(), Clock::System(), kTheirs);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_EQ(*outcome, StuckOutcome::kPlannedAnew);
    EXPECT_TRUE(Apart());
    const OperationRecord row = RowOf(project_, kTheirs);
    EXPECT_EQ(row.status, OperationStatus::kSuccess);
    EXPECT_EQ(row.user, "theirs");
    EXPECT_TRUE(row.chunk_scope.empty());
    ExpectSettled(project_, Look(project_));
    EXPECT_TRUE(absl::IsFailedPrecondition(ReplayStuck(dataset(), Clock::System(), kTheirs).status()));
  }

  OpenProject project_;
};

TEST_F(StuckForeignTest, IsListedWithOrWithoutLocks) {
  WriteRow(OperationStatus::kCreated, {kSource});
  for (int64_t locks : {0, 6}) {
    if (locks > 0) {
      TakeLocks();
    }
    const auto stuck = ListStuck(dataset(), absl::Now() + absl::Seconds(1), absl::ZeroDuration());
    ASSERT_TRUE(stuck.ok()) << stuck.status();
    ASSERT_EQ(stuck->size(), 1U);
    EXPECT_EQ(Name(stuck->front().state), "foreign");
    EXPECT_EQ(stuck->front().lock_count, locks);
    EXPECT_EQ(stuck->front().scope.chunk_scope.size(), 2U);
  }
  const auto editor = Editor::Open(dataset());
  ASSERT_TRUE(editor.ok());
  EXPECT_TRUE((*editor)->recovered().empty()) << "recovery leaves it to an operator";
}

TEST_F(StuckForeignTest, ReplayMakesTheEditUnderItsOwnNumber) {
  for (const OperationStatus status :
       {OperationStatus::kCreated, OperationStatus::kException, OperationStatus::kWriteStarted}) {
    SCOPED_TRACE(Name(status));
    project_ = {};
    project_ = OpenAsLeft(Copy(origin_));
    WriteRow(status, {kSource});
    TakeLocks();
    ExpectReplayed();
  }
}

TEST_F(StuckForeignTest, ReplayInALoadedTableNeedsNoLocks) {
  WriteRow(OperationStatus::kCreated, {kSource});
  ExpectReplayed();
}

TEST_F(StuckForeignTest, RevertReleasesAndMarks) {
  const Seen before = Before();
  WriteRow(OperationStatus::kException, {kSource});
  TakeLocks();
  ASSERT_EQ(RevertStuck(dataset(), Clock::System(), kTheirs).value(), StuckOutcome::kTakenBack);
  EXPECT_EQ(RowOf(project_, kTheirs).failure, OperationFailure::kReverted);
  ExpectSettled(project_, before);
}

TEST_F(StuckForeignTest, ALockOfAnotherInTheScopeIsRefused) {
  WriteRow(OperationStatus::kCreated, {kSource});
  table::RowLocks chunks(dataset().table(), Clock::System(), table::LockedRows::kChunks);
  ASSERT_TRUE(chunks.Acquire(ChunkLockKeys(Scope()), 999).ok());
  ASSERT_TRUE(chunks.AcquireIndefinite(ChunkLockKeys(Scope()), 999).ok());
  for (const auto settle : {ReplayStuck, RevertStuck}) {
    const absl::Status status = settle(dataset(), Clock::System(), kTheirs).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_NE(status.message().find("locked by operation 999"), absl::string_view::npos) << status;
  }
  EXPECT_EQ(RowOf(project_, kTheirs).chunk_scope, Scope());
}

// Fresh supervoxels, lineage, lists of children and edges, as the field's `copy_parents_and_add_lineage` writes them.
TEST_F(StuckForeignTest, RowsOfAHalfWrittenSplitGo) {
  for (const bool replays : {false, true}) {
    SCOPED_TRACE(replays);
    project_ = {};
    project_ = OpenAsLeft(Copy(origin_));
    const Cells whole = CellsOf(dataset(), {kTheirs});
    WriteRow(OperationStatus::kCreated, {kSource});
    WriteHalfASplit();
    EXPECT_FALSE(Differences(whole, CellsOf(dataset(), {kTheirs})).empty());
    if (replays) {
      ExpectReplayed();
      continue;
    }
    ASSERT_EQ(RevertStuck(dataset(), Clock::System(), kTheirs).value(), StuckOutcome::kTakenBack);
    for (const std::string& difference : Differences(whole, CellsOf(dataset(), {kTheirs}))) {
      ADD_FAILURE() << difference;
    }
    ExpectSettled(project_, Before());
  }
}

// Its voxels of before are nowhere.
TEST_F(StuckForeignTest, ASplitThatWroteVoxelsIsRefused) {
  WriteRow(OperationStatus::kCreated, {kSource});
  const std::vector<NodeId> fresh = WriteHalfASplit();
  const Box box = BoxAt(kSource, {1, 1, 1});
  const Array3<uint64_t> label({1, 1, 1}, Value(fresh.front()));
  ASSERT_TRUE(dataset().segmentation().WriteBox(0, box, label.view()).ok());
  const Cells cells = CellsOf(dataset());
  for (const auto settle : {ReplayStuck, RevertStuck}) {
    const absl::Status status = settle(dataset(), Clock::System(), kTheirs).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_NE(status.message().find("which has voxels"), absl::string_view::npos) << status;
  }
  EXPECT_TRUE(Differences(cells, CellsOf(dataset())).empty());
}

TEST_F(StuckForeignTest, ARowThatDoesNotSayWhatWasAskedIsRefused) {
  WriteRow(OperationStatus::kCreated, {});
  TakeLocks();
  const absl::Status status = ReplayStuck(dataset(), Clock::System(), kTheirs).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_NE(status.message().find("names neither points"), absl::string_view::npos) << status;
  EXPECT_EQ(RevertStuck(dataset(), Clock::System(), kTheirs).value(), StuckOutcome::kTakenBack);
}

// An edit that cannot be made any more ends with the reason, and nothing is stuck.
TEST_F(StuckForeignTest, AnEditThatIsRefusedBeforeItBeginsStaysStuckAndCanBeReverted) {
  WriteRow(OperationStatus::kCreated, {{1, 1, 1}});  // a point of another object
  TakeLocks();
  const absl::Status status = ReplayStuck(dataset(), Clock::System(), kTheirs).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  const auto stuck = ShowStuck(dataset(), kTheirs);
  ASSERT_TRUE(stuck.ok()) << stuck.status();
  EXPECT_EQ(Name(stuck->operation.state), "foreign");
  EXPECT_EQ(stuck->operation.lock_count, 0) << "its leftovers are cleaned up all the same";
  EXPECT_EQ(RevertStuck(dataset(), Clock::System(), kTheirs).value(), StuckOutcome::kTakenBack);
}

// Replay stopped at its own steps: still theirs until the edit begins, then an operation of ours.
TEST_F(StuckForeignTest, AReplayThatIsStoppedCanBeRunAgain) {
  for (const char* point : {"edit.foreign_begun", "edit.foreign_rows_removed", "edit.foreign_cleaned"}) {
    SCOPED_TRACE(point);
    project_ = {};
    project_ = OpenAsLeft(Copy(origin_));
    WriteRow(OperationStatus::kException, {kSource});
    TakeLocks();
    WriteHalfASplit();
    absl::StatusOr<StuckOutcome> nested;
    {
      // What is there at this point is what a process that ends here leaves.
      const AtCrashPoint again(point, [&] { nested = ReplayStuck(dataset(), Clock::System(), kTheirs); });
      EXPECT_FALSE(ReplayStuck(dataset(), Clock::System(), kTheirs).ok()) << "the edit was made twice";
    }
    ASSERT_TRUE(nested.ok()) << nested.status();
    EXPECT_TRUE(Apart());
    EXPECT_EQ(RowOf(project_, kTheirs).status, OperationStatus::kSuccess);
    ExpectSettled(project_, Look(project_));
  }
}

}  // namespace
}  // namespace cleave::edit
