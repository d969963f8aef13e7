// Whether a project keeps its coarser scales: whether they were ever filled, and so must follow the voxels.
//
// Row "scales", column 0:cleave_filled, one cell: the time up to which all edits were in them when they were filled,
// i64 milliseconds since 1970. Projects that were made before coarser scales were kept do not have it.
#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "table/table.h"

namespace cleave::graph {

[[nodiscard]] table::RowMutation ScalesFilledRow(absl::Time filled);
// Nothing when the scales are not kept. DATA_LOSS when the row is damaged.
[[nodiscard]] absl::StatusOr<std::optional<absl::Time>> ReadScalesFilled(const table::TableReader& table);

}  // namespace cleave::graph
