// A store as it would be if a plan's writes had been made: the reader of voxels before they are written.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "store/store.h"

namespace cleave::edit {

// Reads see the planned writes over `base`; nothing is ever written to `base`. A key planned twice keeps the condition
// of its first write and the value of its last. Thread-safe for readers; Plan must not run beside them.
class OverlayStore final : public store::Store {
 public:
  explicit OverlayStore(const store::Store& base) : base_(base) {}

  void Plan(store::KeyedWrite write);
  // The planned writes, by key. The overlay is empty afterwards.
  [[nodiscard]] std::vector<store::KeyedWrite> Take();

  using Store::Read;
  [[nodiscard]] absl::StatusOr<store::ReadResult> Read(absl::string_view key,
                                                       const store::ReadOptions& options) const override;
  [[nodiscard]] absl::StatusOr<store::Generation> Write(absl::string_view key, absl::string_view value,
                                                        const store::WriteOptions& options) override;
  [[nodiscard]] absl::Status Delete(absl::string_view key, const store::WriteOptions& options) override;
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> List(const store::KeyRange& range) const override;
  [[nodiscard]] std::string Describe(absl::string_view key) const override { return base_.Describe(key); }
  [[nodiscard]] std::string KvStoreSpec() const override { return {}; }

 private:
  const store::Store& base_;
  std::map<std::string, store::KeyedWrite, std::less<>> planned_;
};

}  // namespace cleave::edit
