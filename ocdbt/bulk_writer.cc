#include "ocdbt/bulk_writer.h"

#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "ocdbt/bulk_runs.h"
#include "ocdbt/database_state.h"
#include "ocdbt/garbage_list.h"
#include "ocdbt/lease.h"
#include "ocdbt/tree_builder.h"
#include "ocdbt/tree_reader.h"
#include "store/key_text.h"

namespace cleave::ocdbt {
namespace {

// The entries of a version, leaf by leaf. It holds the leaf it is in.
class VersionSource {
 public:
  VersionSource(const NodeReader& reader, const Version& version) : reader_(reader), version_(version) {}

  absl::StatusOr<bool> Next(OwnedEntry& entry) {
    if (position_ == batch_.size()) {
      CLEAVE_RETURN_IF_ERROR(NextLeaf());
    }
    if (position_ == batch_.size()) {
      return false;
    }
    entry = std::move(batch_[position_++]);
    return true;
  }

 private:
  // Reads the leaf after the last key; leaves `batch_` empty when there is none.
  absl::Status NextLeaf() {
    const store::KeyRange rest{batch_end_, ""};
    batch_.clear();
    position_ = 0;
    return VisitLeaves(reader_, version_, rest,
                       [&](const std::string& prefix, const BtreeNode& leaf) -> absl::StatusOr<bool> {
                         for (const LeafEntry& stored : leaf.leaf_entries()) {
                           std::string key = absl::StrCat(prefix, stored.key);
                           if (key >= rest.begin) {
                             batch_.push_back({std::move(key), stored.value.indirect,
                                               std::string(stored.value.inline_bytes), stored.value.reference});
                           }
                         }
                         if (!batch_.empty()) {
                           batch_end_ = absl::StrCat(batch_.back().key, absl::string_view("\0", 1));
                         }
                         return batch_.empty();
                       });
  }

  const NodeReader& reader_;
  const Version version_;
  std::vector<OwnedEntry> batch_;
  size_t position_ = 0;
  std::string batch_end_;
};

}  // namespace

struct BulkWriter::State {
  State(Database& open_database, BulkOptions bulk_options)
      : database(open_database), options(std::move(bulk_options)) {}

  // One per thread that puts values. Nothing refers to these files until Finish().
  absl::StatusOr<DataFileWriter*> ValueWriter() {
    const std::lock_guard lock(mutex);
    if (lease == nullptr) {
      LeaseOptions lease_options;
      lease_options.clock = database.options().clock;
      lease_options.random = database.options().random;
      CLEAVE_ASSIGN_OR_RETURN(lease, Lease::ForWriter(database.store(), lease_options));
    }
    std::unique_ptr<DataFileWriter>& writer = value_writers[std::this_thread::get_id()];
    if (writer == nullptr) {
      writer = NewWriter();
    }
    return writer.get();
  }

  std::unique_ptr<DataFileWriter> NewWriter() const {
    const OpenOptions& open = database.options();
    return std::make_unique<DataFileWriter>(*database.store(), open.prefixes, *open.random,
                                            open.target_data_file_bytes);
  }

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
    VersionSource present(reader, newest);
    std::vector<EntrySource> sources = {[&](OwnedEntry& entry) { return present.Next(entry); }};
    for (RunFile& run : runs) {
      CLEAVE_RETURN_IF_ERROR(run.Rewind());
      sources.emplace_back([&run](OwnedEntry& entry) { return run.Next(entry); });
    }
    TreeBuilder builder(database.config(), nodes);
    CLEAVE_RETURN_IF_ERROR(MergeSources(sources, [&](OwnedEntry&& entry) { return builder.Add(std::move(entry)); }));
    CLEAVE_ASSIGN_OR_RETURN(NewRoot root, builder.Finish());
    return root;
  }

  // The values cannot be written again, so a fill whose lease has run out may have to be done anew.
  absl::Status CheckValuesAreThere(const store::Store& store) const {
    for (const auto& [thread, writer] : value_writers) {
      CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> lost, LostFiles(store, writer->WrittenFiles()));
      if (!lost.empty()) {
        return absl::AbortedError(
            absl::StrCat(store.Describe(lost.front()),
                         ": removed as garbage, because the lease of this fill had run out; fill again"));
      }
    }
    return absl::OkStatus();
  }

  Database& database;
  const BulkOptions options;
  std::mutex mutex;
  // All below are guarded by mutex until Finish().
  std::map<std::thread::id, std::unique_ptr<DataFileWriter>> value_writers;
  std::vector<OwnedEntry> entries;
  size_t entries_bytes = 0;
  std::vector<RunFile> runs;
  std::unique_ptr<Lease> lease;
};

BulkWriter::BulkWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}

BulkWriter::~BulkWriter() {
  for (auto& [thread, writer] : state_->value_writers) {
    writer->RemoveUnused({});
  }
}

absl::StatusOr<std::unique_ptr<BulkWriter>> BulkWriter::Create(Database& database, const BulkOptions& options) {
  if (database.read_only()) {
    return absl::InvalidArgumentError(absl::StrCat(database.Describe(), " was opened read-only"));
  }
  return std::unique_ptr<BulkWriter>(new BulkWriter(std::make_unique<State>(database, options)));
}

absl::Status BulkWriter::Put(absl::string_view key, absl::string_view value) {
  if (key.size() > kMaxKeyBytes) {
    return absl::InvalidArgumentError(absl::StrCat("key ", store::Quoted(key.substr(0, 100)), "... has ", key.size(),
                                                   " bytes, the most is ", kMaxKeyBytes));
  }
  OwnedEntry entry;
  entry.key = std::string(key);
  entry.indirect = value.size() > state_->database.config().max_inline_value_bytes;
  if (entry.indirect) {
    CLEAVE_ASSIGN_OR_RETURN(DataFileWriter* const writer, state_->ValueWriter());
    CLEAVE_ASSIGN_OR_RETURN(entry.reference, writer->Append(DataKind::kValue, value));
  } else {
    entry.inline_bytes = std::string(value);
  }
  return state_->AddEntry(std::move(entry));
}

absl::StatusOr<CommitResult> BulkWriter::Finish() {
  for (auto& [thread, writer] : state_->value_writers) {
    CLEAVE_RETURN_IF_ERROR(writer->Flush());
  }
  CLEAVE_RETURN_IF_ERROR(state_->PutAside());
  Database::State& database = *state_->database.state_;
  const std::unique_ptr<DataFileWriter> nodes = state_->NewWriter();
  const absl::StatusOr<CommittedVersion> committed = database.committer->CommitRoot(
      *nodes, [&](const Version& newest) { return state_->BuildTree(newest, *database.reader, *nodes); },
      [] { return std::set<DataFileId>(); });
  if (committed.ok() || nodes->kept_all()) {  // committed, or nobody knows
    for (auto& [thread, writer] : state_->value_writers) {
      writer->KeepAll();
    }
  }
  CLEAVE_RETURN_IF_ERROR(committed.status());
  return CommitResult{committed->version.generation, committed->version.commit_time, committed->changed, {}};
}

}  // namespace cleave::ocdbt
