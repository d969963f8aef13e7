#include "store/file_store.h"

#include <fcntl.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "store/file_listing.h"
#include "store/key_lock.h"
#include "store/key_text.h"
#include "store/new_file.h"
#include "store/part_runs.h"

namespace cleave::store {
namespace {

Generation GenerationOf(const FileIdentity& identity) {
  return Generation(absl::StrCat(identity.device, ":", identity.inode, ":", identity.mtime_ns));
}

// What a key's file is now; nothing when there is none, or only a folder of that name.
absl::StatusOr<std::optional<FileIdentity>> Present(const std::string& path) {
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<FileIdentity> found, IdentifyPath(path));
  return found && found->regular ? found : std::nullopt;
}

Generation GenerationOf(const std::optional<FileIdentity>& identity) {
  return identity ? GenerationOf(*identity) : Generation::Absent();
}

std::string FolderOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

// The value is in the lock file, which takes the place of the file in the end.
class BegunFile final : public BegunWrite {
 public:
  BegunFile(std::string path, KeyLock lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  absl::Status Prepare() override {
    CLEAVE_RETURN_IF_ERROR(lock_.Sync());
    synced_ = true;
    return absl::OkStatus();
  }
  absl::StatusOr<Generation> Finish() override {
    if (!synced_) {
      CLEAVE_RETURN_IF_ERROR(Prepare());
    }
    CLEAVE_ASSIGN_OR_RETURN(const FileIdentity written, lock_.Commit());
    CLEAVE_RETURN_IF_ERROR(SyncFolder(FolderOf(path_)));
    return GenerationOf(written);
  }

 private:
  const std::string path_;
  KeyLock lock_;
  bool synced_ = false;
};

}  // namespace

FileStore::FileStore(absl::string_view folder) : folder_(absl::StrCat(absl::StripSuffix(folder, "/"), "/")) {}

absl::StatusOr<ReadResult> FileStore::Read(absl::string_view key, const ReadOptions& options) const {
  CLEAVE_ASSIGN_OR_RETURN(const std::string path, PathOf(key));
  CLEAVE_ASSIGN_OR_RETURN(const FileDescriptor file, OpenFile(path, O_RDONLY));
  if (!file.is_open()) {
    return ReadResult{};
  }
  CLEAVE_ASSIGN_OR_RETURN(const FileIdentity identity, Identify(file, path));
  if (!identity.regular) {
    return ReadResult{};
  }
  CLEAVE_ASSIGN_OR_RETURN(const Extent extent, ResolveRange(options.range, identity.size_bytes, Describe(key)));
  CLEAVE_ASSIGN_OR_RETURN(std::string value, ReadAt(file, extent.offset, extent.length, path));
  return ReadResult{std::move(value), GenerationOf(identity)};
}

absl::StatusOr<std::optional<std::vector<std::string>>> FileStore::ReadParts(absl::string_view key,
                                                                             std::span<const Extent> parts) const {
  CLEAVE_ASSIGN_OR_RETURN(const std::string path, PathOf(key));
  CLEAVE_ASSIGN_OR_RETURN(const FileDescriptor file, OpenFile(path, O_RDONLY));
  if (!file.is_open()) {
    return std::nullopt;
  }
  CLEAVE_ASSIGN_OR_RETURN(const FileIdentity identity, Identify(file, path));
  if (!identity.regular) {
    return std::nullopt;
  }
  std::vector<std::string> values(parts.size());
  for (const PartRun& run : JoinNeighbours(parts)) {
    const uint64_t end = run.whole.offset + run.whole.length;
    if (end > identity.size_bytes || end < run.whole.offset) {
      return absl::OutOfRangeError(absl::StrCat(Describe(key), ": the value ends before byte ", end));
    }
    std::vector<PlacedString> places;
    places.reserve(run.parts.size());
    for (const size_t part : run.parts) {
      values[part].resize(parts[part].length);
      places.push_back({parts[part].offset, &values[part]});
    }
    CLEAVE_RETURN_IF_ERROR(ReadInto(file, places, path));
  }
  return values;
}

absl::StatusOr<Generation> FileStore::Write(absl::string_view key, absl::string_view value,
                                            const WriteOptions& options) {
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<BegunWrite> begun, BeginWrite(key, value, options));
  return begun->Finish();
}

absl::StatusOr<std::unique_ptr<NewValue>> FileStore::WriteNew(absl::string_view key) {
  CLEAVE_ASSIGN_OR_RETURN(std::string path, PathOf(key));
  return std::make_unique<NewFile>(std::move(path), folders_);
}

absl::StatusOr<std::unique_ptr<BegunWrite>> FileStore::BeginWrite(absl::string_view key, absl::string_view value,
                                                                  const WriteOptions& options) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string path, PathOf(key));
  absl::StatusOr<std::unique_ptr<BegunWrite>> begun = BeginOnce(path, value, options);
  if (absl::IsNotFound(begun.status())) {
    // The folder was removed behind our back; make it once more.
    folders_.Forget();
    begun = BeginOnce(path, value, options);
  }
  return begun;
}

absl::StatusOr<std::unique_ptr<BegunWrite>> FileStore::BeginOnce(const std::string& path, absl::string_view value,
                                                                 const WriteOptions& options) {
  CLEAVE_RETURN_IF_ERROR(folders_.Make(FolderOf(path)));
  CLEAVE_ASSIGN_OR_RETURN(KeyLock lock, KeyLock::Acquire(path));
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<FileIdentity> present, Present(path));
  CLEAVE_RETURN_IF_ERROR(CheckCondition(options, GenerationOf(present), absl::StrCat("file://", path)));
  CLEAVE_RETURN_IF_ERROR(lock.SetContents(value, present ? present->mtime_ns : 0));
  return std::make_unique<BegunFile>(path, std::move(lock));
}

absl::Status FileStore::Delete(absl::string_view key, const WriteOptions& options) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string path, PathOf(key));
  const absl::StatusOr<KeyLock> lock = KeyLock::Acquire(path);
  if (absl::IsNotFound(lock.status())) {  // no folder, so no file
    return CheckCondition(options, Generation::Absent(), Describe(key));
  }
  CLEAVE_RETURN_IF_ERROR(lock.status());
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<FileIdentity> present, Present(path));
  CLEAVE_RETURN_IF_ERROR(CheckCondition(options, GenerationOf(present), Describe(key)));
  if (!present) {
    return absl::OkStatus();
  }
  CLEAVE_RETURN_IF_ERROR(UnlinkFile(path));
  return SyncFolder(FolderOf(path));
}

absl::StatusOr<std::vector<std::string>> FileStore::List(const KeyRange& range) const {
  return ListFiles(folder_, range);
}

std::string FileStore::Describe(absl::string_view key) const { return absl::StrCat("file://", folder_, key); }

std::string FileStore::KvStoreSpec() const {
  const nlohmann::json spec = {{"driver", "file"}, {"path", folder_}};
  const std::string text = spec.dump(-1, ' ', false, nlohmann::json::error_handler_t::ignore);
  return nlohmann::json::parse(text)["path"] == folder_ ? text : "";
}

absl::StatusOr<std::string> FileStore::PathOf(absl::string_view key) const {
  CLEAVE_RETURN_IF_ERROR(ValidateKey(key));
  for (const absl::string_view component : absl::StrSplit(key, '/')) {
    if (absl::EndsWith(component, kLockSuffix)) {
      return absl::InvalidArgumentError(
          absl::StrCat("key ", Quoted(key), ": names that end in \"", kLockSuffix, "\" are kept for lock files"));
    }
  }
  return absl::StrCat(folder_, key);
}

}  // namespace cleave::store
