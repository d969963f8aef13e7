#include "ocdbt/bulk_writer.h"

#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "ocdbt/bulk_runs.h"
#include "ocdbt/bulk_tree.h"
#include "ocdbt/bulk_values.h"
#include "ocdbt/database_state.h"
#include "ocdbt/garbage_list.h"

namespace cleave::ocdbt {

struct BulkWriter::State {
  State(Database& open_database, BulkOptions bulk_options)
      : database(open_database), options(std::move(bulk_options)), values(open_database) {}

  absl::Status AddEntry(OwnedEntry entry) {
    const std::lock_guard lock(mutex);
    entries_bytes += entry.memory_bytes();
    entries.push_back(std::move(entry));
    return entries_bytes > options.memory_bytes ? PutAside() : absl::OkStatus();
  }

  absl::Status PutAside() {
    CLEAVE_ASSIGN_OR_RETURN(RunFile run, RunFile::Write(entries, options.temporary_folder));
    runs.push_back(std::move(run));
    entries.clear();
    entries_bytes = 0;
    return absl::OkStatus();
  }

  // Step 3 over `newest`.
  absl::StatusOr<std::optional<NewRoot>> BuildTree(const Version& newest, const NodeReader& reader,
                                                   DataFileWriter& nodes) {
    CLEAVE_RETURN_IF_ERROR(CheckValuesAreThere(reader.store()));
    std::vector<EntrySource> sources;
    for (RunFile& run : runs) {
      CLEAVE_RETURN_IF_ERROR(run.Rewind());
      sources.emplace_back([&run](OwnedEntry& entry) { return run.Next(entry); });
    }
    CLEAVE_ASSIGN_OR_RETURN(NewRoot root, BuildTreeOver(newest, reader, std::move(sources), database.config(), nodes));
    return root;
  }

  // The values cannot be written again, so a fill whose lease has run out may have to be done anew.
  absl::Status CheckValuesAreThere(const store::Store& store) const {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> lost, LostFiles(store, values.WrittenFiles()));
    if (!lost.empty()) {
      return absl::AbortedError(
          absl::StrCat(store.Describe(lost.front()),
                       ": removed as garbage, because the lease of this fill had run out; fill again"));
    }
    return absl::OkStatus();
  }

  Database& database;
  const BulkOptions options;
  BulkValues values;
  std::mutex mutex;
  // All below are guarded by mutex until Finish().
  std::vector<OwnedEntry> entries;
  size_t entries_bytes = 0;
  std::vector<RunFile> runs;
};

BulkWriter::BulkWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}

BulkWriter::~BulkWriter() { state_->values.RemoveAll(); }

absl::StatusOr<std::unique_ptr<BulkWriter>> BulkWriter::Create(Database& database, const BulkOptions& options) {
  CLEAVE_RETURN_IF_ERROR(CheckWritable(database));
  return std::unique_ptr<BulkWriter>(new BulkWriter(std::make_unique<State>(database, options)));
}

absl::Status BulkWriter::Put(absl::string_view key, absl::string_view value) {
  CLEAVE_ASSIGN_OR_RETURN(OwnedEntry entry, state_->values.Place(key, value));
  return state_->AddEntry(std::move(entry));
}

absl::StatusOr<CommitResult> BulkWriter::Finish() {
  CLEAVE_RETURN_IF_ERROR(state_->values.Flush());
  CLEAVE_RETURN_IF_ERROR(state_->PutAside());
  Database::State& database = *state_->database.state_;
  const std::unique_ptr<DataFileWriter> nodes = NewDataFileWriter(state_->database);
  const absl::StatusOr<CommittedVersion> committed = database.committer->CommitRoot(
      *nodes, [&](const Version& newest) { return state_->BuildTree(newest, *database.reader, *nodes); },
      [] { return std::set<DataFileId>(); });
  if (committed.ok() || nodes->kept_all()) {  // committed, or nobody knows
    state_->values.KeepAll();
  }
  CLEAVE_RETURN_IF_ERROR(committed.status());
  return CommitResult{committed->version.generation, committed->version.commit_time, committed->changed, {}};
}

}  // namespace cleave::ocdbt
