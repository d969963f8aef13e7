#include "store/file_listing.h"

#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "store/key_lock.h"
#include "store/key_text.h"
#include "store/posix_file.h"

namespace cleave::store {
namespace {

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};

class Lister {
 public:
  Lister(const std::string& root, const KeyRange& range) : root_(root), range_(range) {}

  // Lists the folder `prefix` ("" or a key prefix that ends in '/').
  absl::Status ListFolder(const std::string& prefix) {
    const std::string path = absl::StrCat(root_, prefix);
    const std::unique_ptr<DIR, CloseFolder> folder(opendir(path.c_str()));
    if (folder == nullptr) {
      return errno == ENOENT || errno == ENOTDIR ? absl::OkStatus() : ErrnoError("list", path);
    }
    while (true) {
      errno = 0;
      const dirent* entry = readdir(folder.get());
      if (entry == nullptr) {
        return errno == 0 ? absl::OkStatus() : ErrnoError("list", path);
      }
      CLEAVE_RETURN_IF_ERROR(Visit(prefix, *entry));
    }
  }

  std::vector<std::string> TakeSorted() {
    std::sort(keys_.begin(), keys_.end());
    return std::move(keys_);
  }

 private:
  absl::Status Visit(const std::string& prefix, const dirent& entry) {
    const absl::string_view name = entry.d_name;
    if (name == "." || name == "..") {
      return absl::OkStatus();
    }
    const std::string key = absl::StrCat(prefix, name);
    if (entry.d_type == DT_REG) {
      Add(key);
      return absl::OkStatus();
    }
    const std::string below = absl::StrCat(key, "/");
    const bool may_hold_keys = !IsEmpty(Intersect(range_, KeyRange::Prefix(below)));
    if (entry.d_type == DT_DIR) {
      return may_hold_keys ? ListFolder(below) : absl::OkStatus();
    }
    // A symbolic link, or a file system that does not tell.
    CLEAVE_ASSIGN_OR_RETURN(const std::optional<FileIdentity> target, IdentifyPath(absl::StrCat(root_, key)));
    if (target && target->regular) {
      Add(key);
    } else if (target && may_hold_keys && IsNewFolder(*target)) {
      CLEAVE_RETURN_IF_ERROR(ListFolder(below));
      linked_.erase({target->device, target->inode});
    }
    return absl::OkStatus();
  }

  // False when a link leads to a folder that is being listed through a link already: a loop.
  bool IsNewFolder(const FileIdentity& target) { return linked_.insert({target.device, target.inode}).second; }

  void Add(const std::string& key) {
    if (range_.Contains(key) && !absl::EndsWith(key, kLockSuffix)) {
      keys_.push_back(key);
    }
  }

  const std::string& root_;
  const KeyRange& range_;
  std::vector<std::string> keys_;
  std::set<std::pair<uint64_t, uint64_t>> linked_;
};

}  // namespace

absl::StatusOr<std::vector<std::string>> ListFiles(const std::string& root, const KeyRange& range) {
  Lister lister(root, range);
  CLEAVE_RETURN_IF_ERROR(lister.ListFolder(""));
  return lister.TakeSorted();
}

}  // namespace cleave::store
