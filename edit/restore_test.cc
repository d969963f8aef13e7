// Goal: an undo with its voxels gives every voxel the id back that it had before the cut, and the graph the edges,
// while every past state reads as it did; a redo cuts anew; each refusal changes nothing and says what to do. Method:
// an object with a neck, cut in voxels across several chunks, the outermost of them clipped (crash_testing.h), and two
// rows of blocks (block_rows_testing.h). Voxels, objects and active edges are compared before and after, at every time
// and version; fsck looks at all moments.
#include <functional>

#include "edit/block_rows_testing.h"
#include "edit/crash_testing.h"
#include "edit/log_pages.h"
#include "edit/plain_model_testing.h"
#include "graph/descend.h"
#include "graph/local_graph.h"
#include "ocdbt/database.h"

namespace cleave::edit {
namespace {

using graph::EdgeEnds;
using graph::NodeId;
using graph::OperationId;

bool SameVoxels(const Array3<uint64_t>& a, const Array3<uint64_t>& b) {
  return std::equal(a.data(), a.data() + a.size(), b.data());
}

// Every active edge of the present, by every L2 node.
std::set<EdgeEnds> ActiveEdges(graph::Dataset& dataset) {
  const graph::GraphView view = dataset.Now();
  std::vector<NodeId> l2_nodes;
  for (const ChunkPoint chunk : dataset.layout().ChunksOverlapping(dataset.layout().volume())) {
    const auto contents = graph::ReadL2Chunk(view, chunk);
    EXPECT_TRUE(contents.ok()) << contents.status();
    for (const graph::L2Content& content : *contents) {
      l2_nodes.push_back(content.node);
    }
  }
  const auto local = graph::LoadLocalGraph(view, dataset.table(), dataset.edges(), l2_nodes, graph::OuterEdges::kLoad);
  EXPECT_TRUE(local.ok()) << local.status();
  std::set<EdgeEnds> active;
  for (const graph::Edge& edge : local->active) {
    active.insert(EdgeEnds{edge.node1, edge.node2}.Sorted());
  }
  return active;
}

class RestoreNeck : public testing::Test {
 protected:
  struct Moment {
    absl::Time time;
    Array3<uint64_t> voxels;
    Partition objects;
  };

  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(
        IngestLabels(path_, NeckLabels(), {.chunk_size = {16, 16, 16}, .voxel_size_nm = {8, 8, 8}, .fuse = {{1, 3}}}));
    project_ = Open(path_);
    ASSERT_NE(project_.editor, nullptr);
    Remember(dataset().meta().ingested);
    edges_ = ActiveEdges(dataset());
  }

  graph::Dataset& dataset() { return *project_.dataset; }
  Editor& editor() { return *project_.editor; }

  void Remember(absl::Time time) {
    Array3<uint64_t> voxels = ExportSupervoxels(dataset());
    Partition objects = PartitionOf(RootsOf(dataset(), voxels));
    moments_.push_back({time, std::move(voxels), std::move(objects)});
  }
  EditReport Done(const absl::StatusOr<EditReport>& report) {
    EXPECT_TRUE(report.ok()) << report.status();
    if (report.ok()) {
      Remember(report->time);
    }
    return report.value_or(EditReport{});
  }
  EditReport Undo(OperationId operation, bool voxels) {
    return Done(editor().Undo({.operation = operation, .user = "ada", .voxels = voxels}));
  }
  EditReport Redo(OperationId operation) { return Done(editor().Redo({.operation = operation, .user = "ada"})); }
  // The first and the last voxel, by z, y, x, of the largest fragment: a split between them cuts it.
  std::pair<VoxelPoint, VoxelPoint> EndsOfLargest(const EditReport& cut) {
    const NodeId largest = std::ranges::max_element(cut.fragments, {}, &Fragment::voxel_count)->id;
    const Array3<uint64_t> voxels = ExportSupervoxels(dataset());
    std::vector<VoxelPoint> points;
    for (int64_t z = 0; z < voxels.extent().z; ++z) {
      for (int64_t y = 0; y < voxels.extent().y; ++y) {
        for (int64_t x = 0; x < voxels.extent().x; ++x) {
          if (voxels[{x, y, z}] == Value(largest)) {
            points.push_back({x, y, z});
          }
        }
      }
    }
    return {points.front(), points.back()};
  }
  bool Apart() { return RootAt(dataset(), kSource) != RootAt(dataset(), kSink); }
  OperationRecord Logged(OperationId id) { return OperationLog(dataset().table()).Read(id).value(); }

  // Each state is what is read at its time, by time and version alike; now is the newest.
  void ExpectThePast() {
    const std::vector<OperationRecord> log = OperationLog(dataset().table()).ReadAll().value();
    for (size_t i = 0; i < moments_.size(); ++i) {
      SCOPED_TRACE(absl::StrCat("moment ", i));
      const absl::Time end = i + 1 < moments_.size() ? moments_[i + 1].time : absl::InfiniteFuture();
      for (const absl::Time time : {moments_[i].time, end - absl::Milliseconds(1)}) {
        uint64_t generation = dataset().BaseGeneration().value();
        for (const OperationRecord& record : log) {
          if (record.status == OperationStatus::kSuccess && record.time <= time) {
            generation = std::max(generation, record.written_generation.value_or(0));
          }
        }
        const Array3<uint64_t> voxels = ExportSupervoxels(dataset(), generation);
        EXPECT_TRUE(SameVoxels(voxels, moments_[i].voxels));
        EXPECT_EQ(PartitionOf(RootsOf(dataset(), voxels, time)), moments_[i].objects);
      }
    }
  }
  // Whether the same voxels make one object, whatever their ids are.
  static bool SameBorders(const Moment& a, const Moment& b) {
    std::map<uint64_t, uint64_t> to_b;
    std::map<uint64_t, uint64_t> to_a;
    for (int64_t i = 0; i < a.voxels.size(); ++i) {
      const uint64_t in_a = a.voxels.data()[i] == 0 ? 0 : a.objects.at(a.voxels.data()[i]);
      const uint64_t in_b = b.voxels.data()[i] == 0 ? 0 : b.objects.at(b.voxels.data()[i]);
      if (to_b.try_emplace(in_a, in_b).first->second != in_b || to_a.try_emplace(in_b, in_a).first->second != in_a) {
        return false;
      }
    }
    return true;
  }
  void ExpectAsIngested() {
    EXPECT_TRUE(SameVoxels(moments_.back().voxels, moments_.front().voxels));
    EXPECT_EQ(moments_.back().objects, moments_.front().objects);
    EXPECT_EQ(ActiveEdges(dataset()), edges_);
  }

  store::TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/project";
  OpenProject project_;
  std::vector<Moment> moments_;
  std::set<EdgeEnds> edges_;
};

TEST_F(RestoreNeck, TheOldIdsAndEdgesAreBack) {
  const EditReport cut = Done(CutNeck(editor()));
  ASSERT_GT(cut.fragments.size(), 2U);
  ASSERT_TRUE(Apart());
  const EditReport undo = Undo(cut.operation, true);
  EXPECT_FALSE(Apart());
  EXPECT_EQ(undo.kind, OperationKind::kUndo);
  EXPECT_EQ(undo.target, cut.operation);
  EXPECT_EQ(undo.old_roots, cut.new_roots);
  EXPECT_EQ(undo.new_roots.size(), 1U);
  EXPECT_EQ(undo.restored.size(), cut.fragments.size());
  EXPECT_TRUE(undo.fragments.empty());
  EXPECT_GT(undo.generation, cut.generation);
  EXPECT_GT(undo.changed_chunk_count, 0);
  EXPECT_EQ(undo.changed_boxes, cut.changed_boxes);
  ExpectAsIngested();
  ExpectThePast();
  const OperationRecord record = Logged(undo.operation);
  EXPECT_EQ(record.restored, undo.restored);
  EXPECT_EQ(record.written_generation, undo.generation);
  EXPECT_EQ(Logged(cut.operation).undone_by, undo.operation);
  for (const Restored& restored : undo.restored) {
    const NodeId both[] = {restored.fragment, restored.supervoxel};
    EXPECT_EQ(dataset().Now().Replacements(both).value(),
              (std::vector<std::vector<NodeId>>{{restored.supervoxel}, {}}));
    const graph::GraphView between = dataset().View(undo.time - absl::Milliseconds(1));
    EXPECT_TRUE(between.Replacements(both).value()[0].empty());
    EXPECT_FALSE(between.Replacements(both).value()[1].empty());
  }
  ExpectClean(dataset());
  project_ = {};
  project_ = Open(path_);
  ExpectClean(dataset());
}

TEST_F(RestoreNeck, ARedoCutsAnewAndStandsForTheFirst) {
  const EditReport cut = Done(CutNeck(editor()));
  const EditReport undo = Undo(cut.operation, true);
  const EditReport redo = Redo(cut.operation);
  EXPECT_TRUE(Apart());
  EXPECT_EQ(redo.kind, OperationKind::kRedo);
  EXPECT_EQ(redo.target, cut.operation);
  EXPECT_TRUE(SameBorders(moments_.back(), moments_[1])) << "every voxel is on the side where it was";
  ASSERT_EQ(redo.fragments.size(), cut.fragments.size());
  for (size_t i = 0; i < cut.fragments.size(); ++i) {
    EXPECT_NE(redo.fragments[i].id, cut.fragments[i].id) << "ids are used once";
  }
  ExpectClean(dataset());
  // In the graph, by the name of the first.
  Undo(cut.operation, false);
  EXPECT_FALSE(Apart());
  EXPECT_FALSE(SameVoxels(moments_.back().voxels, moments_.front().voxels));
  const EditReport in_the_graph = Redo(cut.operation);
  EXPECT_TRUE(Apart());
  EXPECT_TRUE(in_the_graph.fragments.empty()) << "its fragments are there";
  // With voxels, by the name of the redo; and again as the undo of the undo, and of that.
  const EditReport second_undo = Undo(redo.operation, true);
  EXPECT_EQ(second_undo.target, cut.operation);
  ExpectAsIngested();
  const EditReport undo_of_undo = Undo(second_undo.operation, false);
  EXPECT_EQ(undo_of_undo.kind, OperationKind::kRedo);
  EXPECT_FALSE(undo_of_undo.fragments.empty());
  EXPECT_TRUE(Apart());
  ExpectRefused(editor().Undo({.operation = undo.operation}).status(), absl::StatusCode::kFailedPrecondition,
                {"it stands"});
  ExpectThePast();
  ExpectClean(dataset());
}

TEST_F(RestoreNeck, SeveralLivesReadRightAtAllTimes) {
  const EditReport cut = Done(CutNeck(editor()));
  for (int i = 0; i < 3; ++i) {
    Undo(cut.operation, i != 1);
    if (i == 1) {
      Undo(cut.operation, true);  // the ids after the objects
    }
    ExpectAsIngested();
    Redo(cut.operation);
    EXPECT_TRUE(Apart());
  }
  Done(editor().Merge({.source = kSource, .sink = VoxelPoint{1, 1, 1}, .user = "ada"}));
  ExpectThePast();
  ExpectClean(dataset());
  project_ = {};
  project_ = Open(path_);
  ExpectThePast();
}

TEST_F(RestoreNeck, UsersEdgesToFragmentsComeAlong) {
  const EditReport cut = Done(CutNeck(editor()));
  const EditReport merge = Done(editor().Merge({.source = kSink, .sink = VoxelPoint{1, 1, 1}, .user = "ada"}));
  Undo(cut.operation, true);
  EXPECT_FALSE(Apart());
  EXPECT_EQ(RootAt(dataset(), kSource), RootAt(dataset(), {1, 1, 1}));
  Undo(merge.operation, false);
  EXPECT_NE(RootAt(dataset(), kSource), RootAt(dataset(), {1, 1, 1}));
  EXPECT_FALSE(Apart());
  ExpectAsIngested();
  ExpectThePast();
  ExpectClean(dataset());
}

TEST_F(RestoreNeck, AFragmentThatWasCutAgainIsNamedWithItsOperation) {
  const EditReport cut = Done(CutNeck(editor()));
  const auto [first, last] = EndsOfLargest(cut);
  const EditReport again = Done(editor().Split({.sources = {first}, .sinks = {last}, .user = "ada"}));
  ASSERT_FALSE(again.fragments.empty());
  const Array3<uint64_t> voxels = ExportSupervoxels(dataset());
  ExpectRefused(editor().Undo({.operation = cut.operation, .voxels = true}).status(),
                absl::StatusCode::kFailedPrecondition,
                {"cut again since", absl::StrCat("by operation ", Value(again.operation)), "first"});
  EXPECT_TRUE(SameVoxels(voxels, ExportSupervoxels(dataset())));
  Undo(again.operation, true);
  Undo(cut.operation, true);
  ExpectAsIngested();
  ExpectThePast();
  ExpectClean(dataset());
}

TEST_F(RestoreNeck, WhatCannotBeIsRefused) {
  const EditReport merge = Done(editor().Merge({.source = kSource, .sink = VoxelPoint{1, 1, 1}, .user = "ada"}));
  ExpectRefused(editor().Undo({.operation = merge.operation, .voxels = true}).status(),
                absl::StatusCode::kFailedPrecondition, {"cut no supervoxel", "without the voxels"});
  const EditReport cut = Done(CutNeck(editor()));
  ExpectRefused(editor().Redo({.operation = cut.operation, .voxels = true}).status(),
                absl::StatusCode::kInvalidArgument, {"by an undo"});
  const EditReport undo = Undo(cut.operation, true);
  ExpectRefused(editor().Undo({.operation = cut.operation, .voxels = true}).status(),
                absl::StatusCode::kFailedPrecondition,
                {"undone already", absl::StrCat("by operation ", Value(undo.operation))});
  ExpectRefused(editor().Undo({.operation = undo.operation, .voxels = true}).status(),
                absl::StatusCode::kInvalidArgument, {"by an undo"});
  // Apart already: there is nothing left to cut.
  Done(CutNeck(editor()));
  ExpectRefused(editor().Redo({.operation = cut.operation}).status(), absl::StatusCode::kFailedPrecondition,
                {"different objects"});
  ExpectThePast();
  ExpectClean(dataset());
}

TEST_F(RestoreNeck, VoxelsThatOthersWroteAreNotGivenBack) {
  const EditReport cut = Done(CutNeck(editor()));
  const volume::Volume& volume = dataset().segmentation();
  const VoxelPoint point = EndsOfLargest(cut).first;
  const ChunkPoint chunk = volume.grid(0).ChunkOf(point);
  const auto read = volume.ReadChunk(0, chunk);
  Array3<uint64_t> labels = volume.DecodeChunk(0, chunk, *read).value();
  const VoxelPoint at = point - volume.grid(0).BoxOf(chunk).lo;
  ASSERT_NE(labels[at], 0U);
  const uint64_t was = std::exchange(labels[at], 0);
  const auto write = volume.EncodeChunkWrite(0, chunk, std::as_const(labels).view(), read->generation);
  ASSERT_TRUE(dataset()
                  .database()
                  .Commit([&] {
                    ocdbt::WriteBatch batch;
                    batch.Put(write->key, *write->value);
                    return batch;
                  }())
                  .ok());
  ExpectRefused(editor().Undo({.operation = cut.operation, .voxels = true}).status(),
                absl::StatusCode::kFailedPrecondition, {absl::StrCat(was), "others have written there"});
  EXPECT_TRUE(Apart());
  EXPECT_TRUE(editor().Undo({.operation = cut.operation}).ok());
}

TEST_F(RestoreNeck, PreviewAndDryRun) {
  const EditReport cut = Done(CutNeck(editor()));
  const Array3<uint64_t> voxels = ExportSupervoxels(dataset());
  UndoRequest request;
  request.operation = cut.operation;
  request.user = "ada";
  request.voxels = true;
  const auto preview = editor().Preview(request);
  ASSERT_TRUE(preview.ok()) << preview.status();
  EXPECT_EQ(preview->restored.size(), cut.fragments.size());
  EXPECT_GT(preview->changed_chunk_count, 0);
  EXPECT_TRUE(SameVoxels(voxels, ExportSupervoxels(dataset())));
  const EditReport commit = Done(editor().CommitPreview(preview->preview_token));
  EXPECT_EQ(commit.restored, preview->restored);
  EXPECT_EQ(commit.new_roots, preview->new_roots);
  ExpectAsIngested();
  ExpectThePast();
  Redo(cut.operation);
  const auto second = editor().Preview(request);
  ASSERT_TRUE(second.ok()) << second.status();
  Done(editor().Merge({.source = kSource, .sink = VoxelPoint{1, 1, 1}, .user = "ada"}));
  ExpectRefused(editor().CommitPreview(second->preview_token).status(), absl::StatusCode::kFailedPrecondition,
                {"since the preview was made"});
  project_ = {};
  project_ = Open(path_, {.dry_run = true});
  const auto dry = editor().Undo(request);
  ASSERT_TRUE(dry.ok()) << dry.status();
  EXPECT_EQ(dry->restored.size(), cut.fragments.size());
  EXPECT_TRUE(Apart());
  ExpectClean(dataset());
}

TEST_F(RestoreNeck, InBatches) {
  const EditReport cut = Done(CutNeck(editor()));
  UndoRequest undo;
  undo.operation = cut.operation;
  undo.voxels = true;
  const auto [first, last] = EndsOfLargest(cut);
  const auto whole =
      editor().Run({.items = {SplitRequest{.sources = {first}, .sinks = {last}}, undo}, .as_a_whole = true});
  ASSERT_TRUE(whole.ok());
  EXPECT_FALSE(whole->done) << "the first item cuts a fragment";
  // Voxels are written before the graph by the splits, after it by the undo.
  const auto mixed = editor().Run({.items = {MergeRequest{.source = kSource, .sink = VoxelPoint{1, 1, 1}}, undo,
                                             SplitRequest{.sources = {{1, 1, 1}}, .sinks = {{46, 30, 20}}},
                                             SplitRequest{.sources = {kSource}, .sinks = {kSink}}},
                                   .as_a_whole = true});
  ASSERT_TRUE(mixed.ok()) << mixed.status();
  for (const ItemReport& item : mixed->items) {
    EXPECT_TRUE(item.status.ok()) << item.status;
  }
  ASSERT_TRUE(mixed->done);
  EXPECT_FALSE(mixed->items[1].edit.restored.empty());
  EXPECT_FALSE(mixed->items[3].edit.fragments.empty());
  EXPECT_LT(mixed->items[1].edit.generation, mixed->items[3].edit.generation);
  EXPECT_TRUE(Apart());
  ExpectClean(dataset());
  // Each for itself.
  undo.operation = mixed->items[3].edit.operation;
  const auto apart = editor().Run({.items = {undo, SplitRequest{.sources = {kSource}, .sinks = {kSink}}}});
  ASSERT_TRUE(apart->done);
  EXPECT_TRUE(Apart());
  ExpectClean(dataset());
}

// Neighbours that are cut and given back in any order.
class RestoreBlocks : public BlockRows {
 protected:
  // Cuts block i of row a across; its neighbours hold on to one half each.
  OperationId Cut(int block) {
    const int64_t x = block * 8;
    const auto report = editor().Split(
        {.sources = {{x + 1, 2, 4}}, .sinks = {{x + 6, 2, 4}}, .user = "ada", .refuse_isolating_cut = false});
    EXPECT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report.ok() && !report->fragments.empty());
    return report.ok() ? report->operation : OperationId{};
  }
  void GiveBack(OperationId operation) {
    const auto report = editor().Undo({.operation = operation, .user = "ada", .voxels = true});
    EXPECT_TRUE(report.ok()) << report.status();
  }
};

TEST_F(RestoreBlocks, NeighboursInAnyOrder) {
  MergeRowA(0, 5);
  const Array3<uint64_t> voxels = ExportSupervoxels(dataset());
  const std::set<EdgeEnds> edges = ActiveEdges(dataset());
  std::vector<int> order = {0, 1, 2};
  do {
    SCOPED_TRACE(absl::StrCat(order[0], order[1], order[2]));
    const std::vector<OperationId> cuts = {Cut(1), Cut(2), Cut(4)};
    for (const int i : order) {
      GiveBack(cuts[static_cast<size_t>(i)]);
      ExpectClean(dataset());
    }
    EXPECT_TRUE(SameVoxels(voxels, ExportSupervoxels(dataset())));
    EXPECT_EQ(ActiveEdges(dataset()), edges);
    EXPECT_TRUE(Together(A(0), A(5)));
    ASSERT_FALSE(HasFailure());
  } while (std::ranges::next_permutation(order).found);
  ExpectNoLocks();
}

TEST_F(RestoreBlocks, OlderOperationsNameWhatIsBack) {
  const EditReport merge = MergeRowA(0, 3);
  const OperationId cut = Cut(2);
  const NodeId left = SupervoxelAt({17, 2, 4});
  const EditReport to_fragment = MergeEdges({{left, B(2)}});
  GiveBack(cut);
  EXPECT_TRUE(Together(A(2), B(2)));
  ASSERT_TRUE(editor().Undo({.operation = to_fragment.operation}).ok());
  EXPECT_FALSE(Together(A(2), B(2)));
  ASSERT_TRUE(editor().Redo({.operation = to_fragment.operation}).ok());
  EXPECT_TRUE(Together(A(2), B(2)));
  ASSERT_TRUE(editor().Undo({.operation = merge.operation}).ok());
  EXPECT_FALSE(Together(A(1), A(2)));
  EXPECT_TRUE(Together(A(2), B(2)));
  ExpectRefused(
      editor().Merge({.edges = {{left, A(1)}}}).status(), absl::StatusCode::kFailedPrecondition,
      {graph::ToString(left), absl::StrCat("is ", graph::ToString(A(2)), " again"), "name what took its place"});
  const auto undone = ReadUndone(dataset().table());
  ASSERT_TRUE(undone.ok());
  EXPECT_TRUE(undone->undone.contains(cut));
  ExpectClean(dataset());
}

}  // namespace
}  // namespace cleave::edit
