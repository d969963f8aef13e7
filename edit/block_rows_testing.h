// A project of two rows of blocks, for tests of edits in the graph. Not for product code.
//
//   row a: 12 blocks of 8 x 4 x 8 voxels, one beside the other along x, each a label of its own and touching the next
//   row b: the same, two voxels of background away from row a
//   chunks of 16 x 10 x 8: each holds two blocks of each row, six chunks in a row
//
// So a block is a supervoxel and an object of its own; neighbours in a row have a stored edge that is not active, and
// nothing joins the rows.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "edit/edit_testing.h"
#include "edit/operation_log.h"

namespace cleave::edit {

class BlockRows : public testing::Test {
 protected:
  static constexpr int kBlocks = 12;

  void SetUp() override {
    Array3<uint64_t> labels({kBlocks * 8, 10, 8});
    for (int64_t z = 0; z < 8; ++z) {
      for (int64_t y = 0; y < 10; ++y) {
        for (int64_t x = 0; x < kBlocks * 8; ++x) {
          const auto block = static_cast<uint64_t>(x / 8);
          labels[{x, y, z}] = y < 4 ? block + 1 : y >= 6 ? block + 101 : 0;
        }
      }
    }
    ASSERT_NO_FATAL_FAILURE(IngestLabels(path_, labels, {.chunk_size = {16, 10, 8}, .voxel_size_nm = {8, 8, 8}}));
    Reopen();
  }

  void Reopen(const EditorOptions& options = {.lock_tries = 3, .lock_wait = absl::Milliseconds(20)}) {
    project_ = {};
    project_ = Open(path_, options);
    ASSERT_NE(project_.editor, nullptr);
  }

  graph::Dataset& dataset() { return *project_.dataset; }
  Editor& editor() { return *project_.editor; }

  static VoxelPoint PointA(int block) { return {block * 8 + 4, 2, 4}; }
  static VoxelPoint PointB(int block) { return {block * 8 + 4, 8, 4}; }
  graph::NodeId SupervoxelAt(VoxelPoint point) {
    const auto labels = dataset().segmentation().ReadVoxels(0, {{point}});
    EXPECT_TRUE(labels.ok()) << labels.status();
    return graph::NodeId{labels->front()};
  }
  graph::NodeId A(int block) { return SupervoxelAt(PointA(block)); }
  graph::NodeId B(int block) { return SupervoxelAt(PointB(block)); }

  bool Together(graph::NodeId a, graph::NodeId b, absl::Time at = absl::InfiniteFuture()) {
    const std::vector<graph::NodeId> roots = dataset().View(at).Roots(std::vector{a, b}).value();
    EXPECT_NE(roots[0], graph::NodeId{});
    return roots[0] == roots[1];
  }
  // The objects of all blocks, in the order of the rows: each is named by its first block.
  std::vector<int> Objects(absl::Time at = absl::InfiniteFuture()) {
    std::vector<graph::NodeId> supervoxels;
    for (int i = 0; i < kBlocks; ++i) {
      supervoxels.push_back(A(i));
    }
    for (int i = 0; i < kBlocks; ++i) {
      supervoxels.push_back(B(i));
    }
    const std::vector<graph::NodeId> roots = dataset().View(at).Roots(supervoxels).value();
    std::map<graph::NodeId, int> first;
    std::vector<int> objects;
    for (int i = 0; i < 2 * kBlocks; ++i) {
      objects.push_back(first.try_emplace(roots[static_cast<size_t>(i)], i).first->second);
    }
    return objects;
  }

  EditReport MergeEdges(const std::vector<graph::EdgeEnds>& edges) {
    const auto report = editor().Merge({.user = "ada", .edges = edges});
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(EditReport{});
  }
  // Merges blocks first to last of row a along their stored edges.
  EditReport MergeRowA(int first, int last) {
    std::vector<graph::EdgeEnds> edges;
    for (int i = first; i < last; ++i) {
      edges.push_back({A(i), A(i + 1)});
    }
    return MergeEdges(edges);
  }

  OperationRecord Logged(graph::OperationId id) {
    const auto record = OperationLog(dataset().table()).Read(id);
    EXPECT_TRUE(record.ok()) << record.status();
    return record.value_or(OperationRecord{});
  }
  std::vector<OperationRecord> Log() { return OperationLog(dataset().table()).ReadAll().value(); }

  void ExpectNoLocks() {
    const auto locks = table::ListLocks(dataset().table(), {.begin = "", .end = ""});
    ASSERT_TRUE(locks.ok()) << locks.status();
    EXPECT_TRUE(locks->empty()) << locks->size() << " rows are locked, the first is " << locks->front().key;
    EXPECT_TRUE(OperationLog(dataset().table()).ListInFlight()->empty());
  }

  store::TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/project";
  OpenProject project_;
};

// That a request was refused with this code, and says each of `words`.
inline void ExpectRefused(const absl::Status& status, absl::StatusCode code, const std::vector<std::string>& words) {
  EXPECT_EQ(status.code(), code) << status;
  for (const std::string& word : words) {
    EXPECT_NE(status.message().find(word), absl::string_view::npos) << "'" << word << "' in: " << status;
  }
}

}  // namespace cleave::edit
