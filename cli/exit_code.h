// What the program's exit code means. Stable: scripts rely on it (docs/cli.md).
#pragma once

#include "absl/status/status.h"

namespace cleave::cli {

enum class ExitCode : int {
  kOk = 0,
  kInternal = 1,     // a defect of this program, or an error of the machine
  kUsage = 2,        // wrong arguments or input: INVALID_ARGUMENT, OUT_OF_RANGE
  kNotFound = 3,     // NOT_FOUND
  kRefused = 4,      // the present state refuses it: FAILED_PRECONDITION, ABORTED, ALREADY_EXISTS
  kDamaged = 5,      // DATA_LOSS, and findings of `cleave fsck`
  kUnavailable = 6,  // another process is in the way: UNAVAILABLE
};

[[nodiscard]] ExitCode ExitCodeOf(const absl::Status& status);

}  // namespace cleave::cli
