#include "graph/scales.h"

#include "base/status.h"
#include "table/serializers.h"

namespace cleave::graph {
namespace {

constexpr char kScalesRowKey[] = "scales";
const table::Column kFilled{"0", "cleave_filled"};

}  // namespace

table::RowMutation ScalesFilledRow(absl::Time filled) {
  return {kScalesRowKey, {table::SetCell{kFilled, absl::UnixEpoch(), table::EncodeValue(absl::ToUnixMillis(filled))}}};
}

absl::StatusOr<std::optional<absl::Time>> ReadScalesFilled(const table::TableReader& table) {
  CLEAVE_ASSIGN_OR_RETURN(const table::Row row,
                          table.ReadRow(kScalesRowKey, {.columns = {kFilled}, .cells_per_column = 1}));
  const table::Cell* const cell = row.Newest(kFilled);
  if (cell == nullptr) {
    return std::optional<absl::Time>();
  }
  const absl::StatusOr<int64_t> filled_ms = table::DecodeValue<int64_t>(cell->value);
  if (!filled_ms.ok()) {
    return Annotate(filled_ms.status(), "row 'scales' of the table");
  }
  return std::optional(absl::FromUnixMillis(*filled_ms));
}

}  // namespace cleave::graph
