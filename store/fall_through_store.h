// A store over a read-only one: what was never written here is read from the original below.
//
//   auto volume = FallThroughStore::Create(fork, original, KeyRange::Prefix("8_8_40/"));
//
// A key of `range` that `top` does not have is read from `bottom`; every other key is `top`'s alone. This is what
// TensorStore's kvstack does not do: there a layer hides its range of the layers below, whether or not it has the key.
//
// Nothing is ever written to `bottom`, and it must not change: then a key that only `bottom` has, has one value, and
// the generation Absent() stands for it. A write on that condition is the first one, as anywhere else.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "store/store.h"

namespace cleave::store {

// As safe as its two stores from several threads at once.
class FallThroughStore final : public Store {
 public:
  FallThroughStore(std::shared_ptr<Store> top, std::shared_ptr<const Store> bottom, KeyRange range)
      : top_(std::move(top)), bottom_(std::move(bottom)), range_(std::move(range)) {}

  using Store::Delete;
  using Store::Read;
  using Store::Write;
  [[nodiscard]] absl::StatusOr<ReadResult> Read(absl::string_view key, const ReadOptions& options) const override;
  [[nodiscard]] absl::StatusOr<std::optional<std::vector<std::string>>> ReadParts(
      absl::string_view key, std::span<const Extent> parts) const override;
  [[nodiscard]] absl::StatusOr<std::vector<std::optional<std::string>>> ReadMany(
      std::span<const std::string> keys) const override;
  [[nodiscard]] absl::StatusOr<Generation> Write(absl::string_view key, absl::string_view value,
                                                 const WriteOptions& options) override;
  [[nodiscard]] absl::StatusOr<std::unique_ptr<NewValue>> WriteNew(absl::string_view key) override;
  [[nodiscard]] absl::StatusOr<std::unique_ptr<BegunWrite>> BeginWrite(absl::string_view key, absl::string_view value,
                                                                       const WriteOptions& options) override;
  // FAILED_PRECONDITION for a key that `bottom` has, here and in a batch: it would show again. Write a value that says
  // that there is nothing (for a chunk of voxels: background) instead.
  [[nodiscard]] absl::Status Delete(absl::string_view key, const WriteOptions& options) override;
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> List(const KeyRange& range) const override;
  [[nodiscard]] absl::Status WriteBatch(std::span<const KeyedWrite> writes) override;
  [[nodiscard]] bool atomic_batches() const override { return top_->atomic_batches(); }
  // Names the object in the store that has it.
  [[nodiscard]] std::string Describe(absl::string_view key) const override;
  // A kvstack that shows what this store shows now: `bottom`, over it one layer for each key of `range` that `top` has
  // now. Keys that are written first later are not in it, so give a `top` that does not change. Empty where TensorStore
  // cannot open one of the two, or `top` has more than kSpecKeysMax keys.
  [[nodiscard]] std::string KvStoreSpec() const override;
  static constexpr size_t kSpecKeysMax = 1000;

  [[nodiscard]] const Store& top() const { return *top_; }
  [[nodiscard]] const Store& bottom() const { return *bottom_; }

 private:
  [[nodiscard]] absl::Status CheckDelete(absl::string_view key) const;

  const std::shared_ptr<Store> top_;
  const std::shared_ptr<const Store> bottom_;
  const KeyRange range_;
};

}  // namespace cleave::store
