#include "ocdbt/branch.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "base/status.h"
#include "ocdbt/garbage_list.h"
#include "ocdbt/manifest_store.h"
#include "ocdbt/version_select.h"
#include "store/key_text.h"

namespace cleave::ocdbt {
namespace {

absl::Status NoSuchName(NameKind kind, absl::string_view name) {
  return absl::NotFoundError(absl::StrCat("there is no ", TextOf(kind), " ", store::Quoted(name)));
}

// Every manifest in the folder of a name. The one that makes it a name comes first.
absl::StatusOr<std::vector<std::string>> ManifestsOf(const store::Store& store, const std::string& folder) {
  CLEAVE_ASSIGN_OR_RETURN(std::vector<std::string> keys,
                          store.List(store::KeyRange::Prefix(absl::StrCat(folder, "manifest."))));
  const auto main = std::find(keys.begin(), keys.end(), absl::StrCat(folder, kManifestKey));
  if (main != keys.end()) {
    std::rotate(keys.begin(), main, main + 1);
  }
  return keys;
}

// What a branch of this name that was deleted while it was written has left behind would be taken for the new one's.
absl::Status RemoveStrays(store::Store& store, const std::string& folder) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> keys, ManifestsOf(store, folder));
  if (!keys.empty() && keys.front() == absl::StrCat(folder, kManifestKey)) {
    return absl::OkStatus();
  }
  for (const std::string& key : keys) {
    CLEAVE_RETURN_IF_ERROR(store.Delete(key));
  }
  return absl::OkStatus();
}

absl::Status AlreadyThere(const absl::Status& status, NameKind kind, absl::string_view name) {
  return absl::IsAborted(status)
             ? absl::AlreadyExistsError(absl::StrCat("there is a ", TextOf(kind), " ", store::Quoted(name), " already"))
             : status;
}

// Writes the manifest of a name, and takes it back when the version was removed before it was there.
absl::Status Announce(const Database& database, NameKind kind, absl::string_view name, const Manifest& manifest) {
  CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<store::Store> stack, StackName(database.store(), kind, name));
  CLEAVE_RETURN_IF_ERROR(AlreadyThere(ManifestStore(stack).Create(manifest), kind, name));
  const Version& version = manifest.newest();
  const absl::StatusOr<Snapshot> still_there = database.At(version.generation);
  if (still_there.ok() && still_there->version() == version) {
    return absl::OkStatus();
  }
  CLEAVE_RETURN_IF_ERROR(DeleteName(database.store(), kind, name));
  return still_there.ok()
             ? absl::NotFoundError(absl::StrCat("Version where generation_number=", version.generation.value,
                                                " was replaced meanwhile"))
             : still_there.status();
}

absl::Status TryToCreateBranch(const Database& database, absl::string_view name, GenerationNumber generation) {
  CLEAVE_ASSIGN_OR_RETURN(const auto current, ManifestStore(database.store()).Read());
  CLEAVE_RETURN_IF_ERROR(RemoveStrays(*database.store(), FolderOfName(NameKind::kBranch, name)));
  CLEAVE_ASSIGN_OR_RETURN(const Snapshot snapshot, database.Newest());
  DataFileWriter writer(*database.store(), BranchPrefixes(name), *database.options().random,
                        database.options().target_data_file_bytes);
  CLEAVE_ASSIGN_OR_RETURN(const Manifest manifest,
                          ManifestUpTo(current->manifest, generation, snapshot.reader(), writer));
  CLEAVE_RETURN_IF_ERROR(writer.Flush());
  const absl::Status announced = Announce(database, NameKind::kBranch, name, manifest);
  if (absl::IsAlreadyExists(announced)) {
    writer.ForgetNodes();
    writer.RemoveUnused({});
  }
  return announced;
}

}  // namespace

absl::Status CreateTag(const Database& database, absl::string_view name, GenerationNumber generation) {
  CLEAVE_RETURN_IF_ERROR(ValidateName(name));
  CLEAVE_ASSIGN_OR_RETURN(const Snapshot snapshot, database.At(generation));
  Manifest manifest{database.config(), {snapshot.version()}, {}};
  manifest.config.manifest_kind = ManifestKind::kSingle;
  return Announce(database, NameKind::kTag, name, manifest);
}

absl::Status CreateBranch(const Database& database, absl::string_view name, GenerationNumber generation) {
  CLEAVE_RETURN_IF_ERROR(ValidateName(name));
  CLEAVE_RETURN_IF_ERROR(RefuseIfSealed(*database.store()));
  constexpr int kAttempts = 5;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    absl::SleepFor(absl::Milliseconds(attempt * attempt));
    // A branch shares nodes of the version tree, and has many versions. Only if no collection was at work from before
    // the manifest was read until the branch is there, it is certain that nothing of that is being removed.
    CLEAVE_ASSIGN_OR_RETURN(const StoredGarbageList before, ReadGarbageList(*database.store()));
    if (before.list.condemned.empty()) {
      CLEAVE_RETURN_IF_ERROR(TryToCreateBranch(database, name, generation));
      CLEAVE_ASSIGN_OR_RETURN(const StoredGarbageList after, ReadGarbageList(*database.store()));
      if (after.generation == before.generation) {
        return absl::OkStatus();
      }
      CLEAVE_RETURN_IF_ERROR(DeleteName(database.store(), NameKind::kBranch, name));
    }
  }
  return absl::UnavailableError(
      absl::StrCat(database.store()->Describe(kGarbageKey),
                   ": files are being removed; try again, or run the collection again if it was stopped"));
}

absl::Status DeleteName(const std::shared_ptr<store::Store>& store, NameKind kind, absl::string_view name) {
  CLEAVE_RETURN_IF_ERROR(ValidateName(name));
  const std::string folder = FolderOfName(kind, name);
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> keys, ManifestsOf(*store, folder));
  if (keys.empty() || keys.front() != absl::StrCat(folder, kManifestKey)) {
    return NoSuchName(kind, name);
  }
  CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult seal, store->Read(absl::StrCat(folder, kSealKey)));
  if (seal.value) {
    return absl::FailedPreconditionError(
        absl::StrCat("the ", TextOf(kind), " ", store::Quoted(name), " is sealed: forks may read it"));
  }
  for (const std::string& key : keys) {
    CLEAVE_RETURN_IF_ERROR(store->Delete(key));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Database>> OpenName(const std::shared_ptr<store::Store>& store, NameKind kind,
                                                   absl::string_view name, OpenOptions options) {
  CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<store::Store> stack, StackName(store, kind, name));
  if (kind == NameKind::kBranch) {
    options.prefixes = BranchPrefixes(name);
  } else {
    options.read_only = true;
  }
  absl::StatusOr<std::unique_ptr<Database>> opened = Database::Open(std::move(stack), options);
  if (absl::IsNotFound(opened.status())) {
    CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult manifest,
                            store->Read(absl::StrCat(FolderOfName(kind, name), kManifestKey)));
    return manifest.value ? opened.status() : NoSuchName(kind, name);
  }
  return opened;
}

absl::StatusOr<std::vector<NamedVersion>> ListNamedVersions(const std::shared_ptr<store::Store>& store, NameKind kind) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListNames(*store, kind));
  std::vector<NamedVersion> found;
  for (const std::string& name : names) {
    CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<store::Store> stack, StackName(store, kind, name));
    const absl::StatusOr<std::shared_ptr<const StoredManifest>> stored = ManifestStore(stack).Read();
    if (absl::IsNotFound(stored.status())) {
      continue;  // deleted meanwhile, or not quite made
    }
    CLEAVE_RETURN_IF_ERROR(stored.status());
    found.push_back({name, (*stored)->manifest.newest()});
  }
  return found;
}

absl::StatusOr<Snapshot> FindSnapshot(const Database& database, absl::string_view text) {
  GenerationNumber number;
  if (absl::SimpleAtoi(text, &number.value)) {
    return database.At(number);
  }
  if (const absl::StatusOr<VersionSpec> spec = ParseVersionSpec(text); spec.ok()) {
    return database.At(*spec);
  }
  if (!ValidateName(text).ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        store::Quoted(text), " is no version: expected 7, v7, 2025-01-01T01:23:45.678Z or the name of a tag"));
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Database> tag, OpenName(database.store(), NameKind::kTag, text));
  CLEAVE_ASSIGN_OR_RETURN(const Snapshot named, tag->Newest());
  return database.Show(named.version());
}

}  // namespace cleave::ocdbt
