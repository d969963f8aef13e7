// Goal: each kind of damage is found, named, and mended from what is stored elsewhere, to the very cells and voxels
// that stood there; what cannot be mended is said, and left alone. Method: a project with a split in voxels and two
// merges. Each test does one kind of damage, by direct writes to the table or the voxel store, and then plans and
// applies a repair. Planning must change nothing; afterwards every cell of the table, but those of the repair's own
// rows, and every voxel must be as before the damage.
#include "edit/repair.h"

#include <algorithm>

#include "gtest/gtest.h"

#include "edit/intent.h"
#include "edit/lock_keys.h"
#include "edit/repair_testing.h"
#include "ocdbt/database.h"
#include "store/store.h"
#include "table/pickle.h"
#include "table/row_locks.h"

namespace cleave::edit {
namespace {

using graph::EdgeEnds;
using graph::NodeId;
namespace columns = table::columns;

class RepairTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(IngestLabels(folder_.path() + "/p", BarLabels(), kBarOptions));
    project_ = Open(folder_.path() + "/p");
    ASSERT_NE(project_.editor, nullptr);
    const auto split = project_.editor->Split({.sources = {source_}, .sinks = {sink_}, .user = "test"});
    ASSERT_TRUE(split.ok()) << split.status();
    split_ = *split;
    const auto merge = project_.editor->Merge({.source = source_, .sink = VoxelPoint{4, 20, 8}, .user = "test"});
    ASSERT_TRUE(merge.ok()) << merge.status();
    merge_ = *merge;
    const auto again = project_.editor->Merge({.source = sink_, .sink = VoxelPoint{40, 20, 8}, .user = "test"});
    ASSERT_TRUE(again.ok()) << again.status();
    ASSERT_NO_FATAL_FAILURE(ExpectClean(dataset()));
    cells_ = CellsOf(dataset());
    voxels_ = ExportSupervoxels(dataset());
  }

  graph::Dataset& dataset() { return *project_.dataset; }
  Clock& clock() { return Clock::System(); }

  void Apply(const std::string& key, std::vector<table::Change> changes) {
    const table::RowMutation rows[] = {{key, std::move(changes)}};
    ASSERT_TRUE(dataset().table().Apply(rows).ok());
  }
  void Delete(NodeId node, const table::Column& column, std::optional<absl::Time> time = {}) {
    Apply(Key(node), {table::DeleteCells{column, time}});
  }
  // Replaces the newest cell's value.
  void Replace(NodeId node, const table::Column& column, const std::string& value) {
    const table::Row row = dataset().table().ReadRow(Key(node), {}).value();
    ASSERT_NE(row.Newest(column), nullptr) << column.qualifier;
    Apply(Key(node), {table::SetCell{column, row.Newest(column)->time, value}});
  }

  static std::string Key(NodeId node) { return table::NodeRowKey(Value(node)); }
  NodeId SupervoxelAt(VoxelPoint point) {
    return NodeId{dataset().segmentation().ReadVoxels(0, {{point}}).value().front()};
  }
  NodeId ParentOf(NodeId node) { return dataset().Now().Parents({{node}}).value().front(); }
  std::vector<NodeId> ChildrenOf(NodeId node) { return dataset().Now().Children({{node}}).value().front(); }
  NodeId AncestorOf(NodeId node, int layer) { return dataset().Now().Ancestors({{node}}, layer).value().front(); }

  RepairPlan MakePlan() {
    const Cells before = CellsOf(dataset());
    absl::StatusOr<RepairPlan> plan = PlanRepair(dataset(), {}, clock(), Progress::Silent());
    EXPECT_TRUE(plan.ok()) << plan.status();
    EXPECT_EQ(Differences(before, CellsOf(dataset())), std::vector<std::string>()) << "planning changed the table";
    return plan.ok() ? *std::move(plan) : RepairPlan();
  }

  // The damage breaks `invariant`, is mended, and `id` is named by a mend.
  void ExpectMended(int invariant, NodeId id) {
    RepairPlan plan = MakePlan();
    EXPECT_GT(plan.before.found[static_cast<size_t>(invariant - 1)], 0) << "not found";
    EXPECT_TRUE(std::ranges::any_of(
        plan.mends, [&](const Mend& mend) { return id == NodeId{} || std::ranges::count(mend.ids, Value(id)) > 0; }))
        << "no mend names " << Value(id);
    ExpectMends(std::move(plan));
  }

  void ExpectMends(RepairPlan plan) {
    for (const Mend& mend : plan.mends) {
      EXPECT_FALSE(mend.what.empty());
      EXPECT_FALSE(mend.evidence.empty()) << mend.what;
      EXPECT_FALSE(mend.cells.empty() && mend.voxels.empty()) << mend.what;
    }
    for (const FsckFinding& finding : plan.after.findings) {
      ADD_FAILURE() << "would be left: " << finding.what;
    }
    const std::vector<Mend> mends = plan.mends;
    const absl::StatusOr<RepairReport> report =
        ApplyRepair(dataset(), clock(), std::move(plan), "mender", {}, Progress::Silent());
    ASSERT_TRUE(report.ok()) << report.status();
    repairs_.push_back(report->record.id);
    EXPECT_EQ(report->after.total_found(), 0);
    EXPECT_EQ(report->record.kind, OperationKind::kRepair);
    EXPECT_EQ(report->record.user, "mender");
    EXPECT_EQ(Differences(cells_, CellsOf(dataset(), repairs_)), std::vector<std::string>());
    const Array3<uint64_t> voxels = ExportSupervoxels(dataset());
    EXPECT_TRUE(std::equal(voxels.data(), voxels.data() + voxels.size(), voxels_.data()));
    const auto record = ReadRepair(dataset().table(), report->record.id);
    ASSERT_TRUE(record.ok()) << record.status();
    EXPECT_EQ(*record, mends) << "the record is not what was shown";
    ExpectClean(dataset());
  }

  store::TemporaryFolder folder_;
  OpenProject project_;
  EditReport split_;
  EditReport merge_;
  Cells cells_;
  Array3<uint64_t> voxels_;
  std::vector<graph::OperationId> repairs_;
  const VoxelPoint source_{8, 9, 8};
  const VoxelPoint sink_{40, 9, 8};
};

TEST_F(RepairTest, AWholeProjectNeedsNone) {
  const RepairPlan plan = MakePlan();
  EXPECT_TRUE(plan.before.clean());
  EXPECT_TRUE(plan.mends.empty());
  EXPECT_TRUE(
      absl::IsFailedPrecondition(ApplyRepair(dataset(), clock(), plan, "mender", {}, Progress::Silent()).status()));
}

TEST_F(RepairTest, SupervoxelWithoutParents) {
  const NodeId id = SupervoxelAt(source_);
  Delete(id, columns::kParent);
  ExpectMended(1, id);
}

TEST_F(RepairTest, IsNotUndone) {
  Delete(SupervoxelAt(source_), table::columns::kParent);
  ASSERT_NO_FATAL_FAILURE(ExpectMends(MakePlan()));
  UndoRequest undo;
  undo.operation = repairs_.back();
  const absl::Status status = project_.editor->Undo(undo).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_NE(status.message().find("is a repair"), absl::string_view::npos) << status;
}

TEST_F(RepairTest, PastParentLost) {
  const NodeId id = SupervoxelAt({4, 20, 8});
  Delete(id, columns::kParent, dataset().meta().ingested);
  ExpectMended(1, id);
}

TEST_F(RepairTest, ParentThatIsAnother) {
  const NodeId id = SupervoxelAt(source_);
  Replace(id, columns::kParent, table::EncodeValue(Value(ParentOf(SupervoxelAt({40, 20, 8})))));
  ExpectMended(3, id);
}

TEST_F(RepairTest, ParentThatCannotBeDecoded) {
  const NodeId id = ParentOf(SupervoxelAt(source_));
  Replace(id, columns::kParent, "xyz");
  ExpectMended(3, id);
}

TEST_F(RepairTest, ParentOfAHigherNodeLost) {
  const NodeId id = AncestorOf(SupervoxelAt(source_), 3);
  Delete(id, columns::kParent);
  ExpectMended(3, id);
}

TEST_F(RepairTest, AliasOfAFragmentLost) {
  const Fragment fragment = split_.fragments.front();
  Delete(fragment.id, columns::kParent, dataset().meta().ingested);
  ExpectMended(3, fragment.id);
}

TEST_F(RepairTest, ChildrenLost) {
  const NodeId supervoxel = SupervoxelAt(source_);
  for (int layer = graph::kL2Layer; layer <= dataset().layout().layer_count(); ++layer) {
    SCOPED_TRACE(layer);
    const NodeId node = AncestorOf(supervoxel, layer);
    Delete(node, columns::kChild);
    // A root without children does not exist.
    ExpectMended(layer == dataset().layout().layer_count() ? 1 : 3, node);
  }
}

TEST_F(RepairTest, ChildrenOfAPastRootLost) {
  const NodeId node = split_.old_roots.front();
  Delete(node, columns::kChild);
  ExpectMended(1, node);
}

TEST_F(RepairTest, ChildrenThatCannotBeDecoded) {
  const NodeId node = ParentOf(SupervoxelAt(source_));
  Replace(node, columns::kChild, "abcdefg");
  ExpectMended(3, node);
}

TEST_F(RepairTest, ChildMissingFromItsParent) {
  const NodeId node = AncestorOf(SupervoxelAt(source_), dataset().layout().layer_count());
  std::vector<NodeId> children = ChildrenOf(node);
  ASSERT_GT(children.size(), 1U);
  const NodeId lost = children.back();
  children.pop_back();
  Replace(node, columns::kChild, table::EncodeCompressedArray(children));
  ExpectMended(3, node);
  EXPECT_EQ(ChildrenOf(node).back(), lost);
}

TEST_F(RepairTest, ChildOfAnotherInTheList) {
  const NodeId node = ParentOf(SupervoxelAt({8, 20, 8}));
  std::vector<NodeId> children = ChildrenOf(node);
  // A supervoxel of the same chunk that never was this node's.
  const NodeId other{Value(children.front()) + 1000};
  children.push_back(other);
  Replace(node, columns::kChild, table::EncodeCompressedArray(children));
  RepairPlan plan = MakePlan();
  EXPECT_GT(plan.before.found[2], 0);
}

TEST_F(RepairTest, SecondListOfChildren) {
  const NodeId node = ParentOf(SupervoxelAt(source_));
  const std::vector<NodeId> none = {SupervoxelAt({4, 20, 8})};
  Apply(Key(node),
        {table::SetCell{columns::kChild, merge_.time + absl::Seconds(1), table::EncodeCompressedArray(none)}});
  ExpectMended(3, node);
}

TEST_F(RepairTest, ActiveEdgesLost) {
  for (const VoxelPoint point : {source_, sink_, VoxelPoint{20, 20, 8}}) {
    for (int layer = graph::kL2Layer; layer < dataset().layout().layer_count(); ++layer) {
      const NodeId node = AncestorOf(SupervoxelAt(point), layer);
      const auto edges = dataset().Now().CrossEdgesOf({{node}}).value().front();
      for (const auto& [edge_layer, ends] : edges) {
        SCOPED_TRACE(absl::StrCat("edges of layer ", edge_layer, " of a node of layer ", layer));
        Delete(node, columns::AtomicCrossChunkEdge({.value = edge_layer}));
        ExpectMended(4, node);
      }
    }
  }
}

TEST_F(RepairTest, ActiveEdgesThatCannotBeDecodedOrAreNone) {
  const NodeId node = ParentOf(SupervoxelAt(source_));
  const auto edges = dataset().Now().CrossEdgesOf({{node}}).value().front();
  ASSERT_FALSE(edges.empty());
  const table::Column column = columns::AtomicCrossChunkEdge({.value = edges.begin()->first});
  Replace(node, column, "12345");
  ExpectMended(3, node);
  // An edge that nobody ever made.
  std::vector<EdgeEnds> more = edges.begin()->second;
  more.push_back({more.front().node1, NodeId{Value(more.front().node2) + 77}});
  Replace(node, column, table::EncodeCompressedArray(more));
  ExpectMended(4, node);
}

TEST_F(RepairTest, LineageLost) {
  const NodeId old_root = split_.old_roots.front();
  const NodeId new_root = split_.new_roots.front();
  const Fragment fragment = split_.fragments.front();
  const std::pair<NodeId, table::Column> lost[] = {
      {old_root, columns::kNewParent},          {old_root, columns::kOperationId},
      {new_root, columns::kFormerParent},       {fragment.id, columns::kFormerIdentity},
      {fragment.former, columns::kNewIdentity}, {fragment.id, columns::kOperationId},
  };
  for (const auto& [node, column] : lost) {
    SCOPED_TRACE(absl::StrCat(Value(node), " ", column.qualifier));
    Delete(node, column);
    ExpectMended(3, node);
    Replace(node, column, "wrong");
    ExpectMended(3, node);
  }
}

TEST_F(RepairTest, FragmentOfAnother) {
  const Fragment fragment = split_.fragments.front();
  Replace(fragment.id, columns::kFormerIdentity, table::EncodeArray(std::vector<NodeId>{SupervoxelAt({40, 20, 8})}));
  ExpectMended(3, fragment.id);
}

TEST_F(RepairTest, RootSaidToBeReplacedThatIsNot) {
  const NodeId root = AncestorOf(SupervoxelAt(source_), dataset().layout().layer_count());
  Apply(Key(root), {table::SetCell{columns::kNewParent, merge_.time + absl::Seconds(1),
                                   table::EncodeArray(std::vector<NodeId>{split_.old_roots.front()})}});
  ExpectMended(1, root);
}

TEST_F(RepairTest, OperationWhoseRowForgotItsEnd) {
  for (const OperationStatus status :
       {OperationStatus::kWriteStarted, OperationStatus::kException, OperationStatus::kCreated}) {
    SCOPED_TRACE(Name(status));
    Apply(table::OperationRowKey(Value(split_.operation)),
          {table::SetCell{columns::kStatus, clock().Now(), table::EncodePickledInteger(static_cast<int>(status))}});
    RepairPlan plan = MakePlan();
    EXPECT_GT(plan.before.found[6], 0);
    EXPECT_TRUE(plan.after.clean());
    const auto report = ApplyRepair(dataset(), clock(), std::move(plan), "mender", {}, Progress::Silent());
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->after.clean());
    const OperationRecord record = OperationLog(dataset().table()).Read(split_.operation).value();
    EXPECT_EQ(record.status, OperationStatus::kSuccess);
    EXPECT_EQ(record.written_generation, split_.generation);
  }
}

TEST_F(RepairTest, CommittedOperationWhoseIntentIsLost) {
  OperationLog log(dataset().table());
  OperationRecord record;
  record.id = graph::OperationId{900};
  record.status = OperationStatus::kWriteStarted;
  record.time = clock().Now();
  record.old_roots = split_.new_roots;
  ASSERT_TRUE(log.Write(record).ok());
  ASSERT_TRUE(log.WriteInFlight({record.id, split_.new_roots, {}}).ok());
  EXPECT_TRUE(absl::IsDataLoss(Editor::Open(dataset()).status())) << "nobody could open such a project";
  RepairPlan plan = MakePlan();
  EXPECT_GT(plan.before.found[6], 0);
  const auto report = ApplyRepair(dataset(), clock(), std::move(plan), "mender", {}, Progress::Silent());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->after.clean());
  EXPECT_EQ(log.Read(record.id)->status, OperationStatus::kException);
  EXPECT_TRUE(log.ListInFlight()->empty());
  EXPECT_TRUE(Editor::Open(dataset()).ok());
}

TEST_F(RepairTest, LocksOfNobody) {
  table::RowLocks locks(dataset().table(), clock(), table::LockedRows::kRoots);
  const NodeId root[] = {AncestorOf(SupervoxelAt(source_), dataset().layout().layer_count())};
  ASSERT_TRUE(locks.Acquire(RootLockKeys(root), 901).ok());
  ASSERT_TRUE(locks.AcquireIndefinite(RootLockKeys(root), 901).ok());
  ExpectMended(7, NodeId{901});
  ASSERT_TRUE(OperationLog(dataset().table()).WriteInFlight({graph::OperationId{902}, {}, {}}).ok());
  ExpectMended(7, NodeId{902});
}

TEST_F(RepairTest, VoxelsThatNoOperationChanged) {
  const auto write = [&](const Box& box, uint64_t label) {
    const Array3<uint64_t> labels(box.extent(), label);
    ASSERT_TRUE(dataset().segmentation().WriteBox(0, box, labels.view()).ok());
  };
  // An id that the graph has never heard of; background; and one that is right in every way but this.
  write(BoxAt({5, 5, 5}, {40, 3, 3}), Value(SupervoxelAt(source_)) + 5000);
  ExpectMended(5, NodeId{});
  write(BoxAt({0, 2, 0}, {16, 14, 16}), 0);
  ExpectMended(1, NodeId{});
  ASSERT_NE(SupervoxelAt({8, 15, 8}), SupervoxelAt({8, 16, 8}));
  const auto fragment_side = std::ranges::find_if(split_.fragments, [](const Fragment& f) { return f.side == 2; });
  ASSERT_NE(fragment_side, split_.fragments.end());
  // Two fragments that share a chunk: a voxel of one given to the other, at their border, breaks nothing else.
  bool swapped = false;
  for (int64_t x = 1; x < 48 && !swapped; ++x) {
    const NodeId a = SupervoxelAt({x - 1, 9, 8});
    const NodeId b = SupervoxelAt({x, 9, 8});
    if (a != b && dataset().layout().ChunkOf(a) == dataset().layout().ChunkOf(b)) {
      write(BoxAt({x, 9, 8}, {1, 1, 1}), Value(a));
      swapped = true;
    }
  }
  ASSERT_TRUE(swapped);
  ExpectMended(5, NodeId{});
}

TEST_F(RepairTest, VoxelsThatALaterOperationBuiltOnAreLeft) {
  const Array3<uint64_t> labels({1, 1, 1}, 0);
  ASSERT_TRUE(dataset().segmentation().WriteBox(0, BoxAt({10, 9, 8}, {1, 1, 1}), labels.view()).ok());
  const auto split = project_.editor->Split({{source_}, {{4, 20, 8}}, "test"});
  const auto cut = project_.editor->Split({{source_}, {VoxelPoint{8, 4, 3}}, "test"});
  ASSERT_TRUE(cut.ok()) << cut.status();
  const Cells cells = CellsOf(dataset());
  const RepairPlan plan = MakePlan();
  EXPECT_GT(plan.before.found[4], 0);
  EXPECT_GT(plan.after.found[4], 0);
  EXPECT_FALSE(plan.doubts.empty());
}

TEST_F(RepairTest, HigherNodesAllForgetTheirEdges) {
  const NodeId root = AncestorOf(SupervoxelAt(source_), dataset().layout().layer_count());
  for (const NodeId node : ChildrenOf(root)) {
    Delete(node, columns::AtomicCrossChunkEdge({.value = 3}));
  }
  ExpectMended(4, ChildrenOf(root).front());
}

TEST_F(RepairTest, ObjectsAreBuiltAnewFromTheirEdges) {
  // An object without a past, of which nobody knows any more what joined its halves: each is an object from now on.
  ASSERT_NO_FATAL_FAILURE(IngestLabels(folder_.path() + "/young", Array3<uint64_t>({48, 16, 16}, 1),
                                       {.chunk_size = {16, 16, 16}, .voxel_size_nm = {8, 8, 8}}));
  OpenProject young = Open(folder_.path() + "/young");
  const VoxelPoint left{8, 8, 8};
  const VoxelPoint right{40, 8, 8};
  const NodeId root{RootAt(*young.dataset, left)};
  ASSERT_EQ(RootAt(*young.dataset, right), Value(root));
  const table::Column column = columns::AtomicCrossChunkEdge({.value = 3});
  std::vector<NodeId> nodes = young.dataset->Now().L2Nodes(root, std::nullopt).value();
  std::ranges::copy(young.dataset->Now().Children({{root}}).value().front(), std::back_inserter(nodes));
  for (const NodeId node : nodes) {
    const table::RowMutation rows[] = {{Key(node), {table::DeleteCells{column, std::nullopt}}}};
    ASSERT_TRUE(young.dataset->table().Apply(rows).ok());
  }
  absl::StatusOr<RepairPlan> plan = PlanRepair(*young.dataset, {}, clock(), Progress::Silent());
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_GT(plan->before.found[3], 0);
  ASSERT_FALSE(plan->mends.empty());
  EXPECT_EQ(plan->plan.old_roots, std::vector{root});
  const std::vector<NodeId> new_roots = plan->plan.new_roots;
  EXPECT_EQ(new_roots.size(), 2U);
  EXPECT_FALSE(plan->after.clean()) << "the past is as it was";
  const auto report = ApplyRepair(*young.dataset, clock(), *std::move(plan), "mender", {}, Progress::Silent());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->record.new_roots, new_roots);
  EXPECT_NE(RootAt(*young.dataset, left), RootAt(*young.dataset, right));
  EXPECT_EQ(young.dataset->Now().Successors({{root}}).value().front(), new_roots);
  FsckOptions newest;
  newest.past_operations_max = 0;
  ExpectClean(*young.dataset, newest);
  // And it can be edited.
  EXPECT_TRUE(young.editor->Merge({left, right, "test"}).ok());
  ExpectClean(*young.dataset, newest);
}

TEST_F(RepairTest, WhatHasNoWitnessIsLeftAlone) {
  // Only the two know of each other, and both have forgotten.
  ASSERT_NO_FATAL_FAILURE(IngestLabels(folder_.path() + "/young", Array3<uint64_t>({48, 16, 16}, 1),
                                       {.chunk_size = {16, 16, 16}, .voxel_size_nm = {8, 8, 8}}));
  OpenProject young = Open(folder_.path() + "/young");
  const NodeId id{young.dataset->segmentation().ReadVoxels(0, {{{24, 8, 8}}}).value().front()};
  const NodeId parent = young.dataset->Now().Parents({{id}}).value().front();
  const table::RowMutation damage[] = {{Key(id), {table::DeleteCells{columns::kParent, std::nullopt}}},
                                       {Key(parent), {table::DeleteCells{columns::kChild, std::nullopt}}}};
  ASSERT_TRUE(young.dataset->table().Apply(damage).ok());
  const Cells damaged = CellsOf(*young.dataset);
  const absl::StatusOr<RepairPlan> plan = PlanRepair(*young.dataset, {}, clock(), Progress::Silent());
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_FALSE(plan->before.clean());
  EXPECT_EQ(plan->after.total_found(), plan->before.total_found());
  for (const FsckFinding& finding : plan->after.findings) {
    EXPECT_FALSE(finding.advice.empty());
  }
  for (const Mend& mend : plan->mends) {
    ADD_FAILURE() << mend.what << ": " << (mend.cells.empty() ? "" : DescribeChange(mend.cells.front()));
  }
  EXPECT_FALSE(plan->doubts.empty());
  EXPECT_EQ(Differences(damaged, CellsOf(*young.dataset)), std::vector<std::string>());
}

TEST_F(RepairTest, RecordsAreReadAgainAndDamageOfThemIsSaid) {
  const std::vector<Mend> mends = {{3,
                                    "what",
                                    "why",
                                    {1, 2},
                                    Box{{-1, 2, 3}, {4, 5, 6}},
                                    {{"row", columns::kParent, absl::FromUnixMillis(5), "a", std::nullopt},
                                     {"row", columns::kChild, std::nullopt, std::nullopt, "b"}},
                                    {{"key", 1, 2}}}};
  const std::string bytes = EncodeMends(mends);
  EXPECT_EQ(DecodeMends(bytes).value(), mends);
  EXPECT_TRUE(absl::IsDataLoss(DecodeMends(bytes.substr(1)).status()));
  EXPECT_TRUE(absl::IsNotFound(ReadRepair(dataset().table(), split_.operation).status()));
}

}  // namespace
}  // namespace cleave::edit
