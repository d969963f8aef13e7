// Commits batches as new versions. Threads of one process join one commit; processes meet at the manifest.
//
// Method: 1. A thread puts its batch into a queue. If no thread leads, it becomes the leader and takes the whole queue;
// otherwise it waits until its batch is done or the lead is free.
// 2. The leader reads the newest manifest and stages the batches in order. A batch whose condition does not hold, after
// the batches before it, is refused as a whole. Values longer than the inline limit are appended to a data file, once.
// 3. It applies the staged changes to the tree (tree_writer.h). If they change nothing, all is done.
// 4. It appends the version (version_tree.h), and begins to replace the manifest on the condition that it is the one of
// step 2: where the store has locks, that is now known to hold. Data files and the new manifest's bytes are then made
// durable side by side.
// 5. Only then the new manifest takes the place of the old one. If another process was faster, it waits a little,
// longer each time, and does 2 to 5 again; values are not written again (unless someone has begun to remove their files
// as garbage, garbage.h), and files in which only lost nodes lie are removed.
// 6. If the answer of step 5 is a failure, the newest manifest is read again: a root in a file of ours is our version,
// and the commit has taken effect although the answer said otherwise (a transport may send a request twice).
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "ocdbt/data_file_writer.h"
#include "ocdbt/manifest_store.h"
#include "ocdbt/node_reader.h"
#include "ocdbt/open_options.h"
#include "ocdbt/staged_changes.h"
#include "ocdbt/tree_writer.h"
#include "ocdbt/write_batch.h"

namespace cleave::ocdbt {

// The version in which a commit is visible, and whether the commit made it.
struct CommittedVersion {
  Version version;
  bool changed = false;
};

// Thread-safe. What it is given must outlive it.
class Committer {
 public:
  Committer(std::shared_ptr<const NodeReader> reader, ManifestStore& manifests, const Config& config,
            const OpenOptions& options);

  // As Database::Commit.
  [[nodiscard]] absl::StatusOr<CommitResult> Commit(const WriteBatch& batch);

  // Makes the tree of the next version from the newest one; nothing when there is no change.
  using MakeRoot = std::function<absl::StatusOr<std::optional<NewRoot>>(const Version& newest)>;
  // What of `writer` must stay after an attempt that was lost, or after the end.
  using UsedFiles = std::function<std::set<DataFileId>()>;
  // Steps 2 to 6 with the tree that `make_root` makes, on the calling thread.
  [[nodiscard]] absl::StatusOr<CommittedVersion> CommitRoot(DataFileWriter& writer, const MakeRoot& make_root,
                                                            const UsedFiles& used_files);

 private:
  struct Request;
  void Lead(const std::vector<Request*>& group);
  [[nodiscard]] absl::StatusOr<std::optional<NewRoot>> Stage(const std::vector<Request*>& group, const Version& newest,
                                                             DataFileWriter& writer);
  // Values of an earlier attempt whose files are being removed as garbage (garbage_list.h) will be written again. Asks
  // for `written` only: a file that is still open is not in the store yet, and nobody can remove it.
  [[nodiscard]] absl::Status ForgetLostValues(const std::vector<Request*>& group,
                                              const std::vector<std::string>& written) const;
  // The inner status is ABORTED when a condition of the batch is not met.
  [[nodiscard]] absl::StatusOr<absl::Status> CheckConditions(const WriteBatch& batch, const Version& newest,
                                                             const StagedChanges& staged) const;
  [[nodiscard]] absl::StatusOr<CommittedVersion> TryToCommit(DataFileWriter& writer, const MakeRoot& make_root,
                                                             const UsedFiles& used_files);
  // Whether `failure` is that something is missing or damaged to which `current` refers, and `current` is not the
  // manifest any more: then a collection has removed it meanwhile, and the attempt begins anew.
  [[nodiscard]] bool IsOutdated(const absl::Status& failure, const StoredManifest& current);
  [[nodiscard]] absl::StatusOr<std::shared_ptr<const StoredManifest>> ReadManifest();
  [[nodiscard]] absl::StatusOr<Version> NextVersion(const Version& newest, const NewRoot& root) const;
  // Step 6: whether `version` was committed, although `failure` was the answer.
  [[nodiscard]] absl::StatusOr<bool> LookAgain(const absl::Status& failure, const Version& version);

  const std::shared_ptr<const NodeReader> reader_;
  ManifestStore& manifests_;
  const Config config_;
  const OpenOptions options_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Request*> queue_;  // guarded by mutex_
  bool leading_ = false;         // guarded by mutex_
};

}  // namespace cleave::ocdbt
