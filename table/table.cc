#include "table/table.h"

#include <utility>

#include "base/status.h"
#include "table/cell_map.h"

namespace cleave::table {

const Cell* Row::Newest(const Column& column) const {
  const auto it = cells.find(column);
  return it == cells.end() ? nullptr : &it->second.front();
}

absl::Status TableReader::VisitNewest(std::span<const std::string> keys, const Column& column, absl::Time until,
                                      CellVisitor visit) const {
  CLEAVE_ASSIGN_OR_RETURN(
      const std::vector<Row> rows,
      ReadRows(keys, {.columns = {column}, .end = until, .end_inclusive = true, .cells_per_column = 1}));
  for (size_t i = 0; i < rows.size(); ++i) {
    if (const Cell* const cell = rows[i].Newest(column)) {
      CLEAVE_RETURN_IF_ERROR(visit({i, cell->time, cell->value}));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Row> TableReader::ReadRow(absl::string_view key, const Filter& filter) const {
  const std::string keys[] = {std::string(key)};
  CLEAVE_ASSIGN_OR_RETURN(std::vector<Row> rows, ReadRows(keys, filter));
  return std::move(rows.front());
}

absl::StatusOr<std::vector<bool>> Table::ApplyIfEach(std::span<const ConditionalMutation> mutations) {
  CLEAVE_RETURN_IF_ERROR(CheckConditionalMutations(mutations));
  std::vector<bool> matched;
  matched.reserve(mutations.size());
  for (const ConditionalMutation& mutation : mutations) {
    CLEAVE_ASSIGN_OR_RETURN(const bool match,
                            ApplyIf(mutation.key, mutation.predicate, mutation.if_matched, mutation.if_not_matched));
    matched.push_back(match);
  }
  return matched;
}

}  // namespace cleave::table
