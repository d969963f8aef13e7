// Goal: fsck reads in proportion to the log, however often one object was edited.
// Method: two labels that touch in many chunks are joined and parted again and again; the rows that fsck asks the table
// for are counted. Twice as many edits may add about twice as many rows, and no more.
#include <atomic>

#include "gtest/gtest.h"

#include "edit/edit_testing.h"
#include "edit/fsck_checks.h"
#include "table/table.h"

namespace cleave::edit {
namespace {

class CountingRows final : public table::TableReader {
 public:
  explicit CountingRows(const table::TableReader& base) : base_(base) {}

  absl::StatusOr<std::vector<table::Row>> ReadRows(std::span<const std::string> keys,
                                                   const table::Filter& filter) const override {
    rows_ += std::ssize(keys);
    return base_.ReadRows(keys, filter);
  }
  absl::StatusOr<std::vector<table::Row>> ReadRange(const table::RowRange& range, const table::Filter& filter,
                                                    int64_t limit) const override {
    absl::StatusOr<std::vector<table::Row>> rows = base_.ReadRange(range, filter, limit);
    rows_ += rows.ok() ? std::ssize(*rows) : 0;
    return rows;
  }

  int64_t rows() const { return rows_; }

 private:
  const table::TableReader& base_;
  mutable std::atomic<int64_t> rows_{0};
};

class FsckCost : public testing::Test {
 protected:
  void SetUp() override {
    Array3<uint64_t> labels({96, 12, 12});
    for (int64_t z = 0; z < 12; ++z) {
      for (int64_t y = 0; y < 12; ++y) {
        for (int64_t x = 0; x < 96; ++x) {
          labels[{x, y, z}] = y < 6 ? 1 : 2;
        }
      }
    }
    ASSERT_NO_FATAL_FAILURE(IngestLabels(folder_.path() + "/p", labels, {.chunk_size = {16, 16, 16}}));
    project_ = Open(folder_.path() + "/p");
    ASSERT_NE(project_.editor, nullptr);
  }

  // Joins the labels and parts them again.
  void Edit(int times) {
    for (int i = 0; i < times; ++i) {
      const auto merge = project_.editor->Merge({VoxelPoint{20, 2, 5}, VoxelPoint{20, 9, 5}, "test"});
      ASSERT_TRUE(merge.ok()) << merge.status();
      const auto split = project_.editor->Split({{VoxelPoint{20, 2, 5}}, {VoxelPoint{20, 9, 5}}, "test"});
      ASSERT_TRUE(split.ok()) << split.status();
    }
  }

  int64_t RowsOfFsck() {
    const CountingRows table(project_.dataset->table());
    FsckOptions options;
    options.past_operations_max = 100000;
    options.threads = 1;  // two would now and then read one row both
    const absl::StatusOr<FsckReport> report =
        FsckOver(*project_.dataset, {.table = &table}, options, Progress::Silent());
    EXPECT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report.ok() ? report->total_found() : -1, 0);
    return table.rows();
  }

  store::TemporaryFolder folder_;
  OpenProject project_;
};

TEST_F(FsckCost, GrowsWithTheLogNotWithItsSquare) {
  ASSERT_NO_FATAL_FAILURE(Edit(6));
  const int64_t of_6 = RowsOfFsck();
  ASSERT_NO_FATAL_FAILURE(Edit(12));
  const int64_t of_18 = RowsOfFsck();
  ASSERT_NO_FATAL_FAILURE(Edit(24));
  const int64_t of_42 = RowsOfFsck();
  std::cout << of_6 << ", " << of_18 << ", " << of_42 << " rows\n";
  EXPECT_GT(of_18, of_6);
  EXPECT_LT(of_42 - of_18, (of_18 - of_6) * 9 / 4);
}

}  // namespace
}  // namespace cleave::edit
