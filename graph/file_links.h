// Whole folders of files that never change, for a second owner.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cleave::graph {

struct LinkCounts {
  int64_t linked = 0;
  int64_t copied = 0;
};

// Links every file below `from`, but for those of locks, into the same place below `to`; copies where the file system
// cannot link. A folder that does not exist is empty.
[[nodiscard]] absl::Status LinkFolder(const std::string& from, const std::string& to, LinkCounts& counts);

// What was made below `folder` so far is on disk when it returns.
[[nodiscard]] absl::Status SyncFolder(const std::string& folder);

}  // namespace cleave::graph
