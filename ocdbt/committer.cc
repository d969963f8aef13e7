#include "ocdbt/committer.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "base/status.h"
#include "ocdbt/back_off.h"
#include "ocdbt/garbage_list.h"
#include "ocdbt/seal.h"
#include "ocdbt/snapshot.h"
#include "ocdbt/tree_reader.h"
#include "ocdbt/version_tree.h"
#include "store/key_text.h"

namespace cleave::ocdbt {

// One batch on its way. Written by the leader only, until `done`.
struct Committer::Request {
  const WriteBatch* batch = nullptr;
  bool done = false;
  absl::Status refused;                            // why this batch alone is not applied
  std::map<size_t, DataReference> values;          // of operations whose value lies in a data file by now
  std::vector<store::Generation> key_generations;  // of the last staging
  absl::StatusOr<CommitResult> result = CommitResult{};
};

namespace {

// Up to so many bytes go to the disk beside the manifest, while other writers may be kept waiting; more go before.
constexpr uint64_t kBesideManifestBytes = uint64_t{1} << 20;

// No caller can know this generation: it stands for a long value that has no place in a file yet.
LeafValue UnplacedValue() { return {true, {}, DataReference::Missing()}; }

// The key and the condition of an operation, if it has one.
std::optional<std::pair<absl::string_view, store::Generation>> ConditionOf(const WriteBatch::Operation& operation) {
  if (const auto* write = std::get_if<store::KeyedWrite>(&operation); write != nullptr && write->if_generation) {
    return std::pair<absl::string_view, store::Generation>(write->key, *write->if_generation);
  }
  if (const auto* requirement = std::get_if<WriteBatch::Requirement>(&operation)) {
    return std::pair<absl::string_view, store::Generation>(requirement->key, requirement->generation);
  }
  return std::nullopt;
}

// Applies one operation without its condition. A long value is represented by `reference`.
void StageOperation(const WriteBatch::Operation& operation, const DataReference* reference, StagedChanges& staged) {
  if (const auto* range = std::get_if<store::KeyRange>(&operation)) {
    staged.DeleteRange(*range);
  } else if (const auto* write = std::get_if<store::KeyedWrite>(&operation)) {
    if (!write->value) {
      staged.Set(write->key, std::nullopt);
    } else if (reference != nullptr) {
      staged.Set(write->key, LeafValue{true, {}, *reference});
    } else {
      staged.Set(write->key, LeafValue{false, *write->value, {}});
    }
  }
}

// The value of the operation, if it has one.
const std::string* ValueOf(const WriteBatch::Operation& operation) {
  const auto* write = std::get_if<store::KeyedWrite>(&operation);
  return write != nullptr && write->value ? &*write->value : nullptr;
}

}  // namespace

Committer::Committer(std::shared_ptr<const NodeReader> reader, ManifestStore& manifests, const Config& config,
                     const OpenOptions& options)
    : reader_(std::move(reader)), manifests_(manifests), config_(config), options_(options) {}

absl::StatusOr<CommitResult> Committer::Commit(const WriteBatch& batch) {
  Request request;
  request.batch = &batch;
  std::unique_lock lock(mutex_);
  queue_.push_back(&request);
  changed_.wait(lock, [&] { return request.done || !leading_; });
  if (!request.done) {
    leading_ = true;
    const std::vector<Request*> group = std::exchange(queue_, {});
    lock.unlock();
    Lead(group);
    lock.lock();
    for (Request* member : group) {
      member->done = true;
    }
    leading_ = false;
    changed_.notify_all();
  }
  return std::move(request.result);
}

void Committer::Lead(const std::vector<Request*>& group) {
  DataFileWriter writer(reader_->store(), options_.prefixes, *options_.random, options_.target_data_file_bytes);
  const auto used_files = [&] {
    std::set<DataFileId> used;
    for (const Request* request : group) {
      for (const auto& [index, reference] : request->values) {
        if (request->refused.ok()) {
          used.insert(reference.file);
        }
      }
    }
    return used;
  };
  const auto stage = [&](const Version& newest) -> absl::StatusOr<std::optional<NewRoot>> {
    CLEAVE_RETURN_IF_ERROR(ForgetLostValues(group, writer.WrittenFiles()));
    return Stage(group, newest, writer);
  };
  const absl::StatusOr<CommittedVersion> committed = CommitRoot(writer, stage, used_files);
  for (Request* request : group) {
    if (!committed.ok()) {
      request->result = committed.status();
    } else if (!request->refused.ok()) {
      request->result = request->refused;
    } else {
      request->result = CommitResult{committed->version.generation, committed->version.commit_time, committed->changed,
                                     std::move(request->key_generations)};
    }
  }
}

absl::Status Committer::ForgetLostValues(const std::vector<Request*>& group,
                                         const std::vector<std::string>& written) const {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> lost, LostFiles(reader_->store(), written));
  for (Request* request : group) {
    std::erase_if(request->values, [&](const auto& value) {
      return std::find(lost.begin(), lost.end(), value.second.file.path()) != lost.end();
    });
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<NewRoot>> Committer::Stage(const std::vector<Request*>& group, const Version& newest,
                                                        DataFileWriter& writer) {
  StagedChanges staged;
  for (Request* request : group) {
    CLEAVE_ASSIGN_OR_RETURN(request->refused, CheckConditions(*request->batch, newest, staged));
    if (!request->refused.ok()) {
      continue;
    }
    const std::vector<WriteBatch::Operation>& operations = request->batch->operations();
    request->key_generations.assign(operations.size(), store::Generation::Absent());
    for (size_t i = 0; i < operations.size(); ++i) {
      const std::string* value = ValueOf(operations[i]);
      if (value != nullptr && value->size() > config_.max_inline_value_bytes && !request->values.contains(i)) {
        CLEAVE_ASSIGN_OR_RETURN(request->values[i], writer.Append(DataKind::kValue, *value));
      }
      const auto placed = request->values.find(i);
      StageOperation(operations[i], placed == request->values.end() ? nullptr : &placed->second, staged);
      if (value != nullptr) {
        request->key_generations[i] = GenerationOf(**staged.Find(std::get<store::KeyedWrite>(operations[i]).key));
      }
    }
  }
  return ApplyChanges(staged, newest, config_, *reader_, writer);
}

absl::StatusOr<absl::Status> Committer::CheckConditions(const WriteBatch& batch, const Version& newest,
                                                        const StagedChanges& staged) const {
  StagedChanges own;  // what this batch has done so far
  for (const WriteBatch::Operation& operation : batch.operations()) {
    if (const auto condition = ConditionOf(operation)) {
      const auto& [key, expected] = *condition;
      const StagedChanges::Change* change = own.Find(key);
      change = change == nullptr ? staged.Find(key) : change;
      store::Generation present;
      if (change == nullptr) {
        CLEAVE_ASSIGN_OR_RETURN(const std::optional<FoundValue> found, FindKey(*reader_, newest, key));
        present = found ? GenerationOf(found->value) : store::Generation::Absent();
      } else if (*change) {
        present = GenerationOf(**change);
      }
      const absl::Status status = store::CheckCondition({expected}, present, absl::StrCat("key ", store::Quoted(key)));
      if (!status.ok()) {
        return status;
      }
    }
    const std::string* value = ValueOf(operation);
    const DataReference unplaced = UnplacedValue().reference;
    StageOperation(operation, value != nullptr && value->size() > config_.max_inline_value_bytes ? &unplaced : nullptr,
                   own);
  }
  return absl::OkStatus();
}

absl::StatusOr<CommittedVersion> Committer::CommitRoot(DataFileWriter& writer, const MakeRoot& make_root,
                                                       const UsedFiles& used_files) {
  absl::StatusOr<CommittedVersion> committed = TryToCommit(writer, make_root, used_files);
  if (committed.ok()) {
    writer.RemoveUnused(committed->changed ? used_files() : std::set<DataFileId>());
  } else {
    writer.ForgetNodes();
    writer.RemoveUnused({});
  }
  return committed;
}

absl::StatusOr<CommittedVersion> Committer::TryToCommit(DataFileWriter& writer, const MakeRoot& make_root,
                                                        const UsedFiles& used_files) {
  const absl::Time deadline = absl::Now() + options_.commit_timeout;
  for (int attempt = 0; attempt == 0 || absl::Now() < deadline; ++attempt) {
    if (attempt > 0) {
      writer.ForgetNodes();
      writer.RemoveUnused(used_files());
      BackOff(*options_.random, attempt);
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<const StoredManifest> current, ReadManifest());
    const absl::StatusOr<std::optional<NewRoot>> root = make_root(current->manifest.newest());
    if (IsOutdated(root.status(), *current)) {
      continue;
    }
    CLEAVE_RETURN_IF_ERROR(root.status());
    if (!*root) {
      return CommittedVersion{current->manifest.newest(), false};
    }
    CLEAVE_ASSIGN_OR_RETURN(const Version version, NextVersion(current->manifest.newest(), **root));
    const absl::StatusOr<Manifest> appended = AppendVersion(current->manifest, version, *reader_, writer);
    if (IsOutdated(appended.status(), *current)) {
      continue;
    }
    CLEAVE_RETURN_IF_ERROR(appended.status());
    const Manifest& next = *appended;
    if (writer.open_bytes() > kBesideManifestBytes) {
      CLEAVE_RETURN_IF_ERROR(writer.Flush());
    }
    absl::Status flushed;
    const absl::Status replaced = manifests_.Replace(*current, next, [&] { return flushed = writer.Flush(); });
    if (replaced.ok()) {
      return CommittedVersion{version, true};
    }
    CLEAVE_RETURN_IF_ERROR(flushed);  // the manifest was not written
    const absl::StatusOr<bool> took_effect = LookAgain(replaced, version);
    if (!took_effect.ok()) {
      writer.KeepAll();  // a manifest may refer to them
      return took_effect.status();
    }
    if (*took_effect) {
      return CommittedVersion{version, true};
    }
  }
  return absl::UnavailableError(
      absl::StrCat(reader_->store().Describe(kManifestKey), ": other writers kept winning for ",
                   absl::FormatDuration(options_.commit_timeout), "; nothing was committed, try again"));
}

bool Committer::IsOutdated(const absl::Status& failure, const StoredManifest& current) {
  if (!absl::IsDataLoss(failure)) {
    return false;
  }
  const auto present = manifests_.Read();
  return present.ok() && ((*present)->key != current.key || (*present)->store_generation != current.store_generation);
}

absl::StatusOr<std::shared_ptr<const StoredManifest>> Committer::ReadManifest() {
  CLEAVE_ASSIGN_OR_RETURN(auto current, manifests_.Read());
  const Config& config = current->manifest.config;
  if (config != config_) {
    return absl::FailedPreconditionError(absl::StrCat(reader_->store().Describe(current->key),
                                                      ": another database was made in the place of this one; open it "
                                                      "again (configuration was ",
                                                      ConfigJson(config_), ", is ", ConfigJson(config), ")"));
  }
  CLEAVE_RETURN_IF_ERROR(RefuseIfSealed(reader_->store()));
  return current;
}

absl::StatusOr<Version> Committer::NextVersion(const Version& newest, const NewRoot& root) const {
  if (newest.generation >= kMaxGenerationNumber) {
    return absl::FailedPreconditionError("the database has used up its generation numbers");
  }
  // Whole nanoseconds, and later than the version before, whatever the clocks of the writers say.
  const absl::Time now = absl::FromUnixNanos(absl::ToUnixNanos(options_.clock->Now()));
  Version version{{newest.generation.value + 1},
                  root.height,
                  root.reference,
                  std::max(now, newest.commit_time + absl::Nanoseconds(1))};
  if (version.commit_time < absl::UnixEpoch() || version.commit_time >= absl::FromUnixNanos(INT64_MAX)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the commit time ", absl::FormatTime(version.commit_time), " cannot be stored; check the clock"));
  }
  return version;
}

absl::StatusOr<bool> Committer::LookAgain(const absl::Status& failure, const Version& version) {
  const auto unknown = [&](absl::string_view why) {
    return absl::UnavailableError(
        absl::StrCat("whether the commit took effect is not known: ", failure.message(), why));
  };
  const auto current = manifests_.Read();
  if (!current.ok()) {
    return unknown(absl::StrCat("; and reading again: ", current.status().message()));
  }
  const Manifest& manifest = (*current)->manifest;
  if (manifest.newest().generation < version.generation) {
    // An aborted write with nothing newer: the store refused it for a reason that has passed.
    return absl::IsAborted(failure) ? absl::StatusOr<bool>(false) : unknown("");
  }
  const absl::StatusOr<Version> theirs = FindVersion(manifest, *reader_, version.generation);
  if (!theirs.ok()) {
    return unknown(absl::StrCat("; and reading again: ", theirs.status().message()));
  }
  // File names are random, so the same root can only be ours. A version without a root has no such mark.
  return !version.empty() && *theirs == version;
}

}  // namespace cleave::ocdbt
