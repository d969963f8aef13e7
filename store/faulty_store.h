// A store for tests: it counts every effect on the store behind it, and goes wrong at a chosen one.
//
//   FaultyStore store(inner);
//   RunTheWork(store);                              // once, to learn how many effects there are
//   for (int64_t n = 0; n < store.effects(); ++n) {
//     FaultyStore stopped(fresh_inner);
//     stopped.Arm({.effect = n, .fault = Fault::kAfter});
//     RunTheWork(stopped);                          // fails; everything after the fault fails too
//     stopped.Restart();                            // as a new process would find the store
//     CheckThatNothingIsBroken(stopped);
//   }
//
// An effect is one Write, Delete or WriteBatch call. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "store/store.h"

namespace cleave::store {

// What happens at the chosen effect. The caller gets UNAVAILABLE, except for kTwice.
enum class Fault {
  kBefore,        // it does not happen
  kAfter,         // it happens, unanswered
  kHalfBatch,     // the first half of a batch happens (none of an atomic one, or of a single write)
  kTwice,         // it happens and, as by a transport that tries again, once more; the caller gets the second answer
  kLoseUnsynced,  // it happens and is seen by all, but is gone after Restart(): it was not synced yet
};

struct FaultPlan {
  int64_t effect = 0;  // counted from 0
  Fault fault = Fault::kBefore;
  // True: the process is dead from here on; every call, reads too, is UNAVAILABLE until Restart(). Does not apply to
  // kTwice. False: only this one call fails.
  bool stop = true;
};

class FaultyStore final : public Store {
 public:
  explicit FaultyStore(std::shared_ptr<Store> inner);

  // Plans one fault; counting starts anew at 0.
  void Arm(const FaultPlan& plan);
  // Plans that read number `read` (from 0, counted from now) is UNAVAILABLE, once.
  void ArmRead(int64_t read);
  // Calls `hook` just before every effect takes place, with its number; for races planned by a test. nullptr removes.
  void SetHook(std::function<void(int64_t effect)> hook);
  // Ends the outage, drops what was not synced and forgets the plan.
  void Restart();

  [[nodiscard]] int64_t effects() const;
  [[nodiscard]] int64_t reads() const;
  // True once the planned fault has happened.
  [[nodiscard]] bool fired() const;
  // "write KEY", "delete KEY" or "batch of N from KEY", in order, since the last Arm().
  [[nodiscard]] std::vector<std::string> log() const;

  using Store::Delete;
  using Store::Read;
  using Store::Write;
  [[nodiscard]] absl::StatusOr<ReadResult> Read(absl::string_view key, const ReadOptions& options) const override;
  [[nodiscard]] absl::StatusOr<Generation> Write(absl::string_view key, absl::string_view value,
                                                 const WriteOptions& options) override;
  [[nodiscard]] absl::Status Delete(absl::string_view key, const WriteOptions& options) override;
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> List(const KeyRange& range) const override;
  [[nodiscard]] absl::Status WriteBatch(std::span<const KeyedWrite> writes) override;
  [[nodiscard]] bool atomic_batches() const override { return inner_->atomic_batches(); }
  [[nodiscard]] std::string Describe(absl::string_view key) const override { return inner_->Describe(key); }
  [[nodiscard]] std::string KvStoreSpec() const override { return inner_->KvStoreSpec(); }

 private:
  // Counts the effect and says what is to go wrong with it; UNAVAILABLE while stopped.
  [[nodiscard]] absl::StatusOr<std::optional<Fault>> Begin(std::string description);
  [[nodiscard]] absl::Status BeginRead() const;
  // Applies `writes` in the way `fault` says. Returns what the caller is told.
  [[nodiscard]] absl::Status ApplyBatch(std::span<const KeyedWrite> writes, std::optional<Fault> fault);
  void RememberForUndo(std::span<const KeyedWrite> writes);

  const std::shared_ptr<Store> inner_;
  mutable std::mutex mutex_;
  // All below are guarded by mutex_.
  std::optional<FaultPlan> plan_;
  mutable std::optional<int64_t> failing_read_;
  std::function<void(int64_t)> hook_;
  int64_t effects_ = 0;
  mutable int64_t reads_ = 0;
  bool stopped_ = false;
  bool fired_ = false;
  std::vector<std::string> log_;
  std::vector<KeyedWrite> undo_;
};

}  // namespace cleave::store
