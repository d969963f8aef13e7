// Writes the newest version of a database anew: full nodes, and values in key order, so that a scan reads forward.
//
// Method: 1. The newest version is walked, and the bytes it needs of every data file are added up. 2. Its entries go,
// in key order, into new nodes; values that lie in files of which it needs only a small part are copied, the others
// stay where they are. 3. The new root is committed as a version like any other. If others committed meanwhile, their
// differences (diff.h) are applied to the new tree first. Old versions keep the old files; once they are removed,
// garbage collection (garbage.h) removes the files too. Stopped anywhere, it has changed nothing.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"

#include "base/progress.h"
#include "ocdbt/database.h"

namespace cleave::ocdbt {

struct CompactOptions {
  // Values are copied out of a data file when less than this part of it is needed.
  double live_fraction = 0.5;
  bool all_values = false;  // copy every value outside of the tree
};

struct CompactReport {
  GenerationNumber generation;  // the version with the new tree
  bool changed = false;         // false: there was nothing to write
  uint64_t keys = 0;
  uint64_t values_moved = 0;
  uint64_t value_bytes_moved = 0;
  uint64_t files_before = 0;  // that the newest version needed
  uint64_t files_after = 0;
};

// Errors as Database::Commit. Others may read and write meanwhile.
[[nodiscard]] absl::StatusOr<CompactReport> CompactDatabase(Database& database, const CompactOptions& options,
                                                            Progress& progress);

}  // namespace cleave::ocdbt
