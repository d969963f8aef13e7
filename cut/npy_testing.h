// Reads the real data that tests and benchmarks use: NumPy arrays compressed with zstd. Not for product code.
#pragma once

#include <zstd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace cleave::cut {

// The folder of the data set: $CLEAVE_DATA, else ../shared/data beside the source tree.
inline std::string DataFolder(const std::string& source_folder) {
  const char* folder = std::getenv("CLEAVE_DATA");
  return folder != nullptr ? std::string(folder) : source_folder + "/../shared/data";
}

inline bool HasData(const std::string& folder) { return std::ifstream(folder + "/split_cases.json").good(); }

// All elements of `file`, whose header has exactly 128 bytes (as the data set's own description says) and whose type
// must be T. Throws std::runtime_error when the file cannot be read.
template <typename T>
std::vector<T> ReadNpyZst(const std::string& file) {
  constexpr size_t kHeaderBytes = 128;
  std::ifstream stream(file, std::ios::binary);
  const std::string packed{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  const unsigned long long bytes = ZSTD_getFrameContentSize(packed.data(), packed.size());
  if (bytes == ZSTD_CONTENTSIZE_UNKNOWN || bytes == ZSTD_CONTENTSIZE_ERROR || bytes < kHeaderBytes) {
    throw std::runtime_error("cannot read " + file);
  }
  std::vector<char> plain(bytes);
  const size_t written = ZSTD_decompress(plain.data(), plain.size(), packed.data(), packed.size());
  if (ZSTD_isError(written) != 0 || written != bytes) {
    throw std::runtime_error("cannot decompress " + file);
  }
  std::vector<T> elements((bytes - kHeaderBytes) / sizeof(T));
  std::memcpy(elements.data(), plain.data() + kHeaderBytes, elements.size() * sizeof(T));
  return elements;
}

}  // namespace cleave::cut
