// A .npy file written plane by plane, so that an export never holds the whole box in memory.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>

#include "absl/status/status.h"

#include "base/array.h"
#include "base/geometry.h"

namespace cleave::cli {

// Writes beside `path` and takes its place in the end: a file of that name is always whole. Not thread-safe.
class NpySlabWriter {
 public:
  // uint64, shape (x, y, z), x fastest.
  NpySlabWriter(std::string path, Extent3 extent);
  // INVALID_ARGUMENT, naming the file, when something could not be written: worth a look before the first plane.
  [[nodiscard]] absl::Status status() const;
  // Removes what was not finished.
  ~NpySlabWriter();
  NpySlabWriter(const NpySlabWriter&) = delete;
  NpySlabWriter& operator=(const NpySlabWriter&) = delete;

  // The next planes of z, as wide as the whole.
  void Append(const Array3<uint64_t>& slab);
  // Puts the file in its place; errors as status(). REQUIRES: all planes were appended.
  [[nodiscard]] absl::Status Finish();

 private:
  const std::string path_;
  const std::string part_path_;
  const Extent3 extent_;
  int64_t planes_ = 0;
  std::ofstream file_;
};

}  // namespace cleave::cli
