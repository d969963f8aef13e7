// For this room's tests: bytes written as hex, the seed of random tests, and their scale.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"

namespace cleave::ocdbt {

// The bytes of "0c db 20 de ..."; everything but hex digits is left out.
inline std::string Hex(absl::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (absl::ascii_isxdigit(static_cast<unsigned char>(c))) {
      digits += c;
    }
  }
  return absl::HexStringToBytes(digits);
}

// A new seed, or that of CLEAVE_TEST_SEED; printed, so that a failure can be repeated.
inline uint32_t TestSeed() {
  uint32_t seed = std::random_device()();
  if (const char* text = std::getenv("CLEAVE_TEST_SEED"); text != nullptr && !absl::SimpleAtoi(text, &seed)) {
    std::abort();
  }
  std::printf("CLEAVE_TEST_SEED=%u\n", seed);
  return seed;
}

// Whether long tests are to do less: under the sanitizers.
inline bool SmallScale() {
  const char* scale = std::getenv("CLEAVE_TEST_SCALE");
  return scale != nullptr && absl::string_view(scale) == "small";
}

}  // namespace cleave::ocdbt
