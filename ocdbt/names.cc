#include "ocdbt/names.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/status.h"
#include "ocdbt/manifest_store.h"
#include "ocdbt/seal.h"
#include "ocdbt/version.h"
#include "store/key_lock.h"
#include "store/key_text.h"
#include "store/stack_store.h"

namespace cleave::ocdbt {
namespace {

constexpr absl::string_view kAllManifests = "manifest.";

std::string PrefixOfKind(NameKind kind) {
  return kind == NameKind::kTag ? absl::StrCat(kBesidePrefix, "tags/") : std::string(kBranchesPrefix);
}

bool IsNumber(absl::string_view text) { return text.find_first_not_of("0123456789") == absl::string_view::npos; }

}  // namespace

absl::string_view TextOf(NameKind kind) { return kind == NameKind::kTag ? "tag" : "branch"; }

std::string FolderOfName(NameKind kind, absl::string_view name) { return absl::StrCat(PrefixOfKind(kind), name, "/"); }

DataPrefixes BranchPrefixes(absl::string_view name) {
  return DataPrefixes::All(absl::StrCat(FolderOfName(NameKind::kBranch, name), "d/"));
}

absl::Status ValidateName(absl::string_view name) {
  constexpr size_t kMaxNameBytes = 100;
  const bool letters = name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
                       absl::string_view::npos;
  if (name.empty() || name.size() > kMaxNameBytes || !letters ||
      !absl::ascii_isalnum(static_cast<unsigned char>(name.front())) || absl::EndsWith(name, store::kLockSuffix)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the name ", store::Quoted(name), " must be 1 to ", kMaxNameBytes,
                     " of the letters A-Z a-z 0-9 . _ - and begin with a letter or digit"));
  }
  if (IsNumber(name) || ParseVersionSpec(name).ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the name ", store::Quoted(name), " could be taken for a version; choose another"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ListNames(const store::Store& store, NameKind kind) {
  const std::string prefix = PrefixOfKind(kind);
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> keys, store.List(store::KeyRange::Prefix(prefix)));
  std::vector<std::string> names;
  for (const std::string& key : keys) {
    absl::string_view name = absl::StripPrefix(key, prefix);
    if (absl::ConsumeSuffix(&name, absl::StrCat("/", kManifestKey)) && ValidateName(name).ok()) {
      names.emplace_back(name);
    }
  }
  return names;
}

absl::StatusOr<std::shared_ptr<store::Store>> StackName(const std::shared_ptr<store::Store>& store, NameKind kind,
                                                        absl::string_view name) {
  CLEAVE_RETURN_IF_ERROR(ValidateName(name));
  const std::string folder = FolderOfName(kind, name);
  store::StackLayer seal = store::StackLayer::Exact(kSealKey, store, absl::StrCat(folder, kSealKey));
  seal.in_specification = false;
  CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<store::StackStore> stack,
                          store::StackStore::Create({store::StackLayer::Everything(store),
                                                     {store, folder, store::KeyRange::Prefix(kAllManifests), 0, true},
                                                     std::move(seal)}));
  return std::shared_ptr<store::Store>(std::move(stack));
}

}  // namespace cleave::ocdbt
