// What the tests of this room share: a seed, random labels, and the real data.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "base/array.h"
#include "base/geometry.h"

namespace cleave::volume {

// CLEAVE_TEST_SEED, or a fresh seed; printed, so that a failure can be run again.
inline uint64_t TestSeed() {
  const char* text = std::getenv("CLEAVE_TEST_SEED");
  const uint64_t seed = text != nullptr ? std::strtoull(text, nullptr, 10) : std::random_device()();
  std::cout << "CLEAVE_TEST_SEED=" << seed << '\n';
  return seed;
}

// An integer in [low, high].
inline int64_t Random(std::mt19937_64& random, int64_t low, int64_t high) {
  return std::uniform_int_distribution<int64_t>(low, high)(random);
}

// Labels from a palette of `palette_size`, in runs along x so that neighbours are often equal, as in real data.
template <typename Label>
Array3<Label> RandomLabels(std::mt19937_64& random, Extent3 extent, int64_t palette_size) {
  std::vector<Label> palette(static_cast<size_t>(palette_size));
  for (Label& label : palette) {
    label = static_cast<Label>(random());
  }
  palette[0] = 0;
  Array3<Label> labels(extent);
  Label label = 0;
  for (int64_t i = 0; i < labels.size(); ++i) {
    if (random() % 4 != 0) {
      label = palette[random() % palette.size()];
    }
    labels.data()[i] = label;
  }
  return labels;
}

template <typename T>
bool Equal(ArrayView3<const T> a, ArrayView3<const T> b) {
  if (a.extent() != b.extent()) {
    return false;
  }
  for (int64_t z = 0; z < a.extent().z; ++z) {
    for (int64_t y = 0; y < a.extent().y; ++y) {
      if (!std::equal(a.Row(y, z), a.Row(y, z) + a.extent().x, b.Row(y, z))) {
        return false;
      }
    }
  }
  return true;
}

// The path of a file of real data: in $CLEAVE_DATA, or beside the source tree. Empty when it is not there.
inline std::string DataFile(const std::string& name) {
  const char* folder = std::getenv("CLEAVE_DATA");
  const std::string path = std::string(folder != nullptr ? folder : CLEAVE_SOURCE_DIR "/../shared/data") + "/" + name;
  return std::filesystem::exists(path) ? path : "";
}

}  // namespace cleave::volume
