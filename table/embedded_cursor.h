// Reading rows of the embedded engine cell by cell. Only for sources of this engine: the header brings RocksDB's with
// it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include <rocksdb/iterator.h>

#include "table/cell_map.h"
#include "table/embedded_key.h"
#include "table/embedded_store.h"
#include "table/table.h"

namespace cleave::table {

// A filter with all that a scan of many rows needs worked out once.
class CellFilter {
 public:
  explicit CellFilter(const Filter& filter)
      : range(TimeRangeOf(filter)),
        cells_per_column(filter.cells_per_column > 0 ? static_cast<size_t>(filter.cells_per_column)
                                                     : std::numeric_limits<size_t>::max()),
        columns(SortedColumns(filter)) {
    for (const Column& column : columns) {
      column_suffixes.push_back(ColumnSuffix(column));
    }
    if (range.end > std::numeric_limits<int64_t>::min()) {
      AppendTime(range.end - 1, newest_time);
    }
  }
  [[nodiscard]] bool empty() const { return range.begin >= range.end; }

  const TimeRangeMs range;
  const size_t cells_per_column;
  const std::vector<Column> columns;
  std::vector<std::string> column_suffixes;
  std::string newest_time;  // the newest time let through, as the end of a key
};

// Walks over the cells of rows, forwards.
class CellCursor {
 public:
  explicit CellCursor(std::unique_ptr<rocksdb::Iterator> iterator) : iterator_(std::move(iterator)) {}

  [[nodiscard]] bool valid() const { return iterator_->Valid(); }
  [[nodiscard]] absl::string_view key() const { return ToView(iterator_->key()); }
  [[nodiscard]] absl::string_view value() const { return ToView(iterator_->value()); }

  void Seek(absl::string_view target) {
    iterator_->Seek(ToSlice(target));
    NoteStatus();
  }
  void Next() {
    iterator_->Next();
    NoteStatus();
  }
  // To the first key at or after `target`, which lies ahead: a few steps, and a seek if it is far.
  void AdvanceTo(absl::string_view target) {
    constexpr int kSteps = 4;
    for (int step = 0; step < kSteps && valid() && key() < target; ++step) {
      Next();
    }
    if (valid() && key() < target) {
      Seek(target);
    }
  }
  // The first error; seeks clear the iterator's own.
  [[nodiscard]] const absl::Status& status() const { return status_; }

 private:
  void NoteStatus() {
    if (!iterator_->Valid() && status_.ok()) {
      status_ = ToStatus(iterator_->status());
    }
  }

  std::unique_ptr<rocksdb::Iterator> iterator_;
  absl::Status status_;
};

// Adds to `row` its cells that the filter lets through. `cursor` stands at the row's first key or, where the filter has
// columns, at any key up to the first that may match; it is left somewhere behind the cells read, not behind the row's
// end. `row_prefix` is RowPrefix of the row's key. DATA_LOSS when a key of the row is damaged.
[[nodiscard]] absl::Status ReadCells(const CellFilter& filter, absl::string_view row_prefix, CellCursor& cursor,
                                     Row& row);

}  // namespace cleave::table
