#include "edit/lock_keeper.h"

namespace cleave::edit {

LockKeeper::LockKeeper(table::Table& table, Clock& clock, absl::Duration expiry)
    : root_locks_(table, clock, table::LockedRows::kRoots, expiry),
      chunk_locks_(table, clock, table::LockedRows::kChunks, expiry),
      period_(expiry / 3),
      thread_([this] { Run(); }) {}

LockKeeper::~LockKeeper() {
  {
    const absl::MutexLock lock(&mutex_);
    stopped_ = true;
    stop_changed_.SignalAll();
  }
  thread_.join();
}

void LockKeeper::KeepRoots(graph::OperationId operation, const std::vector<std::string>& keys) {
  const absl::MutexLock lock(&mutex_);
  std::vector<std::string>& roots = kept_[operation].roots;
  roots.insert(roots.end(), keys.begin(), keys.end());
}

void LockKeeper::KeepChunks(graph::OperationId operation, const std::vector<std::string>& keys) {
  const absl::MutexLock lock(&mutex_);
  std::vector<std::string>& chunks = kept_[operation].chunks;
  chunks.insert(chunks.end(), keys.begin(), keys.end());
}

void LockKeeper::Drop(graph::OperationId operation) {
  const absl::MutexLock lock(&mutex_);
  kept_.erase(operation);
}

void LockKeeper::Run() {
  const absl::MutexLock lock(&mutex_);
  while (!stopped_) {
    const absl::Time due = absl::Now() + period_;
    while (!stopped_ && absl::Now() < due) {
      stop_changed_.WaitWithDeadline(&mutex_, due);
    }
    if (stopped_) {
      return;
    }
    for (const auto& [operation, kept] : kept_) {
      // A lock that was lost, and a table that does not answer, show when the operation commits.
      root_locks_.Renew(kept.roots, Value(operation)).IgnoreError();
      chunk_locks_.Renew(kept.chunks, Value(operation)).IgnoreError();
    }
  }
}

}  // namespace cleave::edit
