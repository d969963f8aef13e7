// A table as it would be if a list of changes had been applied: the reader of plans before they are written.
//
// The changes are kept by row, in a form that needs no replay: which stored cells they hide, and which cells they add.
// A read asks the base once for all rows, hides, adds, and cuts to the filter; it is exact for every filter, as if the
// changes stood in the table.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"

#include "table/cell_map.h"
#include "table/table.h"

namespace cleave::table {

class OverlayTable final : public TableReader {
 public:
  // `base` must outlive the overlay. Added cells without a time get `as_of`: give the time that the changes will carry,
  // or one later than all stored cells.
  OverlayTable(const TableReader& base, absl::Time as_of);

  // Puts `mutations` after those added before. INVALID_ARGUMENT, with nothing added, for what a table would refuse.
  [[nodiscard]] absl::Status Add(std::span<const RowMutation> mutations);

  [[nodiscard]] absl::StatusOr<std::vector<Row>> ReadRows(std::span<const std::string> keys,
                                                          const Filter& filter) const override;
  [[nodiscard]] absl::StatusOr<std::vector<Row>> ReadRange(const RowRange& range, const Filter& filter,
                                                           int64_t limit) const override;
  [[nodiscard]] absl::Status VisitNewest(std::span<const std::string> keys, const Column& column, absl::Time until,
                                         CellVisitor visit) const override;

 private:
  // What the changes do to one row of the base.
  struct RowDelta {
    bool hides_row = false;
    std::set<Column> hidden_columns;
    std::map<Column, std::set<int64_t>> hidden_times_ms;
    CellMap added;

    [[nodiscard]] bool hides_cells() const { return hides_row || !hidden_columns.empty() || !hidden_times_ms.empty(); }
    [[nodiscard]] bool Hides(const Column& column, absl::Time time) const;
  };

  void Add(RowDelta& delta, const Change& change) const;
  [[nodiscard]] absl::StatusOr<std::vector<Row>> ReadRowsLocked(std::span<const std::string> keys,
                                                                const Filter& filter) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  static void Merge(const RowDelta& delta, const Filter& filter, Row& row);

  const TableReader& base_;
  const absl::Time as_of_;
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<std::string, RowDelta> deltas_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> keys_in_order_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cleave::table
