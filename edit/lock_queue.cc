#include "edit/lock_queue.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace cleave::edit {

using graph::NodeId;

LockQueue::Place::Place(LockQueue& queue, graph::OperationId operation) : queue_(queue) {
  const absl::MutexLock lock(&queue_.mutex_);
  number_ = queue_.next_number_++;
  queue_.line_[number_].operation = operation;
}

LockQueue::Place::~Place() {
  const absl::MutexLock lock(&queue_.mutex_);
  queue_.line_.erase(number_);
  queue_.changed_.SignalAll();
}

absl::Status LockQueue::Place::Want(std::span<const NodeId> roots) {
  const absl::MutexLock lock(&queue_.mutex_);
  queue_.line_[number_].wants = {roots.begin(), roots.end()};
  return LookForEarlier(roots, "object");
}

absl::Status LockQueue::Place::WantChunks(std::span<const NodeId> chunks) {
  const absl::MutexLock lock(&queue_.mutex_);
  queue_.line_[number_].chunks.insert(chunks.begin(), chunks.end());
  return LookForEarlier(chunks, "chunk");
}

// An id of a chunk has no segment, so it is no root's.
absl::Status LockQueue::Place::LookForEarlier(std::span<const NodeId> wanted, absl::string_view what) const {
  const absl::Time now = absl::Now();
  for (const auto& [number, waiter] : queue_.line_) {
    if (number == number_) {
      break;
    }
    if (!waiter.refused.has_value() || now - *waiter.refused < queue_.patience_) {
      continue;
    }
    const auto both = std::ranges::find_if(
        wanted, [&w = waiter](NodeId id) { return w.wants.contains(id) || w.chunks.contains(id); });
    if (both != wanted.end()) {
      return absl::UnavailableError(absl::StrCat(
          "operation ", Value(waiter.operation), " has waited for ", what, " ", Value(*both), " since ",
          absl::FormatTime(absl::RFC3339_full, *waiter.refused, absl::UTCTimeZone()), " and comes first; try again"));
    }
  }
  return absl::OkStatus();
}

void LockQueue::Place::Wait(absl::Duration timeout) {
  const absl::MutexLock lock(&queue_.mutex_);
  Waiter& self = queue_.line_[number_];
  if (!self.refused.has_value()) {
    self.refused = absl::Now();
  }
  const double part = std::uniform_real_distribution<double>(0.75, 1)(queue_.jitter_);
  self.stands = true;
  queue_.changed_.WaitWithTimeout(&queue_.mutex_, timeout * part);
  self.stands = false;
}

int64_t LockQueue::waiting() const {
  const absl::MutexLock lock(&mutex_);
  return std::ranges::count_if(line_, [](const auto& entry) { return entry.second.stands; });
}

void LockQueue::Replaced(std::span<const NodeId> old_roots, std::span<const NodeId> new_roots) {
  const absl::MutexLock lock(&mutex_);
  for (auto& [number, waiter] : line_) {
    if (std::ranges::any_of(old_roots, [&w = waiter](NodeId root) { return w.wants.contains(root); })) {
      waiter.wants.insert(new_roots.begin(), new_roots.end());
    }
  }
  changed_.SignalAll();
}

}  // namespace cleave::edit
