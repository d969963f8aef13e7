// Reads the newest manifest of a database and replaces it by a conditional write.
//
// Kind "single": one object, "manifest.ocdbt", replaced on the condition that it is still the one that was read.
// Kind "numbered", for stores that can create an object but not compare and swap: "manifest.ocdbt" holds the
// configuration alone, and generation G is the object "manifest." + 16 hex digits, created on the condition that it
// does not exist. The newest is the one with the highest number. Each holds all versions, so that old ones can be
// removed.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "ocdbt/manifest.h"
#include "store/store.h"

namespace cleave::ocdbt {

inline constexpr absl::string_view kManifestKey = "manifest.ocdbt";

// The key of a numbered manifest.
[[nodiscard]] std::string NumberedManifestKey(GenerationNumber generation);

// A manifest as it was read.
struct StoredManifest {
  Manifest manifest;                   // its config has the kind of the database
  std::string key;                     // the object it lies in
  store::Generation store_generation;  // that object's
};

// Thread-safe.
class ManifestStore {
 public:
  explicit ManifestStore(std::shared_ptr<store::Store> store) : store_(std::move(store)) {}

  // The newest manifest as of now. NOT_FOUND when there is none; DATA_LOSS naming the damaged object. Decodes it only
  // when it has changed since the last call.
  [[nodiscard]] absl::StatusOr<std::shared_ptr<const StoredManifest>> Read();

  // Writes the first manifest. ABORTED when there is one.
  [[nodiscard]] absl::Status Create(const Manifest& manifest);

  // Puts `next`, whose newest generation is one more, in the place of `current`. ABORTED when another writer was
  // faster; after ABORTED, too, the version may have been committed (a transport may send a request twice, and others
  // may have built on it already), so look whether the newest manifest has it. Any other error leaves it open.
  //
  // `make_durable` is called beside the preparation of the write, before anybody can see `next`: it brings to the disk
  // what `next` refers to. Its error is returned, and `next` is not written. It is not called when another writer was
  // seen to be faster.
  using MakeDurable = std::function<absl::Status()>;
  [[nodiscard]] absl::Status Replace(const StoredManifest& current, const Manifest& next,
                                     const MakeDurable& make_durable = nullptr);

  // Puts `next`, with the same newest generation, in the place of `current`. Whether the store can tell the two apart:
  // equal bytes may have equal generations. ABORTED when another writer was faster. REQUIRES: kind single.
  [[nodiscard]] absl::StatusOr<bool> Rewrite(const StoredManifest& current, const Manifest& next);

 private:
  [[nodiscard]] absl::StatusOr<std::shared_ptr<const StoredManifest>> ReadNumbered(const Config& config);
  [[nodiscard]] absl::StatusOr<std::shared_ptr<const StoredManifest>> Decode(const std::string& key,
                                                                             const store::ReadResult& read,
                                                                             const Config* numbered);
  [[nodiscard]] std::shared_ptr<const StoredManifest> Cached(const std::string& key,
                                                             const store::Generation& generation);
  void Remember(std::shared_ptr<const StoredManifest> manifest);
  [[nodiscard]] absl::StatusOr<store::Generation> WriteNumbered(const Manifest& manifest);
  [[nodiscard]] absl::StatusOr<store::Generation> WriteBeside(const std::string& key, const Manifest& manifest,
                                                              const store::WriteOptions& options,
                                                              const MakeDurable& make_durable);
  // Removes numbered manifests that are older than any reader can need. ABORTED when there is one newer than `written`:
  // a slow writer may have created an object that others had created, and removed as old, long before.
  [[nodiscard]] absl::Status SettleNumbered(GenerationNumber written);

  std::shared_ptr<store::Store> store_;
  std::mutex mutex_;
  std::shared_ptr<const StoredManifest> cached_;  // guarded by mutex_
};

}  // namespace cleave::ocdbt
