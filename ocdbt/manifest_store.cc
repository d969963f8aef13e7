#include "ocdbt/manifest_store.h"

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "base/crash_point.h"
#include "base/parallel.h"
#include "base/status.h"

namespace cleave::ocdbt {
namespace {

constexpr absl::string_view kNumberedPrefix = "manifest.";
constexpr size_t kHexDigits = 16;
// Older numbered manifests are removed: a reader that listed them has long read one by then.
constexpr uint64_t kKeptNumberedManifests = 128;

const store::KeyRange kNumberedKeys{"manifest.0", "manifest.:"};

// The generation in the name of a numbered manifest; 0 for another object.
uint64_t NumberInKey(absl::string_view key) {
  const absl::string_view digits = key.substr(kNumberedPrefix.size());
  uint64_t number = 0;
  return digits.size() == kHexDigits && absl::SimpleHexAtoi(digits, &number) ? number : 0;
}

// The numbers of the numbered manifests that exist, ascending.
absl::StatusOr<std::vector<uint64_t>> ListNumbers(const store::Store& store) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> keys, store.List(kNumberedKeys));
  std::vector<uint64_t> numbers;
  for (const std::string& key : keys) {
    if (const uint64_t number = NumberInKey(key); number > 0) {
      numbers.push_back(number);
    }
  }
  return numbers;
}

Manifest AsSingle(Manifest manifest) {
  manifest.config.manifest_kind = ManifestKind::kSingle;
  return manifest;
}

}  // namespace

std::string NumberedManifestKey(GenerationNumber generation) {
  return absl::StrFormat("%s%016x", kNumberedPrefix, generation.value);
}

absl::StatusOr<std::shared_ptr<const StoredManifest>> ManifestStore::Read() {
  const std::string key(kManifestKey);
  CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, store_->Read(key));
  if (!read.value) {
    return absl::NotFoundError(absl::StrCat("OCDBT manifest not present: ", store_->Describe(key)));
  }
  if (auto cached = Cached(key, read.generation)) {
    return cached;
  }
  const absl::StatusOr<Config> config = DecodeManifestConfig(*read.value);
  if (!config.ok()) {
    return Annotate(config.status(), store_->Describe(key));
  }
  return config->manifest_kind == ManifestKind::kNumbered ? ReadNumbered(*config) : Decode(key, read, nullptr);
}

absl::StatusOr<std::shared_ptr<const StoredManifest>> ManifestStore::ReadNumbered(const Config& config) {
  // The newest of a list may be removed before it is read; then there are newer ones.
  constexpr int kAttempts = 10;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<uint64_t> numbers, ListNumbers(*store_));
    if (numbers.empty()) {
      return absl::NotFoundError(
          absl::StrCat("OCDBT manifest not present: ", store_->Describe(""), " holds only a configuration"));
    }
    const std::string key = NumberedManifestKey({numbers.back()});
    CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, store_->Read(key));
    if (read.value) {
      auto cached = Cached(key, read.generation);
      return cached != nullptr ? cached : Decode(key, read, &config);
    }
  }
  return absl::UnavailableError(
      absl::StrCat(store_->Describe(""), ": numbered manifests vanish faster than they can be read"));
}

absl::StatusOr<std::shared_ptr<const StoredManifest>> ManifestStore::Decode(const std::string& key,
                                                                            const store::ReadResult& read,
                                                                            const Config* numbered) {
  absl::StatusOr<Manifest> manifest = DecodeManifest(*read.value);
  if (!manifest.ok()) {
    return Annotate(manifest.status(), store_->Describe(key));
  }
  if (numbered != nullptr) {
    manifest->config.manifest_kind = ManifestKind::kNumbered;
    if (manifest->config != *numbered || manifest->newest().generation.value != NumberInKey(key)) {
      return absl::DataLossError(absl::StrCat(store_->Describe(key), ": holds generation ",
                                              manifest->newest().generation.value, " or a configuration other than ",
                                              kManifestKey));
    }
  }
  auto stored = std::make_shared<const StoredManifest>(StoredManifest{*std::move(manifest), key, read.generation});
  Remember(stored);
  return stored;
}

absl::Status ManifestStore::Create(const Manifest& manifest) {
  const bool numbered = manifest.config.manifest_kind == ManifestKind::kNumbered;
  const std::string object = numbered ? EncodeConfigManifest(manifest.config) : EncodeManifest(manifest);
  const absl::Status written = store_->Write(kManifestKey, object, {store::Generation::Absent()}).status();
  if (!numbered || !absl::IsAborted(written)) {
    CLEAVE_RETURN_IF_ERROR(written);
    return numbered ? WriteNumbered(manifest).status() : absl::OkStatus();
  }
  // A creation that came no further than the configuration is finished with that configuration.
  CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, store_->Read(kManifestKey));
  if (!read.value) {
    return written;
  }
  CLEAVE_ASSIGN_OR_RETURN(const Config config, DecodeManifestConfig(*read.value));
  return config.manifest_kind == ManifestKind::kNumbered
             ? WriteNumbered({config, manifest.versions, manifest.version_tree_nodes}).status()
             : written;
}

absl::Status ManifestStore::Replace(const StoredManifest& current, const Manifest& next,
                                    const MakeDurable& make_durable) {
  CrashPoint("ocdbt.before_manifest");
  const bool numbered = next.config.manifest_kind == ManifestKind::kNumbered;
  const std::string key = numbered ? NumberedManifestKey(next.newest().generation) : current.key;
  const absl::StatusOr<store::Generation> written =
      numbered ? WriteBeside(key, AsSingle(next), {store::Generation::Absent()}, make_durable)
               : WriteBeside(key, next, {current.store_generation}, make_durable);
  CLEAVE_RETURN_IF_ERROR(written.status());
  CrashPoint("ocdbt.after_manifest");
  if (numbered) {
    CLEAVE_RETURN_IF_ERROR(SettleNumbered(next.newest().generation));
  }
  Remember(std::make_shared<const StoredManifest>(StoredManifest{next, key, *written}));
  return absl::OkStatus();
}

absl::StatusOr<store::Generation> ManifestStore::WriteBeside(const std::string& key, const Manifest& manifest,
                                                             const store::WriteOptions& options,
                                                             const MakeDurable& make_durable) {
  const std::string object = EncodeManifest(manifest);
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<store::BegunWrite> begun, store_->BeginWrite(key, object, options));
  if (make_durable != nullptr) {
    CLEAVE_RETURN_IF_ERROR(ParallelFor(2, 2, [&](int64_t i) { return i == 0 ? make_durable() : begun->Prepare(); }));
  }
  return begun->Finish();
}

absl::StatusOr<bool> ManifestStore::Rewrite(const StoredManifest& current, const Manifest& next) {
  CLEAVE_ASSIGN_OR_RETURN(store::Generation written,
                          store_->Write(current.key, EncodeManifest(next), {current.store_generation}));
  const bool differs = written != current.store_generation;
  Remember(std::make_shared<const StoredManifest>(StoredManifest{next, current.key, std::move(written)}));
  return differs;
}

absl::StatusOr<store::Generation> ManifestStore::WriteNumbered(const Manifest& manifest) {
  return store_->Write(NumberedManifestKey(manifest.newest().generation), EncodeManifest(AsSingle(manifest)),
                       {store::Generation::Absent()});
}

absl::Status ManifestStore::SettleNumbered(GenerationNumber written) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<uint64_t> numbers, ListNumbers(*store_));
  if (!numbers.empty() && numbers.back() > written.value) {
    return absl::AbortedError(absl::StrCat(store_->Describe(NumberedManifestKey(written)), ": generation ",
                                           numbers.back(), " was there before it"));
  }
  for (const uint64_t number : numbers) {
    if (number + kKeptNumberedManifests < written.value) {
      (void)store_->Delete(NumberedManifestKey({number}));  // the next commit tries again
    }
  }
  return absl::OkStatus();
}

std::shared_ptr<const StoredManifest> ManifestStore::Cached(const std::string& key,
                                                            const store::Generation& generation) {
  const std::lock_guard lock(mutex_);
  return cached_ != nullptr && cached_->key == key && cached_->store_generation == generation ? cached_ : nullptr;
}

void ManifestStore::Remember(std::shared_ptr<const StoredManifest> manifest) {
  const std::lock_guard lock(mutex_);
  cached_ = std::move(manifest);
}

}  // namespace cleave::ocdbt
