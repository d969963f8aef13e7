// Wide rows with timestamped cells: the model that chunked graphs already live in (Bigtable's, as KVDbClient uses it).
//
//   row key -> (family, qualifier) -> cells, newest first, each a time and bytes
//
// Times have whole milliseconds; what is finer is cut off on writing and on filtering. Two cells of one column with one
// time are one cell: the later write wins. Every call is safe from several threads at once.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace cleave::table {

// A family is one character ("0" to "4" in KVDbClient's schema); the qualifier is any text.
struct Column {
  std::string family;
  std::string qualifier;
  friend auto operator<=>(const Column&, const Column&) = default;
};

struct Cell {
  absl::Time time;
  std::string value;
  friend bool operator==(const Cell&, const Cell&) = default;
};

// The cells of one row that a filter lets through; newest first in each column, never an empty vector.
struct Row {
  std::string key;
  std::map<Column, std::vector<Cell>> cells;

  // The newest cell of `column`, or nullptr. Valid as long as the row is.
  [[nodiscard]] const Cell* Newest(const Column& column) const;
};

// Which cells a read returns: those of `columns` (empty: all) with start <= time < end (<= with `end_inclusive`), and
// of these at most `cells_per_column` newest ones (0: all).
struct Filter {
  std::vector<Column> columns = {};
  absl::Time start = absl::InfinitePast();
  absl::Time end = absl::InfiniteFuture();
  bool end_inclusive = false;
  int cells_per_column = 0;
};

// Half-open range of row keys, ordered bytewise; an empty `end` means no upper bound.
struct RowRange {
  std::string begin;
  std::string end;
};

// One change of one row. Without a time, SetCell takes the table's clock, DeleteCells takes all times. Row keys and
// families must not be empty, times must be finite: else INVALID_ARGUMENT, and nothing is applied.
struct SetCell {
  Column column;
  std::optional<absl::Time> time;
  std::string value;
};
struct DeleteCells {
  Column column;
  std::optional<absl::Time> time;
};
struct DeleteRow {};
using Change = std::variant<SetCell, DeleteCells, DeleteRow>;

// Changes of one row, applied in order and atomically.
struct RowMutation {
  std::string key;
  std::vector<Change> changes;
};

// A cell that matches makes a predicate true: in `filter`, and with this value when one is given.
struct CellMatch {
  Filter filter = {};
  std::optional<std::string> value = std::nullopt;
};

// One ApplyIf of a list of them.
struct ConditionalMutation {
  std::string key;
  std::vector<CellMatch> predicate;
  std::vector<Change> if_matched;
  std::vector<Change> if_not_matched;
};

// The cell that a read of one column found for `keys[index]`. The value lives as long as the visit.
struct FoundCell {
  size_t index = 0;
  absl::Time time;
  absl::string_view value;
};
using CellVisitor = absl::FunctionRef<absl::Status(const FoundCell&)>;

// Reading, apart from writing, so that a reader cannot write by accident and an overlay of unwritten changes
// (overlay_table.h) can stand in for a table.
class TableReader {
 public:
  TableReader() = default;
  TableReader(const TableReader&) = delete;
  TableReader& operator=(const TableReader&) = delete;
  virtual ~TableReader() = default;

  // One result per key, in the order of `keys`; a row without matching cells has empty `cells`.
  [[nodiscard]] virtual absl::StatusOr<std::vector<Row>> ReadRows(std::span<const std::string> keys,
                                                                  const Filter& filter) const = 0;
  // The rows in `range` that have matching cells, in key order; at most `limit` of them (0: all).
  [[nodiscard]] virtual absl::StatusOr<std::vector<Row>> ReadRange(const RowRange& range, const Filter& filter,
                                                                   int64_t limit) const = 0;

  // Calls `visit` for each of `keys` whose row has a cell of `column` at or before `until` (cut to milliseconds), with
  // the newest of these: in any order and from several threads, but never twice at once for one index. The first error
  // of a visit ends the read and is returned. What ReadRows with one column and one cell finds, for a million keys.
  [[nodiscard]] virtual absl::Status VisitNewest(std::span<const std::string> keys, const Column& column,
                                                 absl::Time until, CellVisitor visit) const;

  [[nodiscard]] absl::StatusOr<Row> ReadRow(absl::string_view key, const Filter& filter) const;
};

class Table : public TableReader {
 public:
  // Durable when it returns. Each row's changes are atomic; all of them together where `atomic_batches()`.
  [[nodiscard]] virtual absl::Status Apply(std::span<const RowMutation> mutations) = 0;
  [[nodiscard]] virtual bool atomic_batches() const = 0;

  // In one atomic step: looks whether any cell of the row matches any of `predicate`, applies `if_matched` or
  // `if_not_matched`, and returns whether there was a match. Both lists may be empty.
  [[nodiscard]] virtual absl::StatusOr<bool> ApplyIf(absl::string_view key, std::span<const CellMatch> predicate,
                                                     std::span<const Change> if_matched,
                                                     std::span<const Change> if_not_matched) = 0;

  // ApplyIf for each of `mutations` in order, one answer each; one atomic and durable step where `atomic_batches()`.
  // A row may be named once: else INVALID_ARGUMENT. After an error elsewhere, a beginning may have been applied.
  [[nodiscard]] virtual absl::StatusOr<std::vector<bool>> ApplyIfEach(std::span<const ConditionalMutation> mutations);

  // Adds `delta` to the counter in `column` (a signed 64-bit big-endian cell; absent counts as 0) and returns the sum.
  // Older cells of the column may be dropped. DATA_LOSS when the cell is no counter, OUT_OF_RANGE when the sum
  // overflows.
  [[nodiscard]] virtual absl::StatusOr<int64_t> Increment(absl::string_view key, const Column& column,
                                                          int64_t delta) = 0;

  // The same table for changes that need not be on disk when the call returns: visible at once, and on disk no later
  // than the next change made through the table itself. The end of the process loses none of them; a power cut loses
  // the newest ones at most, never one and not those made after it, by either way. For the steps before a commit point,
  // which one durable change then makes durable together. The table itself where an engine has no such thing. Lives as
  // long as the table.
  [[nodiscard]] virtual Table& ordered() { return *this; }

  // The rows as they are now: all reads of it see this one instant, whatever is written meanwhile. nullptr where an
  // engine cannot; what must be of one instant there is asked at a time before any operation in flight. Thread-safe;
  // to be given up soon, for it keeps old cells on disk, and before the table.
  [[nodiscard]] virtual std::unique_ptr<TableReader> Snapshot() const { return nullptr; }
};

}  // namespace cleave::table
