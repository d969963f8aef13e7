// The files below a folder, as keys of a store.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "store/store.h"

namespace cleave::store {

// Paths relative to `root` (which ends in '/') of the regular files in `range`, in bytewise order. Lock files are left
// out. Folders that cannot hold a key of the range are not opened. A missing root has no files.
[[nodiscard]] absl::StatusOr<std::vector<std::string>> ListFiles(const std::string& root, const KeyRange& range);

}  // namespace cleave::store
