// Every effect of a dataset, numbered: each write to its table and to its stores passes a gate, which may let it pass,
// hold its thread, or have it go wrong. Not for product code.
//
//   EffectGate gate;
//   auto dataset = graph::Dataset::Open(folder, Through(gate));
//   gate.SetHook([&](const Effect& effect) { return effect.number == 7 ? Way::kUnanswered : Way::kDone; });
//
// An effect is one Apply, ApplyIf, ApplyIfEach or Increment of the table, or one Write, Delete or WriteBatch of a
// store. Reads are no effects, but fail while the process is said to be dead. The gate must outlive the dataset.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "graph/dataset.h"
#include "store/store.h"
#include "table/table.h"

namespace cleave::edit {

// What happens to an effect. Its caller gets UNAVAILABLE, but for kDone and kTwice.
enum class Way {
  kDone,
  kBefore,      // it does not happen
  kUnanswered,  // it happens
  kHalf,        // the first half of its rows, in their order, as on a table without atomic batches
  kTwice,       // it happens twice, as by a transport that tries again; the caller gets the second answer
};

struct Effect {
  int number = 0;  // from 0, since the hook was set
  std::string what;
  size_t parts = 1;  // rows
};

class EffectGate {
 public:
  using Hook = std::function<Way(const Effect&)>;

  // Called before every effect, on its thread; counting starts anew. nullptr: everything is done.
  void SetHook(Hook hook) {
    const std::lock_guard lock(mutex_);
    hook_ = std::move(hook);
    effects_.clear();
  }
  // Called after every effect that happened, on its thread.
  void SetAfterHook(std::function<void(const Effect&)> hook) {
    const std::lock_guard lock(mutex_);
    after_ = std::move(hook);
  }
  // From now on every call fails, as if the process were dead.
  void Kill() {
    const std::lock_guard lock(mutex_);
    dead_ = true;
  }
  [[nodiscard]] bool dead() const {
    const std::lock_guard lock(mutex_);
    return dead_;
  }
  // Since the hook was set.
  [[nodiscard]] std::vector<Effect> effects() const {
    const std::lock_guard lock(mutex_);
    return effects_;
  }

  // Runs `act` and `half` as the hook wishes, and returns what the caller is told.
  template <typename Act, typename Half>
  auto Pass(std::string what, size_t parts, Act act, Half half) -> decltype(act()) {
    Hook hook;
    std::function<void(const Effect&)> after;
    Effect effect;
    {
      const std::lock_guard lock(mutex_);
      if (dead_) {
        return Stopped();
      }
      effect = {static_cast<int>(effects_.size()), std::move(what), parts};
      effects_.push_back(effect);
      hook = hook_;
      after = after_;
    }
    const Way way = hook ? hook(effect) : Way::kDone;
    if (way == Way::kBefore) {
      return Stopped();
    }
    if (way == Way::kHalf) {
      half();
      return Stopped();
    }
    auto answer = act();
    if (way == Way::kTwice) {
      answer = act();
    }
    if (after) {
      after(effect);
    }
    return way == Way::kUnanswered ? decltype(answer)(Stopped()) : std::move(answer);
  }
  [[nodiscard]] absl::Status Alive() const { return dead() ? Stopped() : absl::OkStatus(); }

 private:
  static absl::Status Stopped() { return absl::UnavailableError("stopped by a test"); }

  mutable std::mutex mutex_;
  Hook hook_;
  std::function<void(const Effect&)> after_;
  std::vector<Effect> effects_;
  bool dead_ = false;
};

class GatedTable final : public table::Table {
 public:
  GatedTable(table::Table& inner, EffectGate& gate) : inner_(inner), gate_(gate) {
    if (&inner.ordered() != &inner) {
      ordered_ = std::make_unique<GatedTable>(inner.ordered(), gate);
    }
  }

  absl::StatusOr<std::vector<table::Row>> ReadRows(std::span<const std::string> keys,
                                                   const table::Filter& filter) const override {
    CLEAVE_RETURN_IF_ERROR(gate_.Alive());
    return inner_.ReadRows(keys, filter);
  }
  absl::StatusOr<std::vector<table::Row>> ReadRange(const table::RowRange& range, const table::Filter& filter,
                                                    int64_t limit) const override {
    CLEAVE_RETURN_IF_ERROR(gate_.Alive());
    return inner_.ReadRange(range, filter, limit);
  }
  absl::Status VisitNewest(std::span<const std::string> keys, const table::Column& column, absl::Time until,
                           table::CellVisitor visit) const override {
    CLEAVE_RETURN_IF_ERROR(gate_.Alive());
    return inner_.VisitNewest(keys, column, until, visit);
  }
  bool atomic_batches() const override { return inner_.atomic_batches(); }

  absl::Status Apply(std::span<const table::RowMutation> mutations) override {
    const std::string what = mutations.empty() ? "apply nothing" : absl::StrCat("apply from ", mutations.front().key);
    return gate_.Pass(
        what, mutations.size(), [&] { return inner_.Apply(mutations); },
        [&] { inner_.Apply(mutations.first(mutations.size() / 2)).IgnoreError(); });
  }
  absl::StatusOr<bool> ApplyIf(absl::string_view key, std::span<const table::CellMatch> predicate,
                               std::span<const table::Change> if_matched,
                               std::span<const table::Change> if_not_matched) override {
    return gate_.Pass(
        absl::StrCat("apply if ", key), 1, [&] { return inner_.ApplyIf(key, predicate, if_matched, if_not_matched); },
        [] {});
  }
  absl::StatusOr<std::vector<bool>> ApplyIfEach(std::span<const table::ConditionalMutation> mutations) override {
    const std::string what = mutations.empty() ? "nothing" : absl::StrCat("apply if from ", mutations.front().key);
    return gate_.Pass(
        what, mutations.size(), [&] { return inner_.ApplyIfEach(mutations); },
        [&] { inner_.ApplyIfEach(mutations.first(mutations.size() / 2)).IgnoreError(); });
  }
  absl::StatusOr<int64_t> Increment(absl::string_view key, const table::Column& column, int64_t delta) override {
    return gate_.Pass(
        absl::StrCat("increment ", key), 1, [&] { return inner_.Increment(key, column, delta); }, [] {});
  }
  table::Table& ordered() override { return ordered_ != nullptr ? *ordered_ : *this; }

 private:
  table::Table& inner_;
  EffectGate& gate_;
  std::unique_ptr<GatedTable> ordered_;
};

class GatedStore final : public store::Store {
 public:
  GatedStore(std::string name, std::shared_ptr<store::Store> inner, EffectGate& gate)
      : name_(std::move(name)), inner_(std::move(inner)), gate_(gate) {}

  using store::Store::Delete;
  using store::Store::Read;
  using store::Store::Write;
  absl::StatusOr<store::ReadResult> Read(absl::string_view key, const store::ReadOptions& options) const override {
    CLEAVE_RETURN_IF_ERROR(gate_.Alive());
    return inner_->Read(key, options);
  }
  absl::StatusOr<std::vector<std::string>> List(const store::KeyRange& range) const override {
    CLEAVE_RETURN_IF_ERROR(gate_.Alive());
    return inner_->List(range);
  }
  absl::StatusOr<store::Generation> Write(absl::string_view key, absl::string_view value,
                                          const store::WriteOptions& options) override {
    return gate_.Pass(
        absl::StrCat("write ", name_, "/", key), 1, [&] { return inner_->Write(key, value, options); }, [] {});
  }
  absl::Status Delete(absl::string_view key, const store::WriteOptions& options) override {
    return gate_.Pass(
        absl::StrCat("delete ", name_, "/", key), 1, [&] { return inner_->Delete(key, options); }, [] {});
  }
  absl::Status WriteBatch(std::span<const store::KeyedWrite> writes) override {
    return gate_.Pass(
        absl::StrCat("write many to ", name_), writes.size(), [&] { return inner_->WriteBatch(writes); },
        [&] { inner_->WriteBatch(writes.first(writes.size() / 2)).IgnoreError(); });
  }
  bool atomic_batches() const override { return inner_->atomic_batches(); }
  std::string Describe(absl::string_view key) const override { return inner_->Describe(key); }
  std::string KvStoreSpec() const override { return inner_->KvStoreSpec(); }

 private:
  const std::string name_;
  const std::shared_ptr<store::Store> inner_;
  EffectGate& gate_;
};

inline graph::DatasetSeams Through(EffectGate& gate) {
  return {
      .table = [&gate](table::Table& table) { return std::make_unique<GatedTable>(table, gate); },
      .store = [&gate](absl::string_view name, std::shared_ptr<store::Store> store) -> std::shared_ptr<store::Store> {
        if (name == "voxels" || name == "edges") {
          return store;  // read only
        }
        return std::make_shared<GatedStore>(std::string(name), std::move(store), gate);
      }};
}

}  // namespace cleave::edit
