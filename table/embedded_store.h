// Opening RocksDB with the settings of the embedded engine, and its errors as ours. Only for sources of this engine:
// the header brings RocksDB's with it.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include <rocksdb/db.h>

#include "table/embedded_table.h"

namespace cleave::table {

[[nodiscard]] inline rocksdb::Slice ToSlice(absl::string_view text) { return {text.data(), text.size()}; }
[[nodiscard]] inline absl::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// Corruption is DATA_LOSS, a full disk RESOURCE_EXHAUSTED, trouble with files UNAVAILABLE, anything else INTERNAL.
[[nodiscard]] absl::Status ToStatus(const rocksdb::Status& status);

// The store in `folder`, marked as ours; errors as EmbeddedTable::Open says.
[[nodiscard]] absl::StatusOr<std::unique_ptr<rocksdb::DB>> OpenStore(const std::string& folder,
                                                                     const EmbeddedTableOptions& options);

// Stores that are opened from now on reach their files through `env`; nullptr: the system's own. For tests that model
// what a power cut would leave.
void SetStoreEnv(rocksdb::Env* env);

}  // namespace cleave::table
