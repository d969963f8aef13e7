#include "edit/recoverer.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"

#include "base/status.h"
#include "edit/operation_log.h"

namespace cleave::edit {

Recoverer::Recoverer(graph::Dataset& dataset, Clock& clock, absl::Duration expiry, absl::Duration period)
    : dataset_(dataset), clock_(clock), expiry_(expiry), period_(period) {
  if (period > absl::ZeroDuration()) {
    thread_ = std::thread([this] { Loop(); });
  }
}

Recoverer::~Recoverer() {
  {
    const absl::MutexLock lock(&mutex_);
    stopped_ = true;
    stop_changed_.SignalAll();
  }
  if (thread_.joinable()) {
    thread_.join();
  }
}

Recoverer::Run::Run(Recoverer& recoverer, graph::OperationId operation) : recoverer_(recoverer), operation_(operation) {
  const absl::MutexLock lock(&recoverer_.mutex_);
  recoverer_.running_.insert(operation_);
}

Recoverer::Run::~Run() {
  const absl::MutexLock lock(&recoverer_.mutex_);
  recoverer_.running_.erase(operation_);
  if (!finished_) {
    recoverer_.left_.insert(operation_);
  }
}

void Recoverer::Note(RecoveredOperation operation) {
  const absl::MutexLock lock(&mutex_);
  if (!operation.problem.ok()) {
    problems_[operation.id] = operation.problem;
    return;
  }
  problems_.erase(operation.id);
  left_.erase(operation.id);
  recovered_.push_back(std::move(operation));
}

absl::Status Recoverer::RecoverAll() {
  const absl::MutexLock pass(&pass_mutex_);
  CLEAVE_ASSIGN_OR_RETURN(std::vector<RecoveredOperation> operations, RecoverOperations(dataset_, clock_));
  for (RecoveredOperation& operation : operations) {
    Note(std::move(operation));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Recoverer::MayRecover(const InFlight& operation) {
  {
    const absl::MutexLock lock(&mutex_);
    if (running_.contains(operation.id)) {
      return false;
    }
    if (left_.contains(operation.id)) {
      return true;
    }
  }
  return IsSilent(dataset_.table(), clock_.Now(), expiry_, operation);
}

absl::StatusOr<int> Recoverer::RecoverSilent() {
  const absl::MutexLock pass(&pass_mutex_);
  std::set<graph::OperationId> left;
  {
    const absl::MutexLock lock(&mutex_);
    left = left_;
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<InFlight> operations, OperationLog(dataset_.table()).ListInFlight());
  int finished = 0;
  for (const InFlight& operation : OrderForRecovery(dataset_.table(), operations)) {
    CLEAVE_ASSIGN_OR_RETURN(const bool may, MayRecover(operation));
    if (!may) {
      continue;
    }
    absl::StatusOr<RecoveredOperation> recovered = RecoverOperation(dataset_, clock_, operation);
    finished += recovered.ok() ? 1 : 0;
    Note(recovered.ok() ? *std::move(recovered) : RecoveredOperation{operation.id, false, recovered.status()});
  }
  ForgetLeft(left, operations);
  return finished;
}

// Most of what ran here has cleaned up after itself: it is in flight no more.
void Recoverer::ForgetLeft(const std::set<graph::OperationId>& known, const std::vector<InFlight>& in_flight) {
  const absl::MutexLock lock(&mutex_);
  for (const graph::OperationId id : known) {
    if (std::ranges::none_of(in_flight, [&](const InFlight& operation) { return operation.id == id; })) {
      left_.erase(id);
    }
  }
}

std::vector<RecoveredOperation> Recoverer::recovered() const {
  const absl::MutexLock lock(&mutex_);
  std::vector<RecoveredOperation> all = recovered_;
  for (const auto& [id, problem] : problems_) {
    all.push_back({id, false, problem});
  }
  return all;
}

void Recoverer::Loop() {
  absl::Time due = absl::Now() + period_;
  while (true) {
    {
      const absl::MutexLock lock(&mutex_);
      while (!stopped_ && absl::Now() < due) {
        stop_changed_.WaitWithDeadline(&mutex_, due);
      }
      if (stopped_) {
        return;
      }
    }
    RecoverSilent().IgnoreError();  // a table that does not answer now is asked again
    due = absl::Now() + period_;
  }
}

}  // namespace cleave::edit
