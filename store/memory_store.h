// A store in the memory of this process: for tests, and for pieces that need no durability.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "store/store.h"

namespace cleave::store {

// The bytes behind one or more MemoryStores.
struct MemoryBytes {
  struct Value {
    std::string bytes;
    uint64_t generation = 0;
  };
  std::mutex mutex;
  std::map<std::string, Value, std::less<>> values;  // guarded by mutex
  uint64_t last_generation = 0;                      // guarded by mutex
};

// Durable as long as its MemoryBytes live. Batches are atomic.
class MemoryStore final : public Store {
 public:
  // A store with bytes of its own.
  MemoryStore();
  // A view of the keys of `bytes` that start with `prefix`; `name` is for Describe().
  MemoryStore(std::shared_ptr<MemoryBytes> bytes, std::string name, std::string prefix);

  using Store::Delete;
  using Store::Read;
  using Store::Write;
  [[nodiscard]] absl::StatusOr<ReadResult> Read(absl::string_view key, const ReadOptions& options) const override;
  [[nodiscard]] absl::StatusOr<Generation> Write(absl::string_view key, absl::string_view value,
                                                 const WriteOptions& options) override;
  [[nodiscard]] absl::Status Delete(absl::string_view key, const WriteOptions& options) override;
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> List(const KeyRange& range) const override;
  [[nodiscard]] absl::Status WriteBatch(std::span<const KeyedWrite> writes) override;
  [[nodiscard]] bool atomic_batches() const override { return true; }
  [[nodiscard]] std::string Describe(absl::string_view key) const override;
  // Empty: another process cannot see this memory.
  [[nodiscard]] std::string KvStoreSpec() const override { return {}; }

 private:
  [[nodiscard]] Generation GenerationLocked(const std::string& full_key) const;
  [[nodiscard]] Generation PutLocked(const std::string& full_key, absl::string_view value);

  std::shared_ptr<MemoryBytes> bytes_;
  std::string name_;
  std::string prefix_;
};

// The bytes that every "memory://NAME/" of this process shares; they live as long as the process.
[[nodiscard]] std::shared_ptr<MemoryBytes> SharedMemoryBytes(absl::string_view name);

}  // namespace cleave::store
