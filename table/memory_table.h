// A table in memory: the plainest form of the model, for tests and as the oracle of the other engines.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

#include "base/clock.h"
#include "table/cell_map.h"
#include "table/table.h"

namespace cleave::table {

class MemoryTable final : public Table {
 public:
  // `clock` gives cells their time where the caller gives none; it must outlive the table.
  explicit MemoryTable(Clock& clock = Clock::System()) : clock_(clock) {}

  [[nodiscard]] absl::StatusOr<std::vector<Row>> ReadRows(std::span<const std::string> keys,
                                                          const Filter& filter) const override;
  [[nodiscard]] absl::StatusOr<std::vector<Row>> ReadRange(const RowRange& range, const Filter& filter,
                                                           int64_t limit) const override;
  // One atomic step over all rows.
  [[nodiscard]] absl::Status Apply(std::span<const RowMutation> mutations) override;
  [[nodiscard]] bool atomic_batches() const override { return true; }
  [[nodiscard]] absl::StatusOr<bool> ApplyIf(absl::string_view key, std::span<const CellMatch> predicate,
                                             std::span<const Change> if_matched,
                                             std::span<const Change> if_not_matched) override;
  [[nodiscard]] absl::StatusOr<std::vector<bool>> ApplyIfEach(std::span<const ConditionalMutation> mutations) override;
  [[nodiscard]] absl::StatusOr<int64_t> Increment(absl::string_view key, const Column& column, int64_t delta) override;

 private:
  [[nodiscard]] bool ApplyIfLocked(const ConditionalMutation& mutation, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ApplyChanges(const std::string& key, std::span<const Change> changes, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Clock& clock_;
  mutable absl::Mutex mutex_;
  std::map<std::string, CellMap> rows_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cleave::table
