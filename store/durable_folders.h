// Makes folders so that a power cut cannot take them away again.
#pragma once

#include <mutex>
#include <set>
#include <string>

#include "absl/status/status.h"

namespace cleave::store {

// Remembers which folders are known to be on the disk, so that each costs one sync of its parent per process.
// Thread-safe.
class DurableFolders {
 public:
  // Makes `folder` (absolute, no '/' at its end) and all its parents where missing, and syncs the folder in which each
  // one has its name; also for those that exist, because whoever made them may not have come that far.
  [[nodiscard]] absl::Status Make(const std::string& folder);
  // Forgets what is known: folders were removed behind our back.
  void Forget();

 private:
  [[nodiscard]] absl::Status MakeOne(const std::string& folder, const std::string& parent);

  std::mutex mutex_;
  std::set<std::string> durable_;  // guarded by mutex_
};

}  // namespace cleave::store
