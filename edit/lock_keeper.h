// Keeps temporal locks alive while a long edit is being planned.
//
// One thread renews the locks of all operations that asked for it, three times per expiry. A renewal is made for the
// present holder only (table/row_locks.h): a lock that was lost meanwhile stays lost, and the operation learns of it
// when it wants to commit. Thread-safe.
#pragma once

#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "graph/ids.h"
#include "table/row_locks.h"
#include "table/table.h"

namespace cleave::edit {

class LockKeeper {
 public:
  // `table` and `clock` must outlive the keeper. `expiry`: that of the locks.
  LockKeeper(table::Table& table, Clock& clock, absl::Duration expiry);
  LockKeeper(const LockKeeper&) = delete;
  LockKeeper& operator=(const LockKeeper&) = delete;
  ~LockKeeper();

  // From now on renews these locks of an operation, beside those it was given before.
  void KeepRoots(graph::OperationId operation, const std::vector<std::string>& keys);
  void KeepChunks(graph::OperationId operation, const std::vector<std::string>& keys);
  // No renewal of this operation's is made any more, nor under way, when it returns.
  void Drop(graph::OperationId operation);

 private:
  struct Kept {
    std::vector<std::string> roots;
    std::vector<std::string> chunks;
  };

  void Run();

  table::RowLocks root_locks_;
  table::RowLocks chunk_locks_;
  const absl::Duration period_;
  absl::Mutex mutex_;
  absl::CondVar stop_changed_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<graph::OperationId, Kept> kept_ ABSL_GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace cleave::edit
