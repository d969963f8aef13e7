#include "store/faulty_store.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cleave::store {
namespace {

absl::Status Stopped() { return absl::UnavailableError("stopped by a planned fault"); }

}  // namespace

FaultyStore::FaultyStore(std::shared_ptr<Store> inner) : inner_(std::move(inner)) {}

void FaultyStore::Arm(const FaultPlan& plan) {
  const std::lock_guard lock(mutex_);
  plan_ = plan;
  effects_ = 0;
  fired_ = false;
  log_.clear();
}

void FaultyStore::ArmRead(int64_t read) {
  const std::lock_guard lock(mutex_);
  failing_read_ = reads_ + read;
}

void FaultyStore::SetHook(std::function<void(int64_t)> hook) {
  const std::lock_guard lock(mutex_);
  hook_ = std::move(hook);
}

void FaultyStore::Restart() {
  const std::lock_guard lock(mutex_);
  plan_.reset();
  failing_read_.reset();
  stopped_ = false;
  for (const KeyedWrite& write : undo_) {
    // The test's store works again from here on; that it cannot be restored would show as the lost write staying.
    (void)(write.value ? inner_->Write(write.key, *write.value).status() : inner_->Delete(write.key));
  }
  undo_.clear();
}

int64_t FaultyStore::effects() const {
  const std::lock_guard lock(mutex_);
  return effects_;
}

int64_t FaultyStore::reads() const {
  const std::lock_guard lock(mutex_);
  return reads_;
}

bool FaultyStore::fired() const {
  const std::lock_guard lock(mutex_);
  return fired_;
}

std::vector<std::string> FaultyStore::log() const {
  const std::lock_guard lock(mutex_);
  return log_;
}

absl::StatusOr<ReadResult> FaultyStore::Read(absl::string_view key, const ReadOptions& options) const {
  CLEAVE_RETURN_IF_ERROR(BeginRead());
  return inner_->Read(key, options);
}

absl::StatusOr<std::vector<std::string>> FaultyStore::List(const KeyRange& range) const {
  CLEAVE_RETURN_IF_ERROR(BeginRead());
  return inner_->List(range);
}

absl::StatusOr<Generation> FaultyStore::Write(absl::string_view key, absl::string_view value,
                                              const WriteOptions& options) {
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<Fault> fault, Begin(absl::StrCat("write ", key)));
  if (fault == Fault::kBefore || fault == Fault::kHalfBatch) {
    return Stopped();
  }
  if (fault == Fault::kLoseUnsynced) {
    RememberForUndo(std::vector<KeyedWrite>{{std::string(key), std::nullopt, std::nullopt}});
  }
  absl::StatusOr<Generation> answer = inner_->Write(key, value, options);
  if (fault == Fault::kTwice) {
    answer = inner_->Write(key, value, options);
  }
  return fault && fault != Fault::kTwice ? Stopped() : answer;
}

absl::Status FaultyStore::Delete(absl::string_view key, const WriteOptions& options) {
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<Fault> fault, Begin(absl::StrCat("delete ", key)));
  if (fault == Fault::kBefore || fault == Fault::kHalfBatch) {
    return Stopped();
  }
  if (fault == Fault::kLoseUnsynced) {
    RememberForUndo(std::vector<KeyedWrite>{{std::string(key), std::nullopt, std::nullopt}});
  }
  absl::Status answer = inner_->Delete(key, options);
  if (fault == Fault::kTwice) {
    answer = inner_->Delete(key, options);
  }
  return fault && fault != Fault::kTwice ? Stopped() : answer;
}

absl::Status FaultyStore::WriteBatch(std::span<const KeyedWrite> writes) {
  const std::string first = writes.empty() ? "" : writes.front().key;
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<Fault> fault,
                          Begin(absl::StrCat("batch of ", writes.size(), " from ", first)));
  return ApplyBatch(writes, fault);
}

absl::Status FaultyStore::ApplyBatch(std::span<const KeyedWrite> writes, std::optional<Fault> fault) {
  if (!fault) {
    return inner_->WriteBatch(writes);
  }
  switch (*fault) {
    case Fault::kBefore:
      break;
    case Fault::kTwice:
      (void)inner_->WriteBatch(writes);
      return inner_->WriteBatch(writes);
    case Fault::kHalfBatch:
      if (!inner_->atomic_batches()) {
        (void)inner_->WriteBatch(writes.first(writes.size() / 2));
      }
      break;
    case Fault::kLoseUnsynced:
      RememberForUndo(writes);
      (void)inner_->WriteBatch(writes);
      break;
    case Fault::kAfter:
      (void)inner_->WriteBatch(writes);
      break;
  }
  return Stopped();
}

absl::StatusOr<std::optional<Fault>> FaultyStore::Begin(std::string description) {
  std::function<void(int64_t)> hook;
  int64_t number = 0;
  std::optional<Fault> fault;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) {
      return Stopped();
    }
    number = effects_++;
    log_.push_back(std::move(description));
    if (plan_ && !fired_ && plan_->effect == number) {
      fault = plan_->fault;
      fired_ = true;
      stopped_ = plan_->stop && fault != Fault::kTwice;
    }
    hook = hook_;
  }
  if (hook) {
    hook(number);
  }
  return fault;
}

absl::Status FaultyStore::BeginRead() const {
  const std::lock_guard lock(mutex_);
  if (stopped_) {
    return Stopped();
  }
  if (failing_read_ == reads_++) {
    failing_read_.reset();
    return absl::UnavailableError("a read failed as planned");
  }
  return absl::OkStatus();
}

void FaultyStore::RememberForUndo(std::span<const KeyedWrite> writes) {
  const std::lock_guard lock(mutex_);
  for (const KeyedWrite& write : writes) {
    const absl::StatusOr<ReadResult> before = inner_->Read(write.key);
    if (before.ok()) {
      undo_.push_back({write.key, before->value, std::nullopt});
    }
  }
}

}  // namespace cleave::store
