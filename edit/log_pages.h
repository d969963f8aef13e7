// The operation log read in batches: by ids, and page by page through a stretch of time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/geometry.h"
#include "edit/operation_log.h"
#include "graph/edges.h"
#include "graph/ids.h"
#include "table/table.h"

namespace cleave::edit {

// The rows of these operations, each once, ascending by id, in one read. Ids that have no row are left out.
[[nodiscard]] absl::StatusOr<std::vector<OperationRecord>> ReadOperations(const table::TableReader& reader,
                                                                          std::span<const graph::OperationId> ids);

// Operations of a time in (after, until].
struct LogWindow {
  absl::Time after = absl::InfinitePast();
  absl::Time until = absl::InfiniteFuture();
};
struct LogPage {
  std::vector<OperationRecord> operations;  // ascending by id
  std::optional<graph::OperationId> next;   // where the next page begins; nullopt when there is none
};
// Up to `operations_max` successful operations of the window with ids from `from` on. Only times and statuses of the
// log are read to find them. INVALID_ARGUMENT for operations_max < 1.
[[nodiscard]] absl::StatusOr<LogPage> ReadLogPage(const table::TableReader& reader, const LogWindow& window,
                                                  graph::OperationId from, int64_t operations_max);

// Ids between two others, neither of them included.
struct OperationStretch {
  graph::OperationId after{};
  graph::OperationId before{UINT64_MAX};
};
// Up to `operations_max` operations of the stretch, whatever became of them, the newest first. Reads only rows that
// exist or may come to exist from there on down. INVALID_ARGUMENT for operations_max < 1.
[[nodiscard]] absl::StatusOr<std::vector<OperationRecord>> ReadNewestOperations(const table::TableReader& reader,
                                                                                const OperationStretch& stretch,
                                                                                int64_t operations_max);

// Undo and redo as the log tells them.
struct UndoneOperations {
  std::set<graph::OperationId> undone;        // merges and splits that stand undone
  std::set<graph::OperationId> undo_or_redo;  // operations that are an undo or a redo
};
// From all successful operations; those of undo and redo alone are read. An undo of an undo is a redo.
[[nodiscard]] absl::StatusOr<UndoneOperations> ReadUndone(const table::TableReader& reader);

// One column of an operation's row, decoded.
using DetailValue = std::variant<std::string, int64_t, absl::Time, std::vector<uint64_t>, std::vector<graph::EdgeEnds>,
                                 VoxelPoint, std::vector<VoxelPoint>, std::vector<float>>;
struct OperationDetail {
  std::string name;  // the column's qualifier
  DetailValue value;
};
// All columns of each operation that exists; a column that this program does not know comes as its text, or as
// hexadecimal digits. DATA_LOSS naming operation and column.
[[nodiscard]] absl::StatusOr<std::map<graph::OperationId, std::vector<OperationDetail>>> ReadOperationDetails(
    const table::TableReader& reader, std::span<const graph::OperationId> ids);

}  // namespace cleave::edit
