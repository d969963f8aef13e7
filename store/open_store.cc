// OpenStore: from a URL to a driver.
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/status.h"
#include "store/file_store.h"
#include "store/key_text.h"
#include "store/memory_store.h"
#include "store/store.h"

namespace cleave::store {
namespace {

// Resolves "%20" and the like.
absl::StatusOr<std::string> PercentDecode(absl::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    if (i + 2 >= text.size() || !absl::ascii_isxdigit(static_cast<unsigned char>(text[i + 1])) ||
        !absl::ascii_isxdigit(static_cast<unsigned char>(text[i + 2]))) {
      return absl::InvalidArgumentError("'%' must be followed by two hex digits");
    }
    decoded += absl::HexStringToBytes(text.substr(i + 1, 2));
    i += 2;
  }
  return decoded;
}

absl::StatusOr<std::unique_ptr<Store>> OpenFileStore(absl::string_view url, absl::string_view path) {
  absl::StatusOr<std::string> decoded = PercentDecode(path);
  if (!decoded.ok()) {
    return Annotate(decoded.status(), absl::StrCat("store URL \"", url, "\""));
  }
  std::string folder = *std::move(decoded);
  folder = std::string(absl::StripSuffix(folder, "/"));
  if (!absl::StartsWith(path, "/") || (!folder.empty() && !ValidateKey(folder.substr(1)).ok())) {
    return absl::InvalidArgumentError(
        absl::StrCat("store URL \"", url,
                     "\": expected file:///FOLDER/ with an absolute path without empty, \".\" or \"..\" parts"));
  }
  return std::make_unique<FileStore>(folder);
}

absl::StatusOr<std::unique_ptr<Store>> OpenMemoryStore(absl::string_view url, absl::string_view path) {
  const size_t slash = path.find('/');
  const std::string name(path.substr(0, slash));
  std::string prefix(slash == absl::string_view::npos ? "" : path.substr(slash + 1));
  if (!prefix.empty() && !absl::EndsWith(prefix, "/")) {
    prefix += '/';
  }
  if (!prefix.empty() && !ValidateKey(absl::StripSuffix(prefix, "/")).ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("store URL \"", url, "\": expected memory://NAME/ or memory://NAME/FOLDER/"));
  }
  return std::make_unique<MemoryStore>(SharedMemoryBytes(name), name, prefix);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenStore(absl::string_view url) {
  absl::string_view rest = url;
  if (absl::ConsumePrefix(&rest, "file://")) {
    return OpenFileStore(url, rest);
  }
  if (absl::ConsumePrefix(&rest, "memory://")) {
    return OpenMemoryStore(url, rest);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("store URL \"", url, "\": expected file:///FOLDER/ or memory://NAME/"));
}

}  // namespace cleave::store
