// For tests only: where random tests take their seed from.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>

namespace cleave {

// CLEAVE_TEST_SEED when it is set, else a new one; printed, so that a failure can be had again.
inline uint64_t TestSeed() {
  const char* text = std::getenv("CLEAVE_TEST_SEED");
  const uint64_t seed = text != nullptr ? std::strtoull(text, nullptr, 10) : std::random_device{}();
  std::cout << "CLEAVE_TEST_SEED=" << seed << '\n';
  return seed;
}

}  // namespace cleave
