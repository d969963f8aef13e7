// Bytes by key: the one interface through which every durable byte of a volume, an edge file or an intent passes.
//
//   CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<Store> store, OpenStore("file:///data/project/"));
//   CLEAVE_ASSIGN_OR_RETURN(const ReadResult read, store->Read("manifest.ocdbt"));
//   CLEAVE_RETURN_IF_ERROR(store->Write("manifest.ocdbt", bytes, {.if_generation = read.generation}).status());
//
// Keys are relative paths: components separated by '/', none of them empty, "." or "..", no NUL byte. Calls are
// synchronous and safe from several threads at once; parallelism is the caller's. A successful write or delete is as
// durable as the driver promises before the call returns, and later reads, by anyone, see it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave::store {

// Names one stored version of one key. Two generations can be compared for equality and nothing else. A key that does
// not exist has the generation Absent(). No driver ever gives one key the same generation for two different values.
class Generation {
 public:
  // A default-constructed generation is Absent().
  Generation() = default;
  explicit Generation(std::string bytes) : bytes_(std::move(bytes)) {}
  [[nodiscard]] static Generation Absent() { return {}; }
  [[nodiscard]] bool absent() const { return bytes_.empty(); }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  friend bool operator==(const Generation&, const Generation&) = default;

 private:
  std::string bytes_;
};

// Half-open range of bytes of a value. `end` beyond the value means up to its end.
struct ByteRange {
  uint64_t begin = 0;
  std::optional<uint64_t> end;
};

// First byte and number of bytes of a part of a value.
struct Extent {
  uint64_t offset = 0;
  uint64_t length = 0;
  friend bool operator==(const Extent&, const Extent&) = default;
};

// Half-open range of keys, ordered bytewise. An empty `end` means no upper bound.
struct KeyRange {
  std::string begin;
  std::string end;
  // All keys that start with `prefix`.
  [[nodiscard]] static KeyRange Prefix(absl::string_view prefix);
  [[nodiscard]] bool Contains(absl::string_view key) const;
};

struct ReadOptions {
  ByteRange range;
};

// `value` is empty (nullopt) when the key does not exist; that is not an error.
struct ReadResult {
  std::optional<std::string> value;
  Generation generation;
};

struct WriteOptions {
  // When given, the write happens only if the key's generation is this one; else ABORTED and nothing is changed.
  std::optional<Generation> if_generation;
};

// One write of several that belong together; no `value` deletes the key.
struct KeyedWrite {
  std::string key;
  std::optional<std::string> value;
  std::optional<Generation> if_generation;
};

// A value in the making, under a name that nobody looks for before it is finished. Without Finish() it is given up and
// leaves nothing. Not thread-safe.
class NewValue {
 public:
  NewValue() = default;
  NewValue(const NewValue&) = delete;
  NewValue& operator=(const NewValue&) = delete;
  virtual ~NewValue() = default;
  [[nodiscard]] virtual absl::Status Append(absl::string_view bytes) = 0;
  // Forgets all but the first `bytes` bytes. REQUIRES: so many were appended.
  [[nodiscard]] virtual absl::Status Truncate(uint64_t bytes) = 0;
  // Once it returns OK, the value is as durable as a written one. An error leaves open whether it is there.
  [[nodiscard]] virtual absl::Status Finish() = 0;
};

// A write that was begun. A driver with locks holds the key's: the condition holds until it is finished or given up.
class BegunWrite {
 public:
  BegunWrite() = default;
  BegunWrite(const BegunWrite&) = delete;
  BegunWrite& operator=(const BegunWrite&) = delete;
  virtual ~BegunWrite() = default;
  // Does ahead what takes long and nobody can see. Other work, by other threads, may go on beside it.
  [[nodiscard]] virtual absl::Status Prepare() = 0;
  // The rest of Store::Write, with its answer.
  [[nodiscard]] virtual absl::StatusOr<Generation> Finish() = 0;
};

class Store {
 public:
  Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  virtual ~Store() = default;

  // Reads a value or a part of it. A range that begins beyond the value is OUT_OF_RANGE.
  [[nodiscard]] virtual absl::StatusOr<ReadResult> Read(absl::string_view key, const ReadOptions& options) const = 0;
  [[nodiscard]] absl::StatusOr<ReadResult> Read(absl::string_view key) const { return Read(key, {}); }

  // Several parts of one value, in the order of `parts`; nothing when the key does not exist. Parts that lie near each
  // other come with one request. OUT_OF_RANGE when one reaches beyond the end of the value. For values that nobody
  // replaces: two parts may be of two versions otherwise.
  [[nodiscard]] virtual absl::StatusOr<std::optional<std::vector<std::string>>> ReadParts(
      absl::string_view key, std::span<const Extent> parts) const;
  // The values of several keys, in the order of `keys`; no value where the key does not exist.
  [[nodiscard]] virtual absl::StatusOr<std::vector<std::optional<std::string>>> ReadMany(
      std::span<const std::string> keys) const;

  // Replaces the value whole: no reader ever sees a part. Returns the new generation.
  [[nodiscard]] virtual absl::StatusOr<Generation> Write(absl::string_view key, absl::string_view value,
                                                         const WriteOptions& options) = 0;
  [[nodiscard]] absl::StatusOr<Generation> Write(absl::string_view key, absl::string_view value) {
    return Write(key, value, {});
  }

  // Begins a value of a key that does not exist. A driver may write it piece by piece; the default keeps it in memory.
  [[nodiscard]] virtual absl::StatusOr<std::unique_ptr<NewValue>> WriteNew(absl::string_view key);
  // Begins a write; errors as Write, though a driver may find some of them only in Finish(). The store and `value` must
  // outlive what is returned.
  [[nodiscard]] virtual absl::StatusOr<std::unique_ptr<BegunWrite>> BeginWrite(absl::string_view key,
                                                                               absl::string_view value,
                                                                               const WriteOptions& options);

  // Removes a key. Removing a key that does not exist succeeds (unless the condition says otherwise).
  [[nodiscard]] virtual absl::Status Delete(absl::string_view key, const WriteOptions& options) = 0;
  [[nodiscard]] absl::Status Delete(absl::string_view key) { return Delete(key, {}); }

  // The keys in `range`, in bytewise order.
  [[nodiscard]] virtual absl::StatusOr<std::vector<std::string>> List(const KeyRange& range) const = 0;

  // Applies all writes, in order. Where `atomic_batches()`, all or none of them, and a failed condition of one
  // (ABORTED) leaves all undone; elsewhere the first error ends it, and the writes before it stay.
  [[nodiscard]] virtual absl::Status WriteBatch(std::span<const KeyedWrite> writes);
  [[nodiscard]] virtual bool atomic_batches() const { return false; }

  // Names an object for error messages, such as "file:///data/project/manifest.ocdbt". Not to be parsed.
  [[nodiscard]] virtual std::string Describe(absl::string_view key) const = 0;

  // This store as a TensorStore kvstore specification, compact JSON text; empty where TensorStore cannot open it.
  [[nodiscard]] virtual std::string KvStoreSpec() const = 0;
};

// INVALID_ARGUMENT unless `key` has the form described at the top of this file.
[[nodiscard]] absl::Status ValidateKey(absl::string_view key);

// Opens "file:///absolute/folder/" or "memory://NAME/" (equal names share their bytes within the process; the name is
// for tests). The folder need not exist; the first write makes it.
[[nodiscard]] absl::StatusOr<std::unique_ptr<Store>> OpenStore(absl::string_view url);

}  // namespace cleave::store
