// How an operation stands in its row of the table: operation_log.h tells what the members mean.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "edit/operation_log.h"
#include "graph/ids.h"
#include "table/serializers.h"
#include "table/table.h"

namespace cleave::edit {

// DATA_LOSS naming the column that does not decode, or when no column says what kind of operation it is.
[[nodiscard]] absl::StatusOr<OperationRecord> RecordOfRow(graph::OperationId id, const table::Row& row);

// Which version of the voxel store each of these operations wrote, in their order; nullopt where it wrote none, or is
// none. Reads that column alone, in one read. DATA_LOSS naming an operation whose column does not decode.
[[nodiscard]] absl::StatusOr<std::vector<std::optional<uint64_t>>> ReadWrittenGenerations(
    const table::TableReader& reader, std::span<const graph::OperationId> ids);

// Reads the newest cells of one row's columns; the first that does not decode ends up in status(). The row must outlive
// the reader. A column without a cell is an empty array or text, or no number.
class OperationRowReader {
 public:
  explicit OperationRowReader(const table::Row& row) : row_(row) {}

  template <typename T>
  std::vector<T> Array(const table::Column& column) {
    const table::Cell* cell = row_.Newest(column);
    return cell == nullptr ? std::vector<T>{} : Take(table::DecodeArray<T>(cell->value), column);
  }
  [[nodiscard]] std::string Text(const table::Column& column) const {
    const table::Cell* cell = row_.Newest(column);
    return cell == nullptr ? std::string() : cell->value;
  }
  std::optional<uint64_t> Number(const table::Column& column) {
    const table::Cell* cell = row_.Newest(column);
    return cell == nullptr ? std::nullopt : std::optional(Take(table::DecodeValue<uint64_t>(cell->value), column));
  }
  // An id as text.
  std::optional<graph::OperationId> Id(const table::Column& column) {
    const table::Cell* cell = row_.Newest(column);
    return cell == nullptr ? std::nullopt
                           : std::optional(graph::OperationId{Take(table::DecodeIdText(cell->value), column)});
  }
  template <typename T>
  T Take(absl::StatusOr<T> value, const table::Column& column) {
    if (!value.ok()) {
      status_.Update(Annotate(value.status(), absl::StrCat("operation ", row_.key, ", column ", column.qualifier)));
      return T{};
    }
    return *std::move(value);
  }
  [[nodiscard]] const table::Cell* Cell(const table::Column& column) const { return row_.Newest(column); }
  [[nodiscard]] const absl::Status& status() const { return status_; }

 private:
  const table::Row& row_;
  absl::Status status_;
};

}  // namespace cleave::edit
