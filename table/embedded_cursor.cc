#include "table/embedded_cursor.h"

#include <limits>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "table/embedded_key.h"

namespace cleave::table {
namespace {

void AddCell(const CellCursor& cursor, std::vector<Cell>& cells) {
  cells.push_back({absl::FromUnixMillis(TimeOfKey(cursor.key())), std::string(cursor.value())});
}

// Cells of one column; the cursor stands at or before the first that may match.
void ReadColumn(const CellFilter& filter, absl::string_view prefix, CellCursor& cursor, std::vector<Cell>& cells) {
  while (cursor.valid() && absl::StartsWith(cursor.key(), prefix) && TimeOfKey(cursor.key()) >= filter.range.begin) {
    AddCell(cursor, cells);
    if (cells.size() == filter.cells_per_column) {
      return;
    }
    cursor.Next();
  }
}

void ReadGivenColumns(const CellFilter& filter, absl::string_view row_prefix, CellCursor& cursor, Row& row) {
  std::string prefix;
  for (size_t i = 0; i < filter.columns.size(); ++i) {
    prefix.assign(row_prefix.data(), row_prefix.size());
    prefix += filter.column_suffixes[i];
    const size_t prefix_size = prefix.size();
    prefix += filter.newest_time;
    cursor.AdvanceTo(prefix);
    prefix.resize(prefix_size);
    std::vector<Cell> cells;
    ReadColumn(filter, prefix, cursor, cells);
    if (!cells.empty()) {
      row.cells.emplace_hint(row.cells.end(), filter.columns[i], std::move(cells));
    }
  }
}

absl::Status ReadAllColumns(const CellFilter& filter, absl::string_view row_prefix, CellCursor& cursor, Row& row) {
  while (cursor.valid() && absl::StartsWith(cursor.key(), row_prefix)) {
    const absl::string_view key = cursor.key();
    std::string prefix(key.substr(0, key.size() - kTimeBytes));
    Column column;
    CLEAVE_RETURN_IF_ERROR(DecodeColumnSuffix(absl::string_view(prefix).substr(row_prefix.size()), column));
    cursor.AdvanceTo(absl::StrCat(prefix, filter.newest_time));
    std::vector<Cell> cells;
    ReadColumn(filter, prefix, cursor, cells);
    if (!cells.empty()) {
      row.cells.emplace_hint(row.cells.end(), std::move(column), std::move(cells));
    }
    cursor.AdvanceTo(EndOfPrefix(std::move(prefix)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadCells(const CellFilter& filter, absl::string_view row_prefix, CellCursor& cursor, Row& row) {
  if (filter.columns.empty()) {
    return ReadAllColumns(filter, row_prefix, cursor, row);
  }
  ReadGivenColumns(filter, row_prefix, cursor, row);
  return absl::OkStatus();
}

}  // namespace cleave::table
