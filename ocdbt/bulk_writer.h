// Fills a database with more keys than memory can hold, as one commit.
//
// Method: 1. Values longer than the inline limit go to data files at once, from every thread into files of its own.
// 2. Entries (key, and the value or where it lies) are collected; whenever they have grown to the memory limit they are
// sorted and put aside in a temporary file. 3. Finish() merges these runs with what the database holds already, the
// later Put winning, and builds the tree from the leaves up, one open node per level. 4. The new root is committed like
// any other; if another process committed meanwhile, 3 is done again.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "ocdbt/database.h"

namespace cleave::ocdbt {

struct BulkOptions {
  // Entries held in memory before a run is put aside.
  size_t memory_bytes = size_t{256} << 20;
  // Where runs are put aside; "" means $TMPDIR, or /tmp.
  std::string temporary_folder;
};

// Thread-safe until Finish(). Nothing is visible before Finish(); without it, data files that were written are removed.
class BulkWriter {
 public:
  // `database` must outlive the writer and not be read-only.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<BulkWriter>> Create(Database& database,
                                                                          const BulkOptions& options = {});
  ~BulkWriter();

  [[nodiscard]] absl::Status Put(absl::string_view key, absl::string_view value);

  // Commits everything. Durable when it returns OK. Not to be called twice.
  [[nodiscard]] absl::StatusOr<CommitResult> Finish();

 private:
  struct State;
  explicit BulkWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cleave::ocdbt
