// Reading one column of very many rows of the embedded engine. Only for sources of this engine.
#pragma once

#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include <rocksdb/db.h>

#include "table/table.h"

namespace cleave::table {

// Released at its end.
class HeldSnapshot {
 public:
  explicit HeldSnapshot(rocksdb::DB& store) : store_(store), snapshot_(store.GetSnapshot()) {}
  HeldSnapshot(const HeldSnapshot&) = delete;
  HeldSnapshot& operator=(const HeldSnapshot&) = delete;
  ~HeldSnapshot() { store_.ReleaseSnapshot(snapshot_); }
  [[nodiscard]] const rocksdb::Snapshot* get() const { return snapshot_; }

 private:
  rocksdb::DB& store_;
  const rocksdb::Snapshot* snapshot_;
};

// As TableReader::VisitNewest, at one instant of the store: that of `at`, or without one that of the call.
//
//   1. Keys are taken in order; a list that is sorted already is not sorted again.
//   2. The list is cut into pieces, which several threads take with an iterator each.
//   3. From one key to the next an iterator steps while the keys lie close together, and seeks where they lie apart:
//      how many steps it tries follows what the last ones found.
//   4. Few keys ask the bloom filters, which many keys that mostly exist would only pay for.
[[nodiscard]] absl::Status VisitNewestCells(rocksdb::DB& store, std::span<const std::string> keys, const Column& column,
                                            absl::Time until, CellVisitor visit, const rocksdb::Snapshot* at = nullptr);

}  // namespace cleave::table
