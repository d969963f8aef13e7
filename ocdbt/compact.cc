#include "ocdbt/compact.h"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "ocdbt/database_state.h"
#include "ocdbt/diff.h"
#include "ocdbt/file_size.h"
#include "ocdbt/garbage_list.h"
#include "ocdbt/lease.h"
#include "ocdbt/reachable.h"
#include "ocdbt/tree_builder.h"
#include "ocdbt/tree_reader.h"

namespace cleave::ocdbt {

// Is a friend of Database.
class Compaction {
 public:
  Compaction(Database& database, const CompactOptions& options, Progress& progress)
      : state_(*database.state_),
        database_(database),
        options_(options),
        progress_(progress),
        tree_writer_(NewWriter()),
        changes_writer_(NewWriter()) {}

  absl::StatusOr<CompactReport> Run() {
    if (database_.read_only()) {
      return absl::InvalidArgumentError(absl::StrCat(database_.Describe(), " was opened read-only"));
    }
    LeaseOptions lease_options;
    lease_options.clock = state_.options.clock;
    lease_options.random = state_.options.random;
    CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Lease> lease, Lease::ForWriter(database_.store(), lease_options));
    CLEAVE_ASSIGN_OR_RETURN(const Snapshot before, database_.Newest());
    report_.keys = before.version().root.statistics.num_keys;
    report_.generation = before.generation();
    if (before.version().empty()) {
      return report_;
    }
    CLEAVE_RETURN_IF_ERROR(AddUp(before));
    const absl::Status written = WriteTree(before);
    if (!written.ok()) {
      tree_writer_->RemoveUnused({});
      return written;
    }
    return CommitTree(before);
  }

 private:
  [[nodiscard]] std::unique_ptr<DataFileWriter> NewWriter() const {
    return std::make_unique<DataFileWriter>(*database_.store(), state_.options.prefixes, *state_.options.random,
                                            state_.options.target_data_file_bytes);
  }

  // Step 1.
  absl::Status AddUp(const Snapshot& before) {
    std::map<std::string, uint64_t> needed_bytes;
    const auto progress_end = [&] { progress_.End(); };
    progress_.Begin("look at values", static_cast<int64_t>(report_.keys), "keys");
    const absl::Status scanned = before.Scan({}, [&](const ScannedEntry& entry) {
      if (entry.value.indirect) {
        needed_bytes[entry.value.reference.file.path()] += entry.value.length();
      }
      progress_.Advance(1);
      return true;
    });
    progress_end();
    CLEAVE_RETURN_IF_ERROR(scanned);
    for (const auto& [file, bytes] : needed_bytes) {
      CLEAVE_ASSIGN_OR_RETURN(const uint64_t size, SizeOf(*database_.store(), file));
      if (options_.all_values || static_cast<double>(bytes) < options_.live_fraction * static_cast<double>(size)) {
        sparse_files_.insert(file);
      }
    }
    CLEAVE_ASSIGN_OR_RETURN(report_.files_before, CountFiles(before.version()));
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> CountFiles(const Version& version) const {
    ReachableFiles files(*state_.reader);
    CLEAVE_RETURN_IF_ERROR(files.AddVersion(version));
    return files.file_count();
  }

  // Step 2.
  absl::Status WriteTree(const Snapshot& before) {
    TreeBuilder builder(database_.config(), *tree_writer_);
    progress_.Begin("write anew", static_cast<int64_t>(report_.keys), "keys");
    const absl::Status scanned = before.Scan({}, [&](const ScannedEntry& entry) -> absl::StatusOr<bool> {
      OwnedEntry copy{std::string(entry.key), entry.value.indirect, std::string(entry.value.inline_bytes),
                      entry.value.reference};
      if (entry.value.indirect && sparse_files_.contains(entry.value.reference.file.path())) {
        CLEAVE_ASSIGN_OR_RETURN(const std::string value, before.ReadValue(entry.value));
        CLEAVE_ASSIGN_OR_RETURN(copy.reference, tree_writer_->Append(DataKind::kValue, value));
        ++report_.values_moved;
        report_.value_bytes_moved += value.size();
      }
      CLEAVE_RETURN_IF_ERROR(builder.Add(std::move(copy)));
      progress_.Advance(1);
      return true;
    });
    progress_.End();
    CLEAVE_RETURN_IF_ERROR(scanned);
    CLEAVE_ASSIGN_OR_RETURN(tree_, builder.Finish());
    return tree_writer_->Flush();
  }

  // Step 3.
  absl::StatusOr<CompactReport> CommitTree(const Snapshot& before) {
    const absl::StatusOr<CommittedVersion> committed = state_.committer->CommitRoot(
        *changes_writer_, [&](const Version& newest) { return RootOver(before, newest); },
        [] { return std::set<DataFileId>(); });
    if (committed.ok() || changes_writer_->kept_all()) {  // committed, or nobody knows
      tree_writer_->KeepAll();
    } else {
      tree_writer_->ForgetNodes();
      tree_writer_->RemoveUnused({});
    }
    CLEAVE_RETURN_IF_ERROR(committed.status());
    report_.generation = committed->version.generation;
    report_.changed = committed->changed;
    CLEAVE_ASSIGN_OR_RETURN(report_.files_after, CountFiles(committed->version));
    return report_;
  }

  // The new tree with what others changed meanwhile.
  absl::StatusOr<std::optional<NewRoot>> RootOver(const Snapshot& before, const Version& newest) {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> lost,
                            LostFiles(*database_.store(), tree_writer_->WrittenFiles()));
    if (!lost.empty()) {
      return absl::AbortedError(absl::StrCat(database_.store()->Describe(lost.front()),
                                             ": removed as garbage, because the lease had run out; compact again"));
    }
    StagedChanges changes;
    std::vector<std::unique_ptr<std::string>> inline_bytes;
    CLEAVE_RETURN_IF_ERROR(
        DiffSnapshots(before, database_.Show(newest), {.compare_bytes = false}, [&](const Difference& difference) {
          std::optional<LeafValue> after;
          if (difference.after != nullptr) {
            after = *difference.after;
            inline_bytes.push_back(std::make_unique<std::string>(after->inline_bytes));
            after->inline_bytes = *inline_bytes.back();
          }
          changes.Set(difference.key, std::move(after));
          return true;
        }).status());
    Version moved = newest;
    moved.root_height = tree_.height;
    moved.root = tree_.reference;
    CLEAVE_ASSIGN_OR_RETURN(std::optional<NewRoot> changed,
                            ApplyChanges(changes, moved, database_.config(), *state_.reader, *changes_writer_));
    return changed ? std::move(changed) : std::optional<NewRoot>(tree_);
  }

  Database::State& state_;
  Database& database_;
  const CompactOptions& options_;
  Progress& progress_;
  const std::unique_ptr<DataFileWriter> tree_writer_;
  const std::unique_ptr<DataFileWriter> changes_writer_;
  std::set<std::string> sparse_files_;
  NewRoot tree_;
  CompactReport report_;
};

absl::StatusOr<CompactReport> CompactDatabase(Database& database, const CompactOptions& options, Progress& progress) {
  return Compaction(database, options, progress).Run();
}

}  // namespace cleave::ocdbt
