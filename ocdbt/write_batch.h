// Changes that become visible together or not at all.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"

#include "store/store.h"

namespace cleave::ocdbt {

// Operations, applied in the order in which they were added: a condition sees the effect of those before it.
class WriteBatch {
 public:
  // The key must have this generation; nothing changes.
  struct Requirement {
    std::string key;
    store::Generation generation;
  };
  using Operation = std::variant<store::KeyedWrite, store::KeyRange, Requirement>;

  // When `if_generation` is given and the key's generation is another, the whole batch is refused.
  void Put(absl::string_view key, std::string value, std::optional<store::Generation> if_generation = {}) {
    operations_.emplace_back(store::KeyedWrite{std::string(key), std::move(value), std::move(if_generation)});
  }
  void Delete(absl::string_view key, std::optional<store::Generation> if_generation = {}) {
    operations_.emplace_back(store::KeyedWrite{std::string(key), std::nullopt, std::move(if_generation)});
  }
  void DeleteRange(store::KeyRange range) { operations_.emplace_back(std::move(range)); }
  // Refuses the whole batch when the key's generation is another.
  void Require(absl::string_view key, store::Generation generation) {
    operations_.emplace_back(Requirement{std::string(key), std::move(generation)});
  }

  [[nodiscard]] const std::vector<Operation>& operations() const { return operations_; }

 private:
  std::vector<Operation> operations_;
};

}  // namespace cleave::ocdbt
