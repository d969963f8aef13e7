// Who may ask for the locks of objects and chunks next, among the operations of one process.
//
// The rows of locks know one holder and no queue: whoever asks at the right moment wins, and an operation that needs
// two busy objects at once, or an object or a chunk that is edited all the time, could ask for ever. So operations that
// wait stand in a line:
//
//   1. An operation that was refused and has waited for `patience` has precedence: none that came later is let at a
//      root or a chunk that it wants.
//   2. When a commit replaces roots, those who wanted an old one want its successors from then on.
//   3. Whoever gives up, or commits, leaves the line; all others wake and try again.
//
// Guaranteed, for operations of one process: one that waits longer than `patience` is overtaken by no later one, so it
// waits at most for those that hold its locks or came before it. Operations of other processes on the same table are
// met at the locks themselves, where who retries first wins; waits are jittered so that they do not retry in step.
//
// Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

#include "graph/ids.h"

namespace cleave::edit {

class LockQueue {
 public:
  explicit LockQueue(absl::Duration patience) : patience_(patience) {}

  // A place in the line, from the first try to the end of the operation. The queue must outlive it.
  class Place {
   public:
    Place(LockQueue& queue, graph::OperationId operation);
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place();

    // Says which roots the operation wants now. UNAVAILABLE, naming who waits and since when, if an operation with
    // precedence wants one of them.
    [[nodiscard]] absl::Status Want(std::span<const graph::NodeId> roots);
    // The same of chunks, by their ids of layer 2, which an operation learns of while it plans: from then on it wants
    // them to its end, in every try, with those that it named before.
    [[nodiscard]] absl::Status WantChunks(std::span<const graph::NodeId> chunks);
    // The try did not succeed: waits until something has changed, for `timeout` at most (a little less at random).
    void Wait(absl::Duration timeout);

   private:
    absl::Status LookForEarlier(std::span<const graph::NodeId> wanted, absl::string_view what) const
        ABSL_EXCLUSIVE_LOCKS_REQUIRED(queue_.mutex_);

    LockQueue& queue_;
    uint64_t number_ = 0;
  };

  // How many operations stand in Wait.
  [[nodiscard]] int64_t waiting() const;

  // A commit put `new_roots` in the place of `old_roots`.
  void Replaced(std::span<const graph::NodeId> old_roots, std::span<const graph::NodeId> new_roots);

 private:
  struct Waiter {
    graph::OperationId operation{};
    absl::flat_hash_set<graph::NodeId> wants;   // roots
    absl::flat_hash_set<graph::NodeId> chunks;  // and chunks
    std::optional<absl::Time> refused;          // since when it waits
    bool stands = false;                        // in Wait
  };

  const absl::Duration patience_;
  mutable absl::Mutex mutex_;
  absl::CondVar changed_;
  uint64_t next_number_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, Waiter> line_ ABSL_GUARDED_BY(mutex_);  // by number, the first to come first
  std::minstd_rand jitter_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cleave::edit
