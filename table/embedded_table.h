// A table in a folder of this machine, on RocksDB. One process at a time; no server.
//
// What it adds to the promises of table.h:
//   - Apply is one atomic step over all rows of the batch, on disk when it returns.
//   - Each call of ReadRows or ReadRange sees one instant: all of a batch or nothing of it.
//   - Increment leaves one cell in its column.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "table/table.h"

namespace cleave::table {

struct EmbeddedTableOptions {
  bool create_if_missing = false;
  // Memory for blocks read from files, their indexes and bloom filters.
  int64_t block_cache_bytes = int64_t{256} << 20;
  // Memory for changes not yet in sorted files; up to four times this much may be in use for a moment.
  int64_t write_buffer_bytes = int64_t{64} << 20;
  // The column whose newest cells are kept in memory as they are found, for look-ups of up to kept_read_rows_max rows
  // that ask for the same again and again: values of 8 bytes, row keys of up to 23. Up to 56 bytes for each.
  std::optional<Column> kept_column = std::nullopt;
  size_t kept_cells = size_t{1} << 20;
  size_t kept_read_rows_max = size_t{1} << 16;
  // Gives cells their time where the caller gives none. Must outlive the table.
  Clock* clock = &Clock::System();
};

class EmbeddedTable final : public Table {
 public:
  // Opens the table in `folder`. Errors:
  //   FAILED_PRECONDITION  there is no table and none was to be created, or it is of an unknown version
  //   UNAVAILABLE          another process, or another object of this one, has it open
  //   DATA_LOSS            a file is damaged or missing; the message names it
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<EmbeddedTable>> Open(const std::string& folder,
                                                                           const EmbeddedTableOptions& options);
  // Closes the files. No call may be under way.
  ~EmbeddedTable() override;

  [[nodiscard]] absl::StatusOr<std::vector<Row>> ReadRows(std::span<const std::string> keys,
                                                          const Filter& filter) const override;
  [[nodiscard]] absl::StatusOr<std::vector<Row>> ReadRange(const RowRange& range, const Filter& filter,
                                                           int64_t limit) const override;
  // Of one instant too. Many keys are read on several threads.
  [[nodiscard]] absl::Status VisitNewest(std::span<const std::string> keys, const Column& column, absl::Time until,
                                         CellVisitor visit) const override;
  [[nodiscard]] absl::Status Apply(std::span<const RowMutation> mutations) override;
  [[nodiscard]] bool atomic_batches() const override { return true; }
  [[nodiscard]] absl::StatusOr<bool> ApplyIf(absl::string_view key, std::span<const CellMatch> predicate,
                                             std::span<const Change> if_matched,
                                             std::span<const Change> if_not_matched) override;
  [[nodiscard]] absl::StatusOr<std::vector<bool>> ApplyIfEach(std::span<const ConditionalMutation> mutations) override;
  [[nodiscard]] absl::StatusOr<int64_t> Increment(absl::string_view key, const Column& column, int64_t delta) override;

  [[nodiscard]] Table& ordered() override;
  [[nodiscard]] std::unique_ptr<TableReader> Snapshot() const override;

  // Apply for bulk loads: atomic and visible when it returns, but on disk only after the next Sync. A crash before it
  // may lose any of these batches, even where a later Apply survives; each is lost or kept whole.
  [[nodiscard]] absl::Status ApplyUnsynced(std::span<const RowMutation> mutations);
  // Everything applied before this call is on disk when it returns.
  [[nodiscard]] absl::Status Sync();
  // Makes `folder`, which must not exist and lies on the same file system or another, a table of its own with all that
  // was applied before this call. Files are linked where they can be, so that it takes time and space for few of them.
  [[nodiscard]] absl::Status CopyTo(const std::string& folder);
  // Rewrites all files in their final order, as is good after a bulk load: space of dropped cells is freed.
  [[nodiscard]] absl::Status Compact();

 private:
  class Impl;
  explicit EmbeddedTable(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cleave::table
