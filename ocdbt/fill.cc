#include "ocdbt/fill.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/crash_point.h"
#include "base/status.h"
#include "ocdbt/bulk_tree.h"
#include "ocdbt/bulk_values.h"
#include "ocdbt/crc32c.h"
#include "ocdbt/database_state.h"
#include "ocdbt/fill_state.h"
#include "ocdbt/garbage_list.h"

namespace cleave::ocdbt {
namespace {

// The entries of one run, a block in memory.
class RunSource {
 public:
  RunSource(const store::Store& store, StoredRun run) : store_(store), run_(std::move(run)) {}

  absl::StatusOr<bool> Next(OwnedEntry& entry) {
    while (position_ == entries_.size()) {
      if (next_block_ == run_.size()) {
        return false;
      }
      CLEAVE_RETURN_IF_ERROR(ReadBlock(run_[next_block_++]));
    }
    entry = std::move(entries_[position_++]);
    return true;
  }

 private:
  absl::Status ReadBlock(const RunBlock& block) {
    const std::string key = block.place.file.path();
    const std::vector<store::Extent> extent = {{block.place.offset, block.place.length}};
    CLEAVE_ASSIGN_OR_RETURN(const auto parts, store_.ReadParts(key, extent));
    if (!parts || Crc32c(parts->front()) != block.crc32c) {
      return absl::DataLossError(absl::StrCat(store_.Describe(Describe(block.place)), ": a run of a fill is ",
                                              parts ? "damaged" : "missing", "; write its part again"));
    }
    entries_.clear();
    position_ = 0;
    ByteReader reader(parts->front());
    absl::string_view rest = parts->front();
    while (!rest.empty() && reader.ok()) {
      entries_.push_back(DecodeRunEntry(reader));
      ByteReader copy = reader;
      rest = copy.Rest();
    }
    return reader.ok() ? absl::OkStatus() : Annotate(reader.status(), store_.Describe(key));
  }

  const store::Store& store_;
  const StoredRun run_;
  size_t next_block_ = 0;
  std::vector<OwnedEntry> entries_;
  size_t position_ = 0;
};

// The last step of a fill.
class LastStep {
 public:
  LastStep(const Database& database, const std::string& fill)
      : database_(database), store_(*database.store()), fill_(fill), key_(absl::StrCat(FolderOfFill(fill), "commit")) {}

  // Reads the markers. FAILED_PRECONDITION as Fill::Commit.
  absl::Status ReadParts(std::span<const std::string> parts) {
    std::set<std::string> asked;
    for (const std::string& part : parts) {
      CLEAVE_RETURN_IF_ERROR(ValidateFillName(part));
      CLEAVE_ASSIGN_OR_RETURN(const std::optional<PartRecord> record, ReadPart(store_, fill_, part));
      if (!record) {
        return absl::FailedPreconditionError(
            absl::StrCat("part ", part, " of the fill ", fill_, " is not finished; nothing was committed"));
      }
      asked.insert(part);
      const std::vector<std::string> files = record->Files();
      files_.insert(files_.end(), files.begin(), files.end());
      runs_.insert(runs_.end(), record->runs.begin(), record->runs.end());
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<PartName> finished, ListParts(store_, FolderOfFill(fill_)));
    for (const PartName& name : finished) {
      if (!asked.contains(name.part)) {
        return absl::FailedPreconditionError(absl::StrCat(
            "part ", name.part, " of the fill ", fill_, " is finished, but was not asked for; nothing was committed"));
      }
    }
    return absl::OkStatus();
  }

  // The version in which the fill was committed, by whomever; nothing when it was not. Reads the record of the commit.
  absl::StatusOr<std::optional<CommitRecord::Done>> FindCommitted() {
    CLEAVE_ASSIGN_OR_RETURN(commit_, ReadCommitRecord(store_, fill_));
    if (!commit_.record || commit_.record->done) {
      return commit_.record ? commit_.record->done : std::nullopt;
    }
    const CommitRecord& record = *commit_.record;
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<Version> versions,
                            database_.ListVersions({.first = {record.after.value + 1}}));
    for (const Version& version : versions) {
      if (std::ranges::find(record.roots, version.root.location) != record.roots.end()) {
        return CommitRecord::Done{version.generation, version.commit_time};
      }
    }
    if (!versions.empty() && versions.back().generation.value - record.after.value != versions.size()) {
      return absl::FailedPreconditionError(
          absl::StrCat(store_.Describe(key_),
                       ": whether the fill was committed cannot be told any more, because versions "
                       "since ",
                       record.after.value, " have been removed; look, and remove the fill"));
    }
    return std::nullopt;
  }

  // Nothing when the fill is committed already, or holds nothing.
  absl::StatusOr<std::optional<NewRoot>> MakeRoot(const Version& newest, const NodeReader& reader,
                                                  DataFileWriter& nodes) {
    CLEAVE_ASSIGN_OR_RETURN(found_, FindCommitted());
    if (found_ || runs_.empty()) {
      return std::nullopt;
    }
    CLEAVE_RETURN_IF_ERROR(CheckFilesAreThere());
    std::vector<EntrySource> sources;
    for (const StoredRun& run : runs_) {
      const auto source = std::make_shared<RunSource>(store_, run);
      sources.emplace_back([source](OwnedEntry& entry) { return source->Next(entry); });
    }
    CLEAVE_ASSIGN_OR_RETURN(const NewRoot root,
                            BuildTreeOver(newest, reader, std::move(sources), database_.config(), nodes));
    CLEAVE_RETURN_IF_ERROR(NoteRoot(newest, root));
    return root;
  }

  // Notes that the fill is committed.
  absl::Status NoteDone(const CommitRecord::Done& done) {
    if (commit_.record && commit_.record->done) {
      return absl::OkStatus();
    }
    CrashPoint("ocdbt.before_fill_done");
    CommitRecord record = commit_.record.value_or(CommitRecord{done.generation, {}, {}});
    record.done = done;
    return WriteRecord(record);
  }

  [[nodiscard]] const std::optional<CommitRecord::Done>& found() const { return found_; }

 private:
  absl::Status CheckFilesAreThere() const {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> lost, LostFiles(store_, files_));
    return lost.empty() ? absl::OkStatus()
                        : absl::DataLossError(absl::StrCat(store_.Describe(lost.front()),
                                                           ": a file of a finished part of the fill ", fill_,
                                                           " is missing; remove the fill and write it again"));
  }

  absl::Status NoteRoot(const Version& newest, const NewRoot& root) {
    CommitRecord record = commit_.record.value_or(CommitRecord{newest.generation, {}, {}});
    record.roots.push_back(root.reference.location);
    CrashPoint("ocdbt.before_fill_root");
    CLEAVE_RETURN_IF_ERROR(WriteRecord(record));
    CrashPoint("ocdbt.after_fill_root");
    return absl::OkStatus();
  }

  absl::Status WriteRecord(const CommitRecord& record) {
    absl::StatusOr<store::Generation> written =
        store_.Write(key_, EncodeCommit(record), {.if_generation = commit_.generation});
    if (absl::IsAborted(written.status())) {
      return absl::AbortedError(
          absl::StrCat(store_.Describe(key_), ": another process is at the last step of this fill; ask again"));
    }
    CLEAVE_RETURN_IF_ERROR(written.status());
    commit_ = {record, *std::move(written)};
    return absl::OkStatus();
  }

  const Database& database_;
  store::Store& store_;
  const std::string fill_;
  const std::string key_;
  std::vector<std::string> files_;
  std::vector<StoredRun> runs_;
  StoredCommitRecord commit_;
  std::optional<CommitRecord::Done> found_;
};

}  // namespace

absl::StatusOr<Fill> Fill::Create(Database& database, absl::string_view name) {
  CLEAVE_RETURN_IF_ERROR(CheckWritable(database));
  CLEAVE_RETURN_IF_ERROR(ValidateFillName(name));
  return Fill(database, name);
}

absl::StatusOr<std::unique_ptr<FillPart>> Fill::BeginPart(absl::string_view part, const FillOptions& options) const {
  CLEAVE_RETURN_IF_ERROR(ValidateFillName(part));
  const store::Store& store = *database_->store();
  CLEAVE_ASSIGN_OR_RETURN(const StoredCommitRecord commit, ReadCommitRecord(store, name_));
  if (commit.record && commit.record->done) {
    return absl::FailedPreconditionError(absl::StrCat("the fill ", name_, " was committed in generation ",
                                                      commit.record->done->generation.value,
                                                      "; it takes no more parts"));
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<PartRecord> present, ReadPart(store, name_, part));
  if (present) {
    return absl::AlreadyExistsError(absl::StrCat("part ", part, " of the fill ", name_, " is finished"));
  }
  CLEAVE_ASSIGN_OR_RETURN(
      std::unique_ptr<FillPart::State> state,
      FillPart::State::Create(*database_, absl::StrCat(FolderOfFill(name_), "parts/", part), options));
  return std::unique_ptr<FillPart>(new FillPart(std::move(state)));
}

absl::Status Fill::RemovePart(absl::string_view part) const {
  CLEAVE_RETURN_IF_ERROR(ValidateFillName(part));
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<CommitRecord::Done> done, LastStep(*database_, name_).FindCommitted());
  if (done) {
    return absl::FailedPreconditionError(absl::StrCat("the fill ", name_, " was committed in generation ",
                                                      done->generation.value, "; none of its parts can be taken back"));
  }
  return database_->store()->Delete(absl::StrCat(FolderOfFill(name_), "parts/", part));
}

absl::StatusOr<std::vector<std::string>> Fill::FinishedParts() const {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<PartName> parts, ListParts(*database_->store(), FolderOfFill(name_)));
  std::vector<std::string> names;
  names.reserve(parts.size());
  for (const PartName& name : parts) {
    names.push_back(name.part);
  }
  return names;
}

absl::StatusOr<CommitResult> Fill::Commit(std::span<const std::string> parts) const {
  Database::State& database = *database_->state_;
  LastStep step(*database_, name_);
  CLEAVE_ASSIGN_OR_RETURN(std::optional<CommitRecord::Done> done, step.FindCommitted());
  bool changed = false;
  if (!done) {
    CLEAVE_RETURN_IF_ERROR(step.ReadParts(parts));
    const std::unique_ptr<DataFileWriter> nodes = NewDataFileWriter(*database_);
    CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Lease> lease, LeaseForWriter(*database_));
    CLEAVE_ASSIGN_OR_RETURN(
        const CommittedVersion committed,
        database.committer->CommitRoot(
            *nodes, [&](const Version& newest) { return step.MakeRoot(newest, *database.reader, *nodes); },
            [] { return std::set<DataFileId>(); }));
    changed = committed.changed;
    done = step.found().value_or(CommitRecord::Done{committed.version.generation, committed.version.commit_time});
  }
  CLEAVE_RETURN_IF_ERROR(step.NoteDone(*done));
  return CommitResult{done->generation, done->time, changed, {}};
}

// The record of the commit goes last, so that a fill that was committed is never committed again.
absl::Status Fill::Remove() const {
  store::Store& store = *database_->store();
  const std::string folder = FolderOfFill(name_);
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> keys,
                          store.List(store::KeyRange::Prefix(absl::StrCat(folder, "parts/"))));
  for (const std::string& key : keys) {
    CLEAVE_RETURN_IF_ERROR(store.Delete(key));
  }
  return store.Delete(absl::StrCat(folder, "commit"));
}

}  // namespace cleave::ocdbt
