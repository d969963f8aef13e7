// Goal: fsck finds each kind of damage it says it looks for, names it by its invariant, and finds nothing in a whole
// dataset.
// Method: a small project with a merge and a split in voxels. Each test does one kind of damage, to rows of the table
// or to voxels, and expects findings of the right invariant that name the damaged id.
#include "edit/fsck.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "edit/edit_testing.h"
#include "edit/lock_keys.h"
#include "edit/operation_log.h"
#include "ocdbt/database.h"
#include "table/columns.h"
#include "table/row_keys.h"
#include "table/row_locks.h"
#include "table/serializers.h"

namespace cleave::edit {
namespace {

using graph::NodeId;
namespace columns = table::columns;

class FsckTest : public testing::Test {
 protected:
  void SetUp() override {
    Array3<uint64_t> labels({48, 32, 16});
    for (int64_t z = 0; z < 16; ++z) {
      for (int64_t y = 2; y < 30; ++y) {
        for (int64_t x = 0; x < 48; ++x) {
          labels[{x, y, z}] = y < 16 ? (x < 24 ? 1 : 2) : 3;
        }
      }
    }
    ASSERT_NO_FATAL_FAILURE(IngestLabels(folder_.path() + "/p", labels,
                                         {.chunk_size = {16, 16, 16}, .voxel_size_nm = {8, 8, 8}, .fuse = {{1, 2}}}));
    project_ = Open(folder_.path() + "/p");
    ASSERT_NE(project_.editor, nullptr);
    const auto split = project_.editor->Split({{source_}, {sink_}, "test"});
    ASSERT_TRUE(split.ok()) << split.status();
    split_ = *split;
    const auto merge = project_.editor->Merge({source_, VoxelPoint{4, 20, 8}, "test"});
    ASSERT_TRUE(merge.ok()) << merge.status();
    ASSERT_NO_FATAL_FAILURE(ExpectClean(dataset()));
  }

  graph::Dataset& dataset() { return *project_.dataset; }

  void Apply(const std::string& key, std::vector<table::Change> changes) {
    const table::RowMutation rows[] = {{key, std::move(changes)}};
    ASSERT_TRUE(dataset().table().Apply(rows).ok());
  }

  NodeId SupervoxelAt(VoxelPoint point) {
    return NodeId{dataset().segmentation().ReadVoxels(0, {{point}}).value().front()};
  }
  NodeId ParentOf(NodeId node) { return dataset().Now().Parents({{node}}).value().front(); }

  NodeId RootAtTime(VoxelPoint point, absl::Time time) {
    return dataset().View(time).Roots({{SupervoxelAt(point)}}).value().front();
  }

  // A fragment in a chunk at the lower border of y.
  Fragment FragmentAtTheEdge() {
    const auto found = std::ranges::find_if(split_.fragments, [&](const Fragment& fragment) {
      return dataset().layout().ChunkOf(fragment.id).position.y == 0;
    });
    EXPECT_NE(found, split_.fragments.end());
    return *found;
  }

  void ExpectTold(absl::string_view words) {
    const absl::StatusOr<FsckReport> report = Fsck(dataset(), {}, Progress::Silent());
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(std::ranges::any_of(report->findings,
                                    [&](const FsckFinding& finding) { return absl::StrContains(finding.what, words); }))
        << "no finding says: " << words;
  }

  // Expects findings of `invariant`, one of which names `id`.
  void ExpectFound(int invariant, uint64_t id) {
    const absl::StatusOr<FsckReport> report = Fsck(dataset(), {}, Progress::Silent());
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_GT(report->found[static_cast<size_t>(invariant - 1)], 0);
    bool named = false;
    for (const FsckFinding& finding : report->findings) {
      named = named || (finding.invariant == invariant && std::ranges::count(finding.ids, id) > 0);
      EXPECT_FALSE(finding.what.empty());
      EXPECT_FALSE(finding.advice.empty());
    }
    EXPECT_TRUE(named) << "no finding of invariant " << invariant << " names " << id;
  }

  store::TemporaryFolder folder_;
  OpenProject project_;
  EditReport split_;
  const VoxelPoint source_{8, 9, 8};
  const VoxelPoint sink_{40, 9, 8};
};

TEST_F(FsckTest, CountsWhatItLookedAt) {
  const absl::StatusOr<FsckReport> report = Fsck(dataset(), {}, Progress::Silent());
  ASSERT_TRUE(report.ok()) << report.status();
  for (int invariant = 1; invariant <= 6; ++invariant) {
    EXPECT_GT(report->checked[static_cast<size_t>(invariant - 1)], 0) << DescribeInvariant(invariant);
  }
  EXPECT_GE(report->times, 4);
}

TEST_F(FsckTest, SupervoxelWithoutParent) {
  const NodeId id = SupervoxelAt(source_);
  Apply(table::NodeRowKey(Value(id)), {table::DeleteCells{columns::kParent, std::nullopt}});
  ExpectFound(1, Value(id));
}

TEST_F(FsckTest, PastParentLost) {
  // The newest state is whole; only the time before the edits is damaged.
  const NodeId id = SupervoxelAt({4, 20, 8});
  Apply(table::NodeRowKey(Value(id)), {table::DeleteCells{columns::kParent, dataset().meta().ingested}});
  ExpectFound(1, Value(id));
}

TEST_F(FsckTest, ParentThatDoesNotListItsChild) {
  const NodeId id = SupervoxelAt(source_);
  const NodeId parent = ParentOf(id);
  const std::vector<NodeId> none = {SupervoxelAt({4, 20, 8})};
  Apply(table::NodeRowKey(Value(parent)),
        {table::SetCell{columns::kChild, split_.time + absl::Seconds(1), table::EncodeCompressedArray(none)}});
  ExpectFound(3, Value(id));
}

TEST_F(FsckTest, FragmentThatIsNoAliasBeforeItsBirth) {
  const Fragment fragment = split_.fragments.front();
  const NodeId wrong = ParentOf(SupervoxelAt({30, 25, 8}));
  Apply(table::NodeRowKey(Value(fragment.id)),
        {table::SetCell{columns::kParent, dataset().meta().ingested, table::EncodeValue(Value(wrong))}});
  ExpectFound(3, Value(fragment.id));
}

TEST_F(FsckTest, ActiveEdgeThatOneEndDoesNotList) {
  // Label 3 lies in several chunks along x; the edge from the third to the second is of layer 3.
  const NodeId parent = ParentOf(SupervoxelAt({40, 25, 8}));
  const std::vector<graph::EdgeEnds> none;
  Apply(table::NodeRowKey(Value(parent)),
        {table::SetCell{columns::AtomicCrossChunkEdge({.value = 3}), dataset().meta().ingested + absl::Seconds(3),
                        table::EncodeCompressedArray(none)}});
  const absl::StatusOr<FsckReport> report = Fsck(dataset(), {}, Progress::Silent());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_GT(report->found[3], 0);
  ExpectTold("is not listed by its other end");
}

TEST_F(FsckTest, ActiveEdgeThatNoSiblingLists) {
  // Of the two children of label 3's root, one no longer lists the edge that joins them.
  const NodeId root{RootAt(dataset(), {40, 25, 8})};
  const NodeId child = dataset().Now().Children({{root}}).value().front().back();
  const std::vector<graph::EdgeEnds> none;
  Apply(table::NodeRowKey(Value(child)),
        {table::SetCell{columns::AtomicCrossChunkEdge({.value = 3}), dataset().meta().ingested + absl::Seconds(3),
                        table::EncodeCompressedArray(none)}});
  ExpectTold("joins nodes without a common ancestor in layer 4");
  ExpectTold(absl::StrCat("the children of node ", Value(root), " fall into 2 parts"));
}

TEST_F(FsckTest, ParentThatWasAnotherForAWhile) {
  // Only between the split and the merge; at both ends of the node's life it is right.
  const NodeId node = ParentOf(SupervoxelAt({40, 25, 8}));
  const NodeId wrong = RootAtTime({30, 9, 8}, dataset().meta().ingested);
  Apply(table::NodeRowKey(Value(node)),
        {table::SetCell{columns::kParent, split_.time, table::EncodeValue(Value(wrong))}});
  ExpectFound(3, Value(node));
  ExpectTold(absl::StrCat("lists the child ", Value(node), ", whose parent at ", absl::FormatTime(split_.time), " is ",
                          Value(wrong)));
}

TEST_F(FsckTest, RootThatEndedTooSoon) {
  // The merge took the root's place, but its row says that it went with the split before.
  const NodeId id = SupervoxelAt({40, 25, 8});
  const NodeId root = RootAtTime({40, 25, 8}, split_.time);
  Apply(table::NodeRowKey(Value(root)),
        {table::SetCell{columns::kNewParent, split_.time, table::EncodeArray(std::vector<NodeId>{root})}});
  ExpectFound(1, Value(id));
  ExpectTold(absl::StrCat("supervoxel ", Value(id), " leads to root ", Value(root), ", which does not exist at ",
                          absl::FormatTime(split_.time)));
}

TEST_F(FsckTest, ParentAboveTheLayerOfAnEdge) {
  // Label 3 crosses from the first chunk to the second, which a node of layer 3 joins.
  const NodeId node = ParentOf(SupervoxelAt({4, 20, 8}));
  const NodeId root{RootAt(dataset(), {4, 20, 8})};
  Apply(table::NodeRowKey(Value(node)),
        {table::SetCell{columns::kParent, absl::Now() + absl::Hours(1), table::EncodeValue(Value(root))}});
  ExpectFound(4, Value(node));
  ExpectTold(absl::StrCat("node ", Value(node), " has parent ", Value(root)));
  ExpectTold("above the layer 3");
}

TEST_F(FsckTest, VoxelsOfAnIdFromElsewhere) {
  const NodeId far = SupervoxelAt({40, 25, 8});
  Array3<uint64_t> voxel({1, 1, 1}, Value(far));
  ASSERT_TRUE(dataset().segmentation().WriteBox(0, BoxAt(source_, {1, 1, 1}), std::as_const(voxel).view()).ok());
  ExpectFound(2, Value(far));
}

TEST_F(FsckTest, FragmentInTwoPieces) {
  const Fragment fragment = FragmentAtTheEdge();
  // The rows y < 2 are background: a voxel at y = 0 touches nothing.
  const Box chunk = dataset().layout().ChunkBox(dataset().layout().ChunkOf(fragment.id));
  Array3<uint64_t> voxel({1, 1, 1}, Value(fragment.id));
  ASSERT_TRUE(dataset().segmentation().WriteBox(0, BoxAt(chunk.lo, {1, 1, 1}), std::as_const(voxel).view()).ok());
  ExpectFound(2, Value(fragment.id));
}

TEST_F(FsckTest, VoxelsThatAnEditMustNotHaveMoved) {
  // A voxel of a neighbour is given to a fragment, in a version that the log then claims for the split.
  OperationLog log(dataset().table());
  OperationRecord record = log.Read(split_.operation).value();
  Array3<uint64_t> labels = ExportSupervoxels(dataset(), split_.generation);
  const Fragment fragment = FragmentAtTheEdge();
  const Box chunk = dataset().layout().ChunkBox(dataset().layout().ChunkOf(fragment.id));
  const auto before = dataset().SegmentationAt({.generation = *record.written_generation - 1, .time = std::nullopt});
  ASSERT_TRUE(before.ok());
  const Array3<uint64_t> old_labels = (*before)->ReadBox(0, dataset().meta().volume).value();
  // First the old voxels again, as the version before, then the new ones with one voxel of background taken.
  ASSERT_TRUE(dataset().segmentation().WriteBox(0, dataset().meta().volume, old_labels.view()).ok());
  labels[chunk.lo] = Value(fragment.id);
  ASSERT_TRUE(dataset().segmentation().WriteBox(0, dataset().meta().volume, std::as_const(labels).view()).ok());
  record.written_generation = VoxelGeneration(dataset()).value();
  ASSERT_TRUE(log.Write(record).ok());
  ExpectFound(5, Value(fragment.id));
}

TEST_F(FsckTest, SplitThatPartedNothing) {
  OperationLog log(dataset().table());
  OperationRecord record = log.Read(split_.operation).value();
  record.sinks = record.sources;
  record.sink_supervoxels = record.source_supervoxels;
  ASSERT_TRUE(log.Write(record).ok());
  ExpectFound(6, Value(split_.operation));
}

// A row that says that a fragment came from itself must not send fsck round in circles.
TEST_F(FsckTest, FragmentThatCameFromItself) {
  const NodeId fragment = SupervoxelAt(source_);
  Apply(table::NodeRowKey(Value(fragment)),
        {table::SetCell{columns::kFormerIdentity, split_.time, table::EncodeArray(std::vector<NodeId>{fragment})}});
  OperationLog log(dataset().table());
  OperationRecord record = log.Read(split_.operation).value();
  record.source_supervoxels = record.sink_supervoxels;
  ASSERT_TRUE(log.Write(record).ok());
  ExpectFound(6, Value(split_.operation));
}

TEST_F(FsckTest, WhatIsLeftBehind) {
  OperationLog log(dataset().table());
  ASSERT_TRUE(log.WriteInFlight({graph::OperationId{900}, {}, {}}).ok());
  ExpectFound(7, 900);
  ASSERT_TRUE(log.RemoveInFlight(graph::OperationId{900}).ok());
  table::RowLocks locks(dataset().table(), Clock::System(), table::LockedRows::kRoots);
  const NodeId root[] = {NodeId{RootAt(dataset(), source_)}};
  ASSERT_TRUE(locks.Acquire(RootLockKeys(root), 901).ok());
  ExpectFound(7, 901);
  FsckOptions running;
  running.operations_may_run = true;
  ASSERT_TRUE(log.WriteInFlight({graph::OperationId{901}, {root[0]}, {}}).ok());
  ExpectClean(dataset(), running);
}

TEST_F(FsckTest, ReportsNoMoreThanAsked) {
  Array3<uint64_t> voxels({48, 1, 1}, 12345);
  ASSERT_TRUE(
      dataset().segmentation().WriteBox(0, BoxAt({0, 5, 5}, voxels.extent()), std::as_const(voxels).view()).ok());
  FsckOptions options;
  options.findings_max = 2;
  const absl::StatusOr<FsckReport> report = Fsck(dataset(), options, Progress::Silent());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->findings.size(), 2U);
  EXPECT_GT(report->total_found(), 2);
}

}  // namespace
}  // namespace cleave::edit
