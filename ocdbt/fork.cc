#include "ocdbt/fork.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "ocdbt/manifest_store.h"
#include "ocdbt/names.h"
#include "ocdbt/version_select.h"
#include "store/key_text.h"
#include "store/stack_store.h"

namespace cleave::ocdbt {
namespace {

using store::StackLayer;

absl::Status ValidateName(const std::string& name) {
  const absl::Status status = store::ValidateKey(name);
  if (!status.ok() || name.find('/') != std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("fork name ", store::Quoted(name), " must be one component of a path, without '/'"));
  }
  return absl::OkStatus();
}

std::string DataPrefix(const ForkPlace& place) { return absl::StrCat(place.name, "_d/"); }

// The base's mark is not the fork's.
StackLayer SealLayer(const ForkPlace& place) {
  StackLayer layer = StackLayer::Exact(kSealKey, place.folder, kSealKey);
  layer.in_specification = false;
  return layer;
}

// Nor are its names and pins.
StackLayer BesideLayer(const ForkPlace& place) {
  return StackLayer::Prefix(kBesidePrefix, place.folder, kBesidePrefix);
}

absl::StatusOr<bool> IsNumbered(const store::Store& base) {
  CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, base.Read(kManifestKey));
  if (!read.value) {
    return absl::NotFoundError(absl::StrCat("no database to fork: ", base.Describe(kManifestKey), " does not exist"));
  }
  const absl::StatusOr<Config> config = DecodeManifestConfig(*read.value);
  if (!config.ok()) {
    return Annotate(config.status(), base.Describe(kManifestKey));
  }
  return config->manifest_kind == ManifestKind::kNumbered;
}

// The fork's manifests lie in its own folder. A database of numbered manifests has many of them.
StackLayer ManifestLayer(const ForkPlace& place, bool numbered) {
  constexpr absl::string_view kAllManifests = "manifest.";
  return numbered ? StackLayer{place.folder, "", store::KeyRange::Prefix(kAllManifests), 0, true}
                  : StackLayer::Exact(kManifestKey, place.folder, kManifestKey);
}

absl::Status CopyOnce(const ForkPlace& place, const std::string& key) {
  CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, place.base->Read(key));
  if (!read.value) {
    return absl::DataLossError(absl::StrCat(place.base->Describe(key), " vanished"));
  }
  const absl::Status written = place.folder->Write(key, *read.value, {store::Generation::Absent()}).status();
  if (absl::IsAborted(written) && key != kManifestKey) {
    // A fork that was begun and not finished: "manifest.ocdbt", which comes last, makes it one.
    CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult present, place.folder->Read(key));
    if (present.value == read.value) {
      return absl::OkStatus();
    }
  }
  return absl::IsAborted(written) ? absl::FailedPreconditionError(absl::StrCat(
                                        "there is a database already: ", place.folder->Describe(key), " exists"))
                                  : written;
}

}  // namespace

absl::StatusOr<ForkedStore> StackFork(const ForkPlace& place) {
  CLEAVE_RETURN_IF_ERROR(ValidateName(place.name));
  CLEAVE_ASSIGN_OR_RETURN(const bool numbered, IsNumbered(*place.base));
  const std::string data_prefix = DataPrefix(place);
  CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<store::StackStore> stack,
                          store::StackStore::Create({StackLayer::Everything(place.base), ManifestLayer(place, numbered),
                                                     StackLayer::Prefix(data_prefix, place.folder, data_prefix),
                                                     BesideLayer(place), SealLayer(place)}));
  return ForkedStore{std::move(stack), DataPrefixes::All(data_prefix)};
}

absl::Status ForkDatabase(const ForkPlace& place) {
  CLEAVE_RETURN_IF_ERROR(ValidateName(place.name));
  CLEAVE_ASSIGN_OR_RETURN(const bool numbered, IsNumbered(*place.base));
  CLEAVE_ASSIGN_OR_RETURN(const bool sealed, IsSealed(*place.base));
  if (!sealed) {
    return absl::FailedPreconditionError(
        absl::StrCat("only a sealed database can be forked, because a fork reads it "
                     "for ever; seal it first: ",
                     place.base->Describe(kSealKey), " does not exist"));
  }
  if (numbered) {
    // The newest of them holds all versions.
    ManifestStore manifests(place.base);
    CLEAVE_ASSIGN_OR_RETURN(const auto newest, manifests.Read());
    CLEAVE_RETURN_IF_ERROR(CopyOnce(place, newest->key));
  }
  return CopyOnce(place, std::string(kManifestKey));
}

absl::Status ForkDatabaseFrom(const Database& source, GenerationNumber last, const ForkPlace& place) {
  CLEAVE_ASSIGN_OR_RETURN(const ForkedStore fork, StackFork(place));
  CLEAVE_ASSIGN_OR_RETURN(const auto current, ManifestStore(source.store()).Read());
  CLEAVE_ASSIGN_OR_RETURN(const Snapshot snapshot, source.Newest());
  DataFileWriter writer(*fork.store, fork.prefixes, *source.options().random, source.options().target_data_file_bytes);
  CLEAVE_ASSIGN_OR_RETURN(const Manifest manifest, ManifestUpTo(current->manifest, last, snapshot.reader(), writer));
  CLEAVE_RETURN_IF_ERROR(writer.Flush());
  const absl::Status created = ManifestStore(fork.store).Create(manifest);
  return absl::IsAborted(created)
             ? absl::FailedPreconditionError(
                   absl::StrCat("there is a database already: ", place.folder->Describe(kManifestKey), " exists"))
             : created;
}

absl::StatusOr<std::unique_ptr<Database>> OpenFork(const ForkPlace& place, OpenOptions options) {
  CLEAVE_ASSIGN_OR_RETURN(ForkedStore fork, StackFork(place));
  options.prefixes = fork.prefixes;
  return Database::Open(std::move(fork.store), options);
}

}  // namespace cleave::ocdbt
