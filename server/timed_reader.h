// Rows, as long as there is time.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "base/clock.h"
#include "table/table.h"

namespace cleave::server {

// Another reader's answers up to a moment; then DEADLINE_EXCEEDED, which names the limit and its option. It is looked
// at before and after each read, and among the cells of VisitNewest: one read of many rows is not broken off in its
// middle. Thread-safe, as the other is; that and the clock must outlive it.
class TimedReader final : public table::TableReader {
 public:
  // From `begin` on for so long; InfiniteDuration(): for ever.
  TimedReader(const table::TableReader& reader, Clock& clock, absl::Time begin, absl::Duration allowed)
      : reader_(reader), clock_(clock), allowed_(allowed), end_(begin + allowed) {}

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
  const table::TableReader& reader_;
  Clock& clock_;
  const absl::Duration allowed_;
  const absl::Time end_;
};

}  // namespace cleave::server
