// Named places where a test may stop the process, as a power cut would.
//
//   CrashPoint("edit.after_intent");
//
// Without preparation the call costs one atomic load. The environment variable CLEAVE_CRASH_AT=NAME[:N] makes the
// N-th arrival (default the first) at NAME end the process by SIGKILL: no destructor, no flush, no handler runs.
// A test in the same process installs an observer instead. Thread-safe.
#pragma once

#include <functional>

#include "absl/strings/string_view.h"

namespace cleave {

void CrashPoint(absl::string_view name);

// Calls `observer` at every crash point, before CLEAVE_CRASH_AT is looked at; nullptr removes it. For tests: not to be
// called while other threads run product code.
void SetCrashPointObserver(std::function<void(absl::string_view)> observer);

}  // namespace cleave
