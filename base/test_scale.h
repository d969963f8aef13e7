// How much a long test does. For tests only.
#pragma once

#include <cstdlib>

#include "absl/strings/string_view.h"

namespace cleave {

// Whether long tests are to do less, as ./check asks of them under the sanitizers: CLEAVE_TEST_SCALE=small.
[[nodiscard]] inline bool SmallTests() {
  const char* const scale = std::getenv("CLEAVE_TEST_SCALE");
  return scale != nullptr && absl::string_view(scale) == "small";
}

// Whether tests that go through a share of all cases are to go through all of them: CLEAVE_TEST_SCALE=full.
[[nodiscard]] inline bool FullTests() {
  const char* const scale = std::getenv("CLEAVE_TEST_SCALE");
  return scale != nullptr && absl::string_view(scale) == "full";
}

}  // namespace cleave
