#include "store/durable_folders.h"

#include "base/status.h"
#include "store/posix_file.h"

namespace cleave::store {

absl::Status DurableFolders::Make(const std::string& folder) {
  const std::lock_guard lock(mutex_);
  if (durable_.contains(folder)) {
    return absl::OkStatus();
  }
  for (size_t slash = 0; slash != std::string::npos && slash < folder.size();) {
    const size_t next = folder.find('/', slash + 1);
    const std::string path = folder.substr(0, next);
    if (!durable_.contains(path)) {
      CLEAVE_RETURN_IF_ERROR(MakeOne(path, slash == 0 ? "/" : folder.substr(0, slash)));
      durable_.insert(path);
    }
    slash = next;
  }
  return absl::OkStatus();
}

absl::Status DurableFolders::MakeOne(const std::string& folder, const std::string& parent) {
  CLEAVE_ASSIGN_OR_RETURN(const bool made, MakeFolder(folder));
  const absl::Status synced = SyncFolder(parent);
  // A folder above the store may exist without our having the right to open its parent; it is not ours to sync.
  return !made && absl::IsPermissionDenied(synced) ? absl::OkStatus() : synced;
}

void DurableFolders::Forget() {
  const std::lock_guard lock(mutex_);
  durable_.clear();
}

}  // namespace cleave::store
