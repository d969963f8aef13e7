// Rows of one instant, as long as there is time.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "base/clock.h"
#include "table/table.h"

namespace cleave::server {

// A look-up reads layer by layer, and an edit may be turned on in between: read at different instants, two halves of
// one object would lead to different roots. A look-up that reads voxels first must see rows at least as new, so the
// instant is that of the first read of rows, not that of the request.
enum class ReadInstant {
  kFirstRead,  // all are of the instant of the first one, where the table can do that
  kEachRead    // each sees what is newest
};

// A table's answers up to a moment; then DEADLINE_EXCEEDED, which names the limit and its option. It is looked
// at before and after each read, and among the cells of VisitNewest: one read of many rows is not broken off in its
// middle. Thread-safe, as the table is; that and the clock must outlive it.
class TimedReader final : public table::TableReader {
 public:
  // From `begin` on for so long; InfiniteDuration(): for ever.
  TimedReader(const table::Table& table, Clock& clock, absl::Time begin, absl::Duration allowed,
              ReadInstant instant = ReadInstant::kFirstRead)
      : table_(table), clock_(clock), allowed_(allowed), end_(begin + allowed), instant_(instant) {}

  [[nodiscard]] absl::StatusOr<std::vector<table::Row>> ReadRows(std::span<const std::string> keys,
                                                                 const table::Filter& filter) const override;
  [[nodiscard]] absl::StatusOr<std::vector<table::Row>> ReadRange(const table::RowRange& range,
                                                                  const table::Filter& filter,
                                                                  int64_t limit) const override;
  [[nodiscard]] absl::Status VisitNewest(std::span<const std::string> keys, const table::Column& column,
                                         absl::Time until, table::CellVisitor visit) const override;

  // OK while there is time.
  [[nodiscard]] absl::Status Check() const;

 private:
  [[nodiscard]] const table::TableReader& Rows() const;

  const table::Table& table_;
  Clock& clock_;
  const absl::Duration allowed_;
  const absl::Time end_;
  const ReadInstant instant_;
  mutable std::once_flag once_;
  mutable std::unique_ptr<table::TableReader> snapshot_;  // once_
};

}  // namespace cleave::server
