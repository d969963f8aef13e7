// Locks that operations hold on rows: on roots, so that edits of one neuron are ordered, and on chunk lock rows, so
// that rewrites of one chunk's voxels are. The cells and rules are PyChunkedGraph's and KVDbClient's, so that their
// clients and ours respect each other's locks; where those rules have gaps, ours are stricter:
//
//   temporal    column kLock, the holder's id, cell time = when it was taken. Counts until `expiry` has passed.
//               Taken only if nobody holds either lock; not by its own holder either (not re-entrant).
//   indefinite  column kIndefiniteLock, the holder's id. Counts until it is released: "a write is or was in flight".
//               Taken only by one who holds the temporal lock, if nobody has the indefinite one.
//   renewal     writes the temporal cell anew; only for the present holder: the newest cell must be its own. Peers look
//               at any cell, so that a lock that has been lost can come back to life.
//   release     only what carries the operation's own id; what does not is left alone, which is no error.
//   roots       that have been superseded (a kNewParent cell) can be neither locked nor renewed.
//
// Several rows are taken in the order of their keys, all or none. Taken locks survive the process: who ends cleanly
// releases them, recovery releases indefinite ones in the name of the operation that left them behind.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "table/table.h"

namespace cleave::table {

inline constexpr absl::Duration kLockExpiry = absl::Minutes(3);  // ROOT_LOCK_EXPIRY of the peer

enum class LockedRows { kRoots, kChunks };

// Thread-safe. Errors of all calls, beside those of the table:
//   UNAVAILABLE  another operation holds a lock; the message names row, holder and time. Nothing was taken.
//   ABORTED      a root has been superseded (read the present roots and retry), or the lock to be renewed was lost
class RowLocks {
 public:
  // `table` and `clock` must outlive the object.
  RowLocks(Table& table, Clock& clock, LockedRows rows, absl::Duration expiry = kLockExpiry)
      : table_(table), clock_(clock), rows_(rows), expiry_(expiry) {}

  // `keys` are row keys in any order; repeated ones count once.
  [[nodiscard]] absl::Status Acquire(std::span<const std::string> keys, uint64_t operation_id);
  // Where one lock was lost, the others are renewed all the same.
  [[nodiscard]] absl::Status Renew(std::span<const std::string> keys, uint64_t operation_id);
  [[nodiscard]] absl::Status Release(std::span<const std::string> keys, uint64_t operation_id);

  // Renews the temporal locks, then takes the indefinite ones.
  [[nodiscard]] absl::Status AcquireIndefinite(std::span<const std::string> keys, uint64_t operation_id);
  [[nodiscard]] absl::Status ReleaseIndefinite(std::span<const std::string> keys, uint64_t operation_id);

 private:
  [[nodiscard]] absl::Status AcquireAll(std::span<const std::string> keys, uint64_t operation_id, const Column& column,
                                        const std::vector<CellMatch>& obstacles);
  [[nodiscard]] absl::Status ReleaseAll(std::span<const std::string> keys, uint64_t operation_id, const Column& column);
  [[nodiscard]] absl::Status CheckNotSuperseded(std::span<const std::string> keys) const;
  [[nodiscard]] absl::Status Refusal(const std::string& key) const;

  Table& table_;
  Clock& clock_;
  const LockedRows rows_;
  const absl::Duration expiry_;
};

// Who holds a lock, and since when.
struct LockHolder {
  uint64_t operation_id = 0;
  absl::Time since;
  friend bool operator==(const LockHolder&, const LockHolder&) = default;
};

// The locks on one row, as their newest cells say. A temporal lock is listed even when it has expired.
struct RowLockState {
  std::string key;
  std::optional<LockHolder> temporal;
  std::optional<LockHolder> indefinite;
};

// One state per key, in the order of `keys`. DATA_LOSS when a lock cell holds no operation id.
[[nodiscard]] absl::StatusOr<std::vector<RowLockState>> ReadLocks(const TableReader& table,
                                                                  std::span<const std::string> keys);
// The rows in `range` with lock cells, in key order: what recovery looks through.
[[nodiscard]] absl::StatusOr<std::vector<RowLockState>> ListLocks(const TableReader& table, const RowRange& range);

}  // namespace cleave::table
