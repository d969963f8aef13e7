#include "ocdbt/database.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "ocdbt/committer.h"
#include "ocdbt/database_state.h"
#include "ocdbt/kvstore_spec.h"
#include "ocdbt/version_tree.h"
#include "store/key_text.h"

namespace cleave::ocdbt {
namespace {

Uuid RandomUuid(RandomSource& random) {
  Uuid uuid{};
  random.Fill(uuid);
  return uuid;
}

// Generation 1: no keys.
Manifest FirstManifest(const Config& config, Clock& clock) {
  Version version;
  version.generation = {1};
  version.commit_time = absl::FromUnixNanos(absl::ToUnixNanos(clock.Now()));
  return {config, {version}, {}};
}

absl::Status CheckKeys(const WriteBatch& batch) {
  for (const WriteBatch::Operation& operation : batch.operations()) {
    const auto* write = std::get_if<store::KeyedWrite>(&operation);
    if (write != nullptr && write->key.size() > kMaxKeyBytes) {
      return absl::InvalidArgumentError(absl::StrCat("key ", store::Quoted(write->key.substr(0, 100)), "... has ",
                                                     write->key.size(), " bytes, the most is ", kMaxKeyBytes));
    }
  }
  return absl::OkStatus();
}

}  // namespace

Database::Database(std::unique_ptr<State> state) : state_(std::move(state)) {}
Database::~Database() = default;

absl::StatusOr<std::unique_ptr<Database>> Database::Create(std::shared_ptr<store::Store> store, const Config& config,
                                                           const OpenOptions& options) {
  CLEAVE_RETURN_IF_ERROR(ValidateConfig(config));
  CLEAVE_RETURN_IF_ERROR(ValidatePrefixes(options.prefixes));
  Config chosen = config;
  if (chosen.uuid == Uuid{}) {
    chosen.uuid = RandomUuid(*options.random);
  }
  const absl::Status created = ManifestStore(store).Create(FirstManifest(chosen, *options.clock));
  if (absl::IsAborted(created)) {
    return absl::FailedPreconditionError(
        absl::StrCat("there is a database already: ", store->Describe(kManifestKey), " exists"));
  }
  CLEAVE_RETURN_IF_ERROR(created);
  return Open(std::move(store), options);
}

absl::StatusOr<std::unique_ptr<Database>> Database::Open(std::shared_ptr<store::Store> store,
                                                         const OpenOptions& options) {
  CLEAVE_RETURN_IF_ERROR(ValidatePrefixes(options.prefixes));
  auto state = std::make_unique<State>(store, options);
  CLEAVE_ASSIGN_OR_RETURN(const auto current, state->manifests.Read());
  state->config = current->manifest.config;
  if (absl::Status status = CheckConstraints(options.config, state->config); !status.ok()) {
    return Annotate(status, store->Describe(kManifestKey));
  }
  if (options.version) {
    CLEAVE_ASSIGN_OR_RETURN(state->pinned, FindVersion(current->manifest, *state->reader, *options.version));
  } else if (!options.read_only) {
    CLEAVE_RETURN_IF_ERROR(RefuseIfSealed(*store));
  }
  state->committer = std::make_unique<Committer>(state->reader, state->manifests, state->config, options);
  return std::unique_ptr<Database>(new Database(std::move(state)));
}

absl::StatusOr<Snapshot> Database::Newest() const {
  if (state_->pinned) {
    return Snapshot(state_->reader, *state_->pinned);
  }
  CLEAVE_ASSIGN_OR_RETURN(const auto current, state_->manifests.Read());
  return Snapshot(state_->reader, current->manifest.newest());
}

absl::StatusOr<Snapshot> Database::At(const VersionSpec& spec) const {
  CLEAVE_ASSIGN_OR_RETURN(const auto current, state_->manifests.Read());
  CLEAVE_ASSIGN_OR_RETURN(Version version, FindVersion(current->manifest, *state_->reader, spec));
  return Snapshot(state_->reader, std::move(version));
}

Snapshot Database::Show(const Version& version) const { return {state_->reader, version}; }

absl::StatusOr<std::vector<Version>> Database::ListVersions(const VersionRange& range) const {
  CLEAVE_ASSIGN_OR_RETURN(const auto current, state_->manifests.Read());
  return FindVersions(current->manifest, *state_->reader, range.first, range.last);
}

absl::StatusOr<CommitResult> Database::Commit(const WriteBatch& batch) {
  if (read_only()) {
    const VersionSpec version = state_->options.version.value_or(VersionSpec());
    return absl::InvalidArgumentError(
        state_->pinned
            ? absl::StrCat("Writing is not supported with version=", FormatVersionSpec(version), " specified")
            : absl::StrCat(Describe(), " was opened read-only"));
  }
  CLEAVE_RETURN_IF_ERROR(CheckKeys(batch));
  return state_->committer->Commit(batch);
}

const Config& Database::config() const { return state_->config; }
const OpenOptions& Database::options() const { return state_->options; }
bool Database::read_only() const { return state_->options.read_only || state_->pinned.has_value(); }
const std::shared_ptr<store::Store>& Database::store() const { return state_->reader->shared_store(); }
std::string Database::Describe() const { return store()->Describe(kManifestKey); }

std::string Database::KvStoreSpec() const {
  return OcdbtKvStoreSpec(*store(), state_->options.prefixes, state_->options.version);
}

}  // namespace cleave::ocdbt
