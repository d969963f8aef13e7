// Goal: whatever single cell of the hierarchy is lost or changed after a random history, fsck finds it or it means
// nothing; a repair brings the old state back or says that it cannot; it never makes things worse.
// Method: random edits on random blobs. Then, again and again: one random cell of a node's row is deleted, filled with
// random bytes, or given the value of another cell of its column. A damage that fsck does not find must leave every
// object at every time as it was. After a repair every cell must be as before, or, where more than one set of rows says
// the same, at least every object at every time. Between rounds the table is put back cell by cell.
#include <random>

#include "gtest/gtest.h"

#include "base/test_scale.h"
#include "edit/repair_testing.h"
#include "volume/test_labels.h"

namespace cleave::edit {
namespace {

class RandomDamage : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(IngestLabels(folder_.path() + "/p", RandomBlobs(random_, {40, 36, 20}, 14),
                                         {.chunk_size = {16, 16, 16}, .voxel_size_nm = {8, 8, 40}}));
    project_ = Open(folder_.path() + "/p");
    ASSERT_NE(project_.editor, nullptr);
    times_ = {dataset().meta().ingested};
    const auto random_point = [&]() -> VoxelPoint {
      return {volume::Random(random_, 0, 39), volume::Random(random_, 0, 35), volume::Random(random_, 0, 19)};
    };
    for (int i = 0; i < 60 && times_.size() < 14; ++i) {
      const VoxelPoint p = random_point();
      const VoxelPoint q = random_point();
      const bool together = RootAt(dataset(), p) == RootAt(dataset(), q);
      const auto report =
          together ? project_.editor->Split({{p}, {q}, "random"}) : project_.editor->Merge({p, q, "random"});
      if (report.ok()) {
        times_.push_back(report->time);
      }
    }
    ASSERT_GT(times_.size(), 5U);
    times_.push_back(absl::InfiniteFuture());
    supervoxels_ = ExportSupervoxels(dataset());
    ASSERT_NO_FATAL_FAILURE(ExpectClean(dataset()));
    cells_ = CellsOf(dataset());
    objects_ = Objects();
    for (const auto& [key, value] : cells_) {
      if (IsOfANode(key)) {
        targets_.push_back(key);
      }
    }
  }

  graph::Dataset& dataset() { return *project_.dataset; }

  static bool IsOfANode(const CellKey& key) {
    const absl::StatusOr<uint64_t> id = table::ParseNodeRowKey(std::get<0>(key));
    return id.ok() && *id >= (uint64_t{1} << 56);
  }

  using ObjectsAtTimes = std::vector<std::map<uint64_t, uint64_t>>;
  ObjectsAtTimes Objects() {
    ObjectsAtTimes objects;
    for (const absl::Time time : times_) {
      objects.push_back(RootsOf(dataset(), supervoxels_, time));
    }
    return objects;
  }

  std::string Damage(const CellKey& key) {
    const auto& [row, column, time] = key;
    std::vector<CellKey> of_column;
    std::ranges::copy_if(targets_, std::back_inserter(of_column),
                         [&](const CellKey& other) { return std::get<1>(other) == std::get<1>(key); });
    table::Change change = table::DeleteCells{column, time};
    std::string what = "deleted";
    switch (random_() % 3) {
      case 0:
        break;
      case 1: {
        std::string bytes(1 + random_() % 24, '\0');
        for (char& byte : bytes) {
          byte = static_cast<char>(random_());
        }
        change = table::SetCell{column, time, bytes};
        what = "random bytes";
        break;
      }
      default: {
        const CellKey& other = of_column[random_() % of_column.size()];
        change = table::SetCell{column, time, cells_.at(other)};
        what = absl::StrCat("the value of ", Name(other));
      }
    }
    const table::RowMutation rows[] = {{row, {change}}};
    EXPECT_TRUE(dataset().table().Apply(rows).ok());
    return what;
  }

  const uint64_t seed_ = volume::TestSeed() + static_cast<uint64_t>(GetParam());
  std::mt19937_64 random_{seed_};
  store::TemporaryFolder folder_;
  OpenProject project_;
  std::vector<absl::Time> times_;
  Array3<uint64_t> supervoxels_;
  Cells cells_;
  ObjectsAtTimes objects_;
  std::vector<CellKey> targets_;
};

TEST_P(RandomDamage, IsMendedOrSaid) {
  std::cout << "seed " << seed_ << ", " << targets_.size() << " cells\n";
  std::map<std::string, int> tally;
  std::vector<graph::OperationId> repairs;
  const int rounds = SmallTests() ? 6 : 30;
  for (int round = 0; round < rounds; ++round) {
    const CellKey key = targets_[random_() % targets_.size()];
    const std::string what = Damage(key);
    SCOPED_TRACE(absl::StrCat("seed ", seed_, ", round ", round, ": ", Name(key), ": ", what));
    absl::StatusOr<RepairPlan> plan = PlanRepair(dataset(), {}, Clock::System(), Progress::Silent());
    ASSERT_TRUE(plan.ok()) << plan.status();
    EXPECT_LE(plan->after.total_found(), plan->before.total_found());
    if (plan->before.clean()) {
      ++tally["not found"];
      EXPECT_EQ(Objects(), objects_) << "this damage means something, and was not found";
    } else if (plan->mends.empty()) {
      ++tally["found, cannot be mended"];
      EXPECT_FALSE(plan->after.clean());
    } else {
      const bool promised = plan->after.clean();
      const int64_t left = plan->after.total_found();
      const auto report = ApplyRepair(dataset(), Clock::System(), *std::move(plan), "mender", {}, Progress::Silent());
      ASSERT_TRUE(report.ok()) << report.status();
      repairs.push_back(report->record.id);
      EXPECT_EQ(report->after.total_found(), left) << "the plan promised something else";
      const std::vector<std::string> differences = Differences(cells_, CellsOf(dataset(), repairs));
      if (promised) {
        ++tally[differences.empty() ? "mended, cell by cell" : "mended to the same objects"];
        if (!differences.empty()) {
          EXPECT_EQ(Objects(), objects_) << differences.front();
        }
      } else {
        ++tally["mended in part"];
      }
    }
    ASSERT_NO_FATAL_FAILURE(RestoreCells(dataset(), cells_, CellsOf(dataset(), repairs)));
    for (const graph::OperationId repair : repairs) {
      const table::RowMutation rows[] = {{table::OperationRowKey(Value(repair)), {table::DeleteRow{}}}};
      ASSERT_TRUE(dataset().table().Apply(rows).ok());
    }
    repairs.clear();
    ASSERT_FALSE(HasFailure());
  }
  for (const auto& [name, count] : tally) {
    std::cout << count << " times: " << name << '\n';
  }
  EXPECT_GT(tally["mended, cell by cell"], rounds / 2) << "most damage to one cell has a witness";
  ExpectClean(dataset());
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomDamage, testing::Range(0, 2));

}  // namespace
}  // namespace cleave::edit
