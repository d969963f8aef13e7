// Goal: damage to any cell of a supervoxel with several lives, of its fragments, or of their L2 nodes is found and
// mended to the very cells; what is not found means nothing. Method: a cut that was undone with its voxels, done again
// and undone so once more, and a merge. Every cell of those rows is deleted, one after the other, and then garbled;
// each time a repair is planned and applied, and the table is compared cell by cell.
#include <set>
#include <utility>

#include "absl/strings/match.h"

#include "edit/repair_testing.h"

namespace cleave::edit {
namespace {

using graph::NodeId;
namespace columns = table::columns;

class RestoreRepair : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(IngestLabels(folder_.path() + "/p", BarLabels(), kBarOptions));
    project_ = Open(folder_.path() + "/p");
    ASSERT_NE(project_.editor, nullptr);
    Editor& editor = *project_.editor;
    const auto cut = editor.Split({.sources = {{8, 9, 8}}, .sinks = {{40, 9, 8}}, .user = "test"});
    ASSERT_TRUE(cut.ok()) << cut.status();
    for (int i = 0; i < 2; ++i) {
      const auto undo = editor.Undo({.operation = cut->operation, .user = "test", .voxels = true});
      ASSERT_TRUE(undo.ok()) << undo.status();
      for (const Restored& restored : undo->restored) {
        supervoxels_.insert(restored.supervoxel);
        joined_.emplace(restored.fragment, undo->time);
      }
      ASSERT_TRUE(i == 1 || editor.Redo({.operation = cut->operation, .user = "test"}).ok());
    }
    ASSERT_TRUE(editor.Merge({.source = VoxelPoint{8, 9, 8}, .sink = VoxelPoint{8, 20, 8}, .user = "test"}).ok());
    ASSERT_NO_FATAL_FAILURE(ExpectClean(dataset()));
    cells_ = CellsOf(dataset());
  }

  graph::Dataset& dataset() { return *project_.dataset; }

  // Of the supervoxels, their fragments, and all L2 nodes that either ever had.
  std::vector<CellKey> Targets() {
    std::set<std::string> rows;
    for (const NodeId id : supervoxels_) {
      rows.insert(table::NodeRowKey(Value(id)));
    }
    for (const auto& [fragment, time] : joined_) {
      rows.insert(table::NodeRowKey(Value(fragment)));
    }
    std::vector<CellKey> targets;
    for (const std::set<std::string> level = rows; const auto& [key, value] : cells_) {
      if (level.contains(std::get<0>(key)) && std::get<1>(key) == columns::kParent) {
        rows.insert(table::NodeRowKey(table::DecodeValue<uint64_t>(value).value()));
      }
    }
    for (const auto& [key, value] : cells_) {
      if (rows.contains(std::get<0>(key))) {
        targets.push_back(key);
      }
    }
    return targets;
  }

  // Where a fragment leads once its supervoxel is back: read only until that has its voxels.
  bool MeansNothing(const CellKey& key) {
    const NodeId node{table::ParseNodeRowKey(std::get<0>(key)).value()};
    return std::get<1>(key) == columns::kParent && joined_.contains({node, std::get<2>(key)});
  }

  void ExpectMended(const CellKey& key, table::Change damage) {
    SCOPED_TRACE(Name(key));
    const table::RowMutation rows[] = {{std::get<0>(key), {std::move(damage)}}};
    ASSERT_TRUE(dataset().table().Apply(rows).ok());
    absl::StatusOr<RepairPlan> plan = PlanRepair(dataset(), {}, Clock::System(), Progress::Silent());
    ASSERT_TRUE(plan.ok()) << plan.status();
    std::vector<graph::OperationId> repairs;
    if (plan->mends.empty()) {
      EXPECT_TRUE(plan->before.clean()) << "found: " << plan->before.findings.front().what;
      EXPECT_TRUE(MeansNothing(key)) << "not found";
    } else {
      EXPECT_TRUE(plan->after.clean()) << "left: " << plan->after.findings.front().what;
      const auto report = ApplyRepair(dataset(), Clock::System(), *std::move(plan), "mender", {}, Progress::Silent());
      ASSERT_TRUE(report.ok()) << report.status();
      repairs.push_back(report->record.id);
      std::vector<std::string> differences = Differences(cells_, CellsOf(dataset(), repairs));
      std::erase_if(differences, [](const std::string& name) { return absl::StrContains(name, " cleave_event "); });
      EXPECT_EQ(differences, std::vector<std::string>());
    }
    ASSERT_NO_FATAL_FAILURE(RestoreCells(dataset(), cells_, CellsOf(dataset(), repairs)));
    for (const graph::OperationId repair : repairs) {
      const table::RowMutation gone[] = {{table::OperationRowKey(Value(repair)), {table::DeleteRow{}}}};
      ASSERT_TRUE(dataset().table().Apply(gone).ok());
    }
  }

  store::TemporaryFolder folder_;
  OpenProject project_;
  std::set<NodeId> supervoxels_;
  std::set<std::pair<NodeId, absl::Time>> joined_;
  Cells cells_;
};

TEST_F(RestoreRepair, CellsThatAreLost) {
  const std::vector<CellKey> targets = Targets();
  ASSERT_GT(targets.size(), 50U);
  for (const CellKey& key : targets) {
    ExpectMended(key, table::DeleteCells{std::get<1>(key), std::get<2>(key)});
    ASSERT_FALSE(HasFailure());
  }
  ExpectClean(dataset());
}

TEST_F(RestoreRepair, LineageThatCannotBeDecoded) {
  for (const CellKey& key : Targets()) {
    const table::Column& column = std::get<1>(key);
    if (column == columns::kNewIdentity || column == columns::kFormerIdentity) {
      ExpectMended(key, table::SetCell{column, std::get<2>(key), "xyz"});
      ASSERT_FALSE(HasFailure());
    }
  }
}

}  // namespace
}  // namespace cleave::edit
