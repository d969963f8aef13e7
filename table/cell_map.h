// The cells of one row in memory, and the arithmetic of filters and times that all engines share.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "table/table.h"

namespace cleave::table {

// Cells of one column by time in milliseconds, newest first.
using CellVersions = std::map<int64_t, std::string, std::greater<>>;
// Cells of one row.
using CellMap = std::map<Column, CellVersions>;

// Half-open interval of milliseconds since 1970.
struct TimeRangeMs {
  int64_t begin = std::numeric_limits<int64_t>::min();
  int64_t end = std::numeric_limits<int64_t>::max();
};

// Both ends of the filter cut to milliseconds; an inclusive end is one millisecond later.
[[nodiscard]] TimeRangeMs TimeRangeOf(const Filter& filter);

// The filter's columns, sorted, each once; empty means all.
[[nodiscard]] std::vector<Column> SortedColumns(const Filter& filter);

// What every engine refuses, with INVALID_ARGUMENT: empty row keys, empty families, infinite times, and a row named
// twice where each may be named once.
[[nodiscard]] absl::Status CheckKey(absl::string_view key);
[[nodiscard]] absl::Status CheckChanges(std::span<const Change> changes);
[[nodiscard]] absl::Status CheckMutations(std::span<const RowMutation> mutations);
[[nodiscard]] absl::Status CheckConditionalMutations(std::span<const ConditionalMutation> mutations);

// A cell's stored time: `time`, or `now` where there is none, cut to milliseconds.
[[nodiscard]] int64_t CellTimeMs(const std::optional<absl::Time>& time, absl::Time now);

// The cells of `cells` that `filter` lets through.
[[nodiscard]] std::map<Column, std::vector<Cell>> Select(const CellMap& cells, const Filter& filter);

// Applies one change; a column without cells is not kept.
void ApplyChange(CellMap& cells, const Change& change, absl::Time now);

// What an increment of a counter does: the sum, and the changes that store it as the column's only cell.
struct CounterStep {
  int64_t sum = 0;
  std::vector<Change> changes;
};
[[nodiscard]] absl::StatusOr<CounterStep> StepCounter(const Row& row, const Column& column, int64_t delta,
                                                      absl::Time now);

// Whether a cell that came through the match's filter has the value asked for.
[[nodiscard]] bool Matches(const std::map<Column, std::vector<Cell>>& selected, const CellMatch& match);

}  // namespace cleave::table
