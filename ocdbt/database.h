// A versioned key-value database over a store, in TensorStore's OCDBT format: each opens what the other wrote.
//
//   CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Database> database, Database::Open(store, {}));
//   WriteBatch batch;
//   batch.Put("a", "1");
//   batch.Put("b", "2", read.generation);              // only if "b" is still what was read
//   CLEAVE_ASSIGN_OR_RETURN(const CommitResult committed, database->Commit(batch));
//   CLEAVE_ASSIGN_OR_RETURN(const Snapshot then, database->At(committed.generation));
//
// Every commit that changes something is a new version, and every version stays readable: a commit writes new nodes
// from the changed leaves up to a new root, makes them durable, and then replaces the manifest by a conditional write.
// Any number of processes, Cleave's and TensorStore's, may write one database.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "ocdbt/config.h"
#include "ocdbt/open_options.h"
#include "ocdbt/seal.h"
#include "ocdbt/snapshot.h"
#include "ocdbt/version.h"
#include "ocdbt/write_batch.h"
#include "store/store.h"

namespace cleave::ocdbt {

// Selects versions of a list. Both bounds are inclusive.
struct VersionRange {
  GenerationNumber first{1};
  GenerationNumber last = kMaxGenerationNumber;
};

// Thread-safe. Threads that commit at the same time join one version: the first leads, and commits for those who came
// meanwhile.
class Database {
 public:
  // Makes an empty database, with generation 1. FAILED_PRECONDITION when the store holds one already.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Database>> Create(std::shared_ptr<store::Store> store,
                                                                        const Config& config,
                                                                        const OpenOptions& options = {});
  // NOT_FOUND when there is no database, or no such version. FAILED_PRECONDITION when `options.config` differs from the
  // stored configuration, or the database is sealed and the handle is not read-only.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Database>> Open(std::shared_ptr<store::Store> store,
                                                                      const OpenOptions& options = {});
  ~Database();

  // The newest version, as of now, also when another process committed it; of a pinned handle the pinned one.
  [[nodiscard]] absl::StatusOr<Snapshot> Newest() const;
  // NOT_FOUND when there is no such version.
  [[nodiscard]] absl::StatusOr<Snapshot> At(const VersionSpec& spec) const;
  [[nodiscard]] absl::StatusOr<Snapshot> At(GenerationNumber generation) const { return At(VersionSpec(generation)); }
  // A version that is known from elsewhere: from a tag, or a pin. Whether it is there shows when it is read.
  [[nodiscard]] Snapshot Show(const Version& version) const;
  // In order of generation. An empty database has one version without keys.
  [[nodiscard]] absl::StatusOr<std::vector<Version>> ListVersions(const VersionRange& range = {}) const;

  // Applies all of the batch in one version, or nothing. ABORTED, naming the key, when a condition is not met;
  // INVALID_ARGUMENT when a key is longer than kMaxKeyBytes or the handle is read-only; UNAVAILABLE when other writers
  // kept winning, or when the store failed in a way that leaves open whether the commit took effect (the message says
  // which). When it returns OK, all is durable.
  [[nodiscard]] absl::StatusOr<CommitResult> Commit(const WriteBatch& batch);

  [[nodiscard]] const Config& config() const;
  [[nodiscard]] const OpenOptions& options() const;
  [[nodiscard]] bool read_only() const;
  [[nodiscard]] const std::shared_ptr<store::Store>& store() const;
  // "file:///folder/manifest.ocdbt", for messages.
  [[nodiscard]] std::string Describe() const;
  // TensorStore's kvstore specification, JSON text; empty where TensorStore cannot open the store. Without "config", so
  // that what is on disk decides; with "version" for a pinned handle.
  [[nodiscard]] std::string KvStoreSpec() const;

 private:
  friend class BulkWriter;
  friend class Fill;
  friend class Compaction;
  struct State;
  explicit Database(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace cleave::ocdbt
