// One store made of ranges of keys of several others, as TensorStore's `kvstack` driver is.
//
// Each layer covers a range of keys and sends them, with leading bytes removed and a path put in front, to its own
// store. Where ranges overlap the later layer wins, and keys of the earlier one are then invisible: layers are never
// merged. Generations, conditions and errors pass straight through.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/store.h"

namespace cleave::store {

// One layer. Key K of the stack is key `path + K.substr(strip_prefix)` of `store`.
struct StackLayer {
  std::shared_ptr<Store> store;
  std::string path;
  KeyRange range;
  size_t strip_prefix = 0;
  // False leaves the layer out of KvStoreSpec(): it holds keys that TensorStore does not know of.
  bool in_specification = true;

  // All keys, unchanged.
  [[nodiscard]] static StackLayer Everything(std::shared_ptr<Store> store);
  // The one key `key`, found as `path` in `store`.
  [[nodiscard]] static StackLayer Exact(absl::string_view key, std::shared_ptr<Store> store, absl::string_view path);
  // The keys that start with `prefix`; `path` stands in the place of the prefix.
  [[nodiscard]] static StackLayer Prefix(absl::string_view prefix, std::shared_ptr<Store> store,
                                         absl::string_view path);
};

class StackStore final : public Store {
 public:
  // INVALID_ARGUMENT when a layer strips more than the bytes all keys of its range share, or its range is reversed.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<StackStore>> Create(std::vector<StackLayer> layers);

  using Store::Delete;
  using Store::Read;
  using Store::Write;
  // A key that no layer covers does not exist.
  [[nodiscard]] absl::StatusOr<ReadResult> Read(absl::string_view key, const ReadOptions& options) const override;
  [[nodiscard]] absl::StatusOr<std::optional<std::vector<std::string>>> ReadParts(
      absl::string_view key, std::span<const Extent> parts) const override;
  // INVALID_ARGUMENT for a key that no layer covers.
  [[nodiscard]] absl::StatusOr<Generation> Write(absl::string_view key, absl::string_view value,
                                                 const WriteOptions& options) override;
  [[nodiscard]] absl::StatusOr<std::unique_ptr<NewValue>> WriteNew(absl::string_view key) override;
  [[nodiscard]] absl::StatusOr<std::unique_ptr<BegunWrite>> BeginWrite(absl::string_view key, absl::string_view value,
                                                                       const WriteOptions& options) override;
  [[nodiscard]] absl::Status Delete(absl::string_view key, const WriteOptions& options) override;
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> List(const KeyRange& range) const override;
  // Names the object in the layer that holds it.
  [[nodiscard]] std::string Describe(absl::string_view key) const override;
  // {"driver":"kvstack","layers":[...]}; empty when TensorStore cannot open one of the layers.
  [[nodiscard]] std::string KvStoreSpec() const override;

 private:
  // A range in which one layer is the topmost.
  struct Piece {
    KeyRange range;
    size_t layer = 0;
  };
  explicit StackStore(std::vector<StackLayer> layers);
  [[nodiscard]] const StackLayer* FindLayer(absl::string_view key) const;
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> ListPiece(const Piece& piece, const KeyRange& range) const;

  std::vector<StackLayer> layers_;
  std::vector<Piece> pieces_;  // disjoint, in key order
};

}  // namespace cleave::store
